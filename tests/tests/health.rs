//! What an orchestrator, a load balancer and a newcomer with curl see: health, readiness, metrics, the descriptions of
//! the API, and what is not there.

use http::Method;
use millrace_tests::door::{Call, DOORS, Door};
use millrace_tests::parts;
use millrace_tests::platform::TestPlatform;
use millrace_tests::rest::Rest;
use millrace_tests::schema;
use millrace_tests::shop::{self, Shopper};
use serde_json::json;

#[tokio::test]
async fn health_and_readiness_answer_on_both_listeners() {
    let platform = TestPlatform::dev().await;
    for address in [platform.public, platform.admin] {
        for path in ["/health", "/readiness"] {
            let reply = Rest::new(address).get(path).await;
            assert_eq!(reply.status.as_u16(), 200, "{address}{path}");
        }
    }
}

#[tokio::test]
async fn every_service_reports_its_health() {
    let platform = TestPlatform::dev().await;
    let services: Vec<String> = schema::pool()
        .services()
        .filter(|service| service.full_name().starts_with("millrace."))
        .map(|service| service.full_name().to_owned())
        .collect();
    for door in [Door::Grpc, Door::Web] {
        for service in services.iter().map(String::as_str).chain([""]) {
            let check = Call::new("grpc.health.v1.Health/Check", json!({"service": service}));
            let answer = check.through(door, platform.public).await;
            assert_eq!(answer.message()["status"], "SERVING", "{service:?} through {door}");
        }
        let unknown = Call::new("grpc.health.v1.Health/Check", json!({"service": "no.such.Service"}));
        assert_eq!(unknown.through(door, platform.public).await.code(), 5);

        let list = Call::new("grpc.health.v1.Health/List", json!({}))
            .through(door, platform.public)
            .await;
        for service in services.iter().map(String::as_str).chain([""]) {
            assert_eq!(
                list.message()["statuses"][service]["status"],
                "SERVING",
                "{service:?} through {door}"
            );
        }
    }
    // A watch of an unknown service says so, and stays open.
    let watch = Call::new("grpc.health.v1.Health/Watch", json!({"service": "no.such.Service"}));
    let answer = watch
        .deadline(std::time::Duration::from_millis(300))
        .through(Door::Grpc, platform.public)
        .await;
    assert_eq!(
        (answer.messages, answer.status["code"].clone()),
        (vec![json!({"status": "SERVICE_UNKNOWN"})], json!(4))
    );
}

#[tokio::test]
async fn metrics_count_calls_and_pools() {
    let platform = TestPlatform::dev().await;
    let rest = Rest::new(platform.public);
    rest.get("/v1/products").await.expect(200);
    rest.get("/v1/products/none-such").await.expect(404);
    rest.get("/no/such/path").await.expect(404);

    let reply = Rest::new(platform.admin).get("/metrics").await;
    assert!(
        reply.header("content-type").contains("text"),
        "{}",
        reply.header("content-type")
    );
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    for (method, code) in [
        ("millrace.catalog.v1.CatalogService/ListProducts", "OK"),
        ("millrace.catalog.v1.CatalogService/GetProduct", "NOT_FOUND"),
    ] {
        let found = text.lines().any(|line| {
            line.starts_with("rpc_server_call_duration_seconds_count")
                && line.contains(method)
                && line.contains(&format!("\"{code}\""))
        });
        assert!(found, "{method} {code} is not in:\n{text}");
    }
    for shard in 0..4 {
        assert!(
            text.lines().any(|line| line.contains(&format!("\"shard-{shard}\""))),
            "shard {shard} is not in:\n{text}"
        );
    }
    assert!(
        !text.contains("/no/such/path"),
        "a path that a stranger chooses is no label"
    );
    assert!(text.ends_with("# EOF\n"));

    // The public port has no metrics, the admin port has no API, and nothing there can be written.
    rest.get("/metrics").await.expect(404);
    assert_eq!(Rest::new(platform.admin).get("/v1/products").await.status.as_u16(), 404);
    for path in ["/metrics", "/health"] {
        let reply = Rest::new(platform.admin).send(Method::POST, path, &[], "x").await;
        assert!(
            [404, 405].contains(&reply.status.as_u16()),
            "POST {path}: {}",
            reply.status
        );
    }
}

#[tokio::test]
async fn openapi_has_every_annotated_rpc_and_no_other() {
    let platform = TestPlatform::dev().await;
    let document = Rest::new(platform.public).get("/openapi.json").await.expect(200);
    assert!(
        document["openapi"].as_str().unwrap().starts_with("3.1"),
        "{}",
        document["openapi"]
    );

    let operations: Vec<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            item.as_object()
                .unwrap()
                .keys()
                .map(move |method| (method.to_uppercase(), path.clone()))
        })
        .filter(|(method, _)| ["GET", "PUT", "POST", "DELETE", "PATCH"].contains(&method.as_str()))
        .collect();
    let annotated: Vec<_> = schema::methods()
        .filter(|method| method.full_name().starts_with("millrace."))
        .filter_map(|method| schema::http_rule(&method))
        .collect();
    assert_eq!(operations.len(), annotated.len(), "{operations:?}");
    for rule in annotated {
        let verb = rule.path.rsplit_once('}').map_or("", |(_, verb)| verb);
        let found = operations
            .iter()
            .any(|(method, path)| method == rule.method && path.ends_with(verb));
        assert!(found, "{} {} is not in {operations:?}", rule.method, rule.path);
    }
    let text = document.to_string();
    assert!(text.contains("Sum over the lines"), "comments are descriptions");
    assert!(
        !text.contains("BatchGetProducts"),
        "an RPC without an annotation is not REST"
    );
}

#[tokio::test]
#[ignore = "needs openapi-spec-validator: ./tests/run installs it"]
async fn openapi_is_valid() {
    let platform = TestPlatform::dev().await;
    let reply = Rest::new(platform.public).get("/openapi.json").await;
    let document = reply.expect(200);
    let file = platform.folder().path().join("openapi.json");
    std::fs::write(&file, &reply.body).unwrap();
    let validator = parts::variable("MILLRACE_OPENAPI_VALIDATOR");
    let printed = parts::run(std::process::Command::new(&validator).arg(&file));
    assert!(printed.success, "{printed:?}");
    // It can fail.
    std::fs::write(&file, document.to_string().replacen("\"responses\"", "\"replies\"", 9)).unwrap();
    let broken = parts::run(std::process::Command::new(&validator).arg(&file));
    assert!(!broken.success, "{broken:?}");

    // Sign-up is open in `dev`, and the document says so.
    let operation = |path: &str, method: &str| document["paths"][path][method].clone();
    assert_eq!(operation("/v1/users", "post")["security"], json!([]));
    assert_eq!(
        operation("/v1/users", "get")["security"],
        json!([{"bearer": []}, {"apiKey": []}])
    );
}

#[tokio::test]
async fn what_is_not_there_says_so_in_the_one_shape() {
    let platform = TestPlatform::dev().await;
    let rest = Rest::new(platform.public);
    let reply = rest.get("/v1/prodcts").await;
    let body = reply.expect(404);
    assert_eq!(body["code"], 5);
    assert!(
        body["message"].as_str().unwrap().contains("/v1/products"),
        "a typo is recognised: {body}"
    );
    assert!(reply.body.ends_with(b"}"), "an answer is its JSON and nothing more");
    assert!(!reply.header("x-request-id").is_empty());

    // RFC 9457 for who asks for it.
    let reply = rest
        .send(
            Method::GET,
            "/v1/prodcts",
            &[("accept", "application/problem+json")],
            "",
        )
        .await;
    assert_eq!(reply.header("content-type"), "application/problem+json");
    let problem = reply.expect(404);
    assert_eq!(
        (&problem["status"], &problem["code"]),
        (&json!(404), &json!("NOT_FOUND")),
        "{problem}"
    );

    // Neither the path of an RPC nor its name is a REST route.
    let path = "/millrace.catalog.v1.CatalogService/BatchGetProducts";
    rest.post(path, &json!({})).await.expect(404);
    rest.get("/v1/products:batchGet").await.expect(404);
    // gRPC's own way to say it, for its clients.
    for door in DOORS.into_iter().filter(|door| *door != Door::Rest) {
        let unknown = Call::new("grpc.health.v1.Health/Check", json!({}));
        assert_eq!(unknown.through(door, platform.public).await.code(), 0);
    }
    let reply = rest.send(Method::DELETE, "/v1/products", &[], "").await;
    reply.expect(405);
    let mut allowed: Vec<&str> = reply.header("allow").split(", ").collect();
    allowed.sort_unstable();
    assert!(
        ["GET", "POST"].iter().all(|method| allowed.contains(method)),
        "{allowed:?}"
    );

    // HEAD is GET without the body, OPTIONS lists.
    let get = rest.get("/v1/products").await;
    let head = rest.send(Method::HEAD, "/v1/products", &[], "").await;
    assert_eq!((head.status, head.body.len()), (get.status, 0));
    assert!(
        rest.send(Method::OPTIONS, "/v1/products", &[], "")
            .await
            .status
            .is_success()
    );
}

#[tokio::test]
async fn every_call_is_one_log_line_with_its_request_id() {
    let platform = TestPlatform::dev().await;
    let shopper = Shopper::new(&shop::operator(&platform)).await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let headers = [("x-request-id", "mine-1234"), ("traceparent", trace)];
    let reply = shopper.rest.send(Method::GET, "/v1/users/me", &headers, "").await;
    assert_eq!(reply.header("x-request-id"), "mine-1234");
    let refused = shopper
        .rest
        .send(Method::GET, "/nowhere", &[("x-request-id", "mine-5678")], "")
        .await;
    assert_eq!(refused.header("x-request-id"), "mine-5678");
    // One that could forge a log line is replaced.
    let odd = shopper
        .rest
        .send(Method::GET, "/v1/users/me", &[("x-request-id", "a b\tc")], "")
        .await;
    assert_ne!(odd.header("x-request-id"), "a b\tc");

    let output = platform.output_with(&["mine-1234", "mine-5678"]).await;
    let lines: Vec<&str> = output.lines().filter(|line| line.contains("mine-1234")).collect();
    assert_eq!(lines.len(), 1, "{output}");
    let line: serde_json::Value =
        serde_json::from_str(lines[0]).unwrap_or_else(|error| panic!("{error}: {}", lines[0]));
    let text = line.to_string();
    for part in [
        "millrace.identity.v1.IdentityService/GetUser",
        "\"OK\"",
        "shard",
        "0af7651916cd43dd8448eb211c80319c",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    assert_eq!(output.lines().filter(|line| line.contains("mine-5678")).count(), 1);
    assert!(!output.contains(&shopper.key), "a log shows no key");
    assert!(!output.contains(&shopper.key[10..]), "nor its secret part");
}
