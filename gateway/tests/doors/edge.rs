//! The edge layers: host names, CORS, header hygiene, request ids.

use std::sync::Arc;

use http::{Request, Version};
use millrace_gateway::edge::{Builtin, CorsPolicy, HostPolicy};

use crate::support::{Stage, framed, item, messages};

fn ok(_: &crate::support::Seen) -> http::Response<tonic::body::Body> {
    messages(&[item("items/7", 3)])
}

#[tokio::test]
async fn a_foreign_host_is_misdirected_on_every_door() {
    let stage = Stage::with(|edge| edge.hosts = HostPolicy::Loopback, ok);
    let rest = stage
        .ask(Request::get("/v1/items/7").header("host", "evil.example"), "")
        .await;
    assert_eq!((rest.status, &rest.json()["code"]), (421, &serde_json::json!(3)));
    assert_eq!(rest.json()["details"][0]["reason"], "HOST_NOT_ALLOWED");
    assert_eq!(rest.header("x-request-id"), "new-id");
    let grpc = Request::post("http://evil.example/test.v1.Shop/GetItem").version(Version::HTTP_2);
    let grpc = stage
        .ask(grpc.header("content-type", "application/grpc"), framed(b""))
        .await;
    assert_eq!((grpc.status, grpc.header("grpc-status")), (200, "3"));
    let preflight = Request::options("/v1/items/7")
        .header("host", "evil.example")
        .header("origin", "http://localhost:1");
    let preflight = stage
        .ask(preflight.header("access-control-request-method", "GET"), "")
        .await;
    assert_eq!(
        (preflight.status, preflight.header("access-control-allow-origin")),
        (421, "")
    );
    assert!(stage.seen().is_empty());
    let own = stage
        .ask(Request::get("/v1/items/7").header("host", "localhost:8080"), "")
        .await;
    assert_eq!(own.status, 200);
}

fn preflight(path: &str, origin: &str, method: &str) -> http::request::Builder {
    Request::options(path)
        .header("origin", origin)
        .header("access-control-request-method", method)
}

#[tokio::test]
async fn a_preflight_is_answered_with_the_methods_of_its_path() {
    let stage = Stage::with(|edge| edge.builtin = Arc::new(Health), ok);
    let origin = "http://localhost:3000";
    // The method asked for does not matter: a browser compares by itself.
    let table = [
        ("/v1/items/7", "DELETE", "GET, HEAD, DELETE"),
        ("/v1/items/7", "PATCH", "GET, HEAD, DELETE"),
        ("/v1/items", "POST", "POST"),
        ("/v1/items:watch?after=1", "GET", "GET, HEAD"),
        ("/test.v1.Shop/GetItem", "POST", "POST"),
        ("/health", "GET", "GET, HEAD"),
    ];
    for (path, method, methods) in table {
        let asked =
            preflight(path, origin, method).header("access-control-request-headers", "x-grpc-web,authorization");
        let answer = stage.ask(asked, "").await;
        assert_eq!((answer.status, answer.text()), (204, ""), "{path}");
        assert_eq!(answer.header("access-control-allow-methods"), methods, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), origin);
        assert_eq!(
            answer.header("access-control-allow-headers"),
            "x-grpc-web,authorization"
        );
        assert_eq!(answer.header("access-control-max-age"), "600");
        assert!(answer.header("vary").contains("origin"), "{:?}", answer.headers);
        assert!(!answer.headers.contains_key("access-control-allow-credentials"));
    }
    assert!(
        stage.metrics().contains(r#"rpc_status_code="OK",door="edge""#),
        "{}",
        stage.metrics()
    );
    for path in ["/nothing", "/v1/items/%zz", "/test.v1.Shop/Nothing"] {
        let answer = stage.ask(preflight(path, origin, "GET"), "").await;
        assert_eq!(
            (answer.status, answer.header("access-control-allow-origin")),
            (404, origin),
            "{path}"
        );
        assert_eq!(answer.json()["details"][0]["reason"], "NOT_FOUND");
    }
    assert!(stage.seen().is_empty());
}

#[tokio::test]
async fn a_preflight_of_a_foreign_page_is_refused() {
    let stage = Stage::new(ok);
    let answer = stage
        .ask(preflight("/v1/items/7", "http://evil.example", "GET"), "")
        .await;
    assert_eq!((answer.status, &answer.json()["code"]), (403, &serde_json::json!(7)));
    assert_eq!(answer.json()["details"][0]["reason"], "ORIGIN_NOT_ALLOWED");
    assert!(
        !answer
            .headers
            .keys()
            .any(|name| name.as_str().starts_with("access-control")),
        "{:?}",
        answer.headers
    );
}

#[tokio::test]
async fn an_options_that_is_no_preflight_is_a_request_like_any_other() {
    let stage = Stage::new(ok);
    let origin = ("origin", "http://localhost:3000");
    let method = ("access-control-request-method", "GET");
    for headers in [&[][..], &[origin], &[method]] {
        let request = |path: &str| {
            headers.iter().fold(Request::options(path), |request, (name, value)| {
                request.header(*name, *value)
            })
        };
        let answer = stage.ask(request("/v1/items/7"), "").await;
        assert_eq!(
            (answer.status, answer.header("allow")),
            (204, "GET, HEAD, DELETE, OPTIONS"),
            "{headers:?}"
        );
        assert_eq!(answer.header("access-control-allow-methods"), "");
        assert_eq!(stage.ask(request("/nothing"), "").await.status, 404);
    }
    let off = Stage::with(|edge| edge.cors = CorsPolicy::Off, ok);
    let answer = off.ask(preflight("/v1/items/7", origin.1, "GET"), "").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, ""));
}

/// One built-in path.
struct Health;

impl Builtin for Health {
    fn get(&self, request: &http::request::Parts) -> Option<http::Response<bytes::Bytes>> {
        (request.uri.path() == "/health").then(|| http::Response::new(bytes::Bytes::from_static(b"well")))
    }
}

#[tokio::test]
async fn a_page_may_read_what_it_needs() {
    let stage = Stage::new(ok);
    let web = Request::post("/test.v1.Shop/GetItem").header("content-type", "application/grpc-web+proto");
    for request in [Request::get("/v1/items/7"), Request::get("/nothing"), web] {
        let answer = stage
            .ask(request.header("origin", "http://localhost:3000"), framed(b""))
            .await;
        assert_eq!(answer.header("access-control-allow-origin"), "http://localhost:3000");
        let exposed = answer.header("access-control-expose-headers");
        for name in [
            "grpc-status",
            "grpc-message",
            "grpc-status-details-bin",
            "x-request-id",
            "location",
            "retry-after",
        ] {
            assert!(exposed.split(',').any(|exposed| exposed == name), "{name} in {exposed}");
        }
    }
    let foreign = stage
        .ask(Request::get("/v1/items/7").header("origin", "http://evil.example"), "")
        .await;
    assert_eq!(
        (foreign.status, foreign.header("access-control-allow-origin")),
        (200, "")
    );

    let closed = Stage::with(|edge| edge.cors = CorsPolicy::Off, ok);
    let answer = closed
        .ask(
            Request::get("/v1/items/7").header("origin", "http://localhost:3000"),
            "",
        )
        .await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, ""));
}

#[tokio::test]
async fn no_door_lets_a_hop_header_in() {
    let stage = Stage::new(ok);
    let rest = Request::get("/v1/items/7");
    let grpc = Request::post("/test.v1.Shop/GetItem")
        .version(Version::HTTP_2)
        .header("content-type", "application/grpc");
    let web = Request::post("/test.v1.Shop/GetItem").header("content-type", "application/grpc-web");
    for (request, body) in [(rest, bytes::Bytes::new()), (grpc, framed(b"")), (web, framed(b""))] {
        let request = request
            .header("x-millrace-user", "1")
            .header("x-millrace-consistency", "token")
            .header("x-forwarded-for", "10.0.0.1")
            .header("x-real-ip", "10.0.0.1")
            .header("x-envoy-internal", "true")
            .header("cf-connecting-ip", "10.0.0.1")
            .header("fastly-client-ip", "10.0.0.1")
            .header("x-cluster-client-ip", "10.0.0.1")
            .header("x-original-url", "/admin")
            .header("x-auth-request-user", "root")
            .header("x_forwarded_for", "10.0.0.1")
            .header("x_millrace_caller", "root")
            .header("grpc-previous-rpc-attempts", "3");
        stage.ask(request, body).await;
    }
    let seen = stage.seen();
    assert_eq!(seen.len(), 3);
    for call in seen {
        assert!(
            call.headers.contains_key("x-millrace-consistency"),
            "{:?}",
            call.headers
        );
        for name in [
            "x-millrace-user",
            "x-forwarded-for",
            "x-real-ip",
            "x-envoy-internal",
            "cf-connecting-ip",
            "fastly-client-ip",
            "x-cluster-client-ip",
            "x-original-url",
            "x-auth-request-user",
            "x_forwarded_for",
            "x_millrace_caller",
            "grpc-previous-rpc-attempts",
        ] {
            assert!(!call.headers.contains_key(name), "{name}");
        }
    }
}

#[tokio::test]
async fn an_id_is_taken_over_if_it_is_sane_and_the_trace_goes_on() {
    let stage = Stage::new(ok);
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = Request::get("/v1/items/7")
        .header("x-request-id", "a\"b")
        .header("traceparent", trace);
    assert_eq!(stage.ask(request, "").await.header("x-request-id"), "new-id");
    let seen = &stage.seen()[0].headers;
    assert_eq!(
        (&seen["x-request-id"], &seen["traceparent"]),
        (&"new-id".parse().unwrap(), &trace.parse().unwrap())
    );
}
