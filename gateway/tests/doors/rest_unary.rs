//! REST, unary calls that succeed.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Version};
use millrace_gateway::edge::{Builtin, CallRecord};
use serde_json::json;

use crate::support::{Stage, builder, framed, grpc, item, messages};

#[tokio::test]
async fn a_call_becomes_grpc_and_its_answer_json() {
    let stage = Stage::new(|_| messages(&[item("items/7", 3)]));
    let answer = stage.get("/v1/items/7").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text(), "{\"name\":\"items/7\",\"seq\":\"3\"}");
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("x-request-id"), "new-id");
    let vary: Vec<_> = answer.headers.get_all("vary").iter().collect();
    assert_eq!(vary, ["accept", "origin"]);
    assert!(
        !answer.headers.keys().any(|name| name.as_str().starts_with("grpc-")),
        "{:?}",
        answer.headers
    );

    let [call] = &stage.seen()[..] else { panic!() };
    assert_eq!(
        (call.path.as_str(), call.version),
        ("/test.v1.Shop/GetItem", Version::HTTP_2)
    );
    assert_eq!(call.body, framed(&item("items/7", 0)));
    assert_eq!(call.headers["content-type"], "application/grpc");
    assert_eq!(call.headers["te"], "trailers");
    assert!(!call.headers.contains_key("grpc-timeout"));
    let record = call
        .extensions
        .get::<Arc<CallRecord>>()
        .expect("the record goes inwards");
    assert_eq!(
        (record.rpc_method(), record.request_id()),
        ("test.v1.Shop/GetItem", "new-id")
    );
}

#[tokio::test]
async fn a_unary_body_has_a_length() {
    let stage = Stage::new(|_| messages(&[item("items/7", 0)]));
    let response = stage.send(Request::get("/v1/items/7"), "").await;
    assert_eq!(http_body::Body::size_hint(response.body()).exact(), Some(28));
}

#[tokio::test]
async fn a_create_is_201_with_its_location_and_an_empty_answer_204() {
    let stage = Stage::new(|call| match call.path.as_str() {
        "/test.v1.Shop/CreateItem" => messages(&[item("items/a b", 1)]),
        _ => messages(&[Bytes::new()]),
    });
    let request = Request::post("/v1/items")
        .header("content-type", "application/json")
        .header("idempotency-key", "k-1");
    let answer = stage.ask(request, r#"{"name":"items/a b"}"#).await;
    assert_eq!((answer.status, answer.header("location")), (201, "/v1/items/a%20b"));
    let call = &stage.seen()[0];
    let mut expected = vec![0x0a, 11];
    expected.extend_from_slice(&item("items/a b", 0));
    expected.extend_from_slice(b"\x12\x03k-1");
    assert_eq!(call.body, framed(&expected));
    assert_eq!(call.headers["idempotency-key"], "k-1");

    let answer = stage.ask(Request::delete("/v1/items/7"), "").await;
    assert_eq!(
        (answer.status, answer.text(), answer.header("content-type")),
        (204, "", "")
    );
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    let stage = Stage::new(|_| messages(&[item("items/7", 3)]));
    let answer = stage.ask(Request::head("/v1/items/7"), "").await;
    assert_eq!(
        (answer.status, answer.text(), answer.header("content-length")),
        (200, "", "28")
    );
    assert_eq!(answer.header("content-type"), "application/json");
    let missing = stage.ask(Request::head("/nothing"), "").await;
    assert_eq!((missing.status, missing.text()), (404, ""));
    let stream = stage.ask(Request::head("/v1/items:watch"), "").await;
    assert_eq!(
        (stream.status, stream.text(), stream.header("content-type")),
        (200, "", "application/x-ndjson")
    );
    let labels = r#"rpc_method="test.v1.Shop/WatchItems",rpc_status_code="OK",door="rest""#;
    assert!(stage.metrics().contains(labels), "{}", stage.metrics());
}

#[tokio::test]
async fn options_says_what_is_allowed() {
    let stage = Stage::new(|_| messages(&[]));
    let answer = stage.ask(Request::options("/v1/items/7"), "").await;
    assert_eq!((answer.status, answer.text()), (204, ""));
    assert_eq!(answer.header("allow"), "GET, HEAD, DELETE, OPTIONS");
    assert!(stage.seen().is_empty());
}

#[tokio::test]
async fn headers_go_in_by_a_list_and_metadata_goes_out_but_grpcs_own() {
    let stage = Stage::new(|_| {
        let mut response = messages(&[item("items/7", 3)]);
        response.headers_mut().insert("x-total", "9".parse().unwrap());
        response.headers_mut().insert("trace-bin", "AQI".parse().unwrap());
        response
            .headers_mut()
            .insert("grpc-encoding", "identity".parse().unwrap());
        response
    });
    let request = Request::get("/v1/items/7")
        .header("authorization", "Bearer x")
        .header("x-api-key", "k")
        .header("x-request-id", "mine-1")
        .header("cookie", "secret")
        .header("x-other", "1");
    let answer = stage.ask(request, "").await;
    assert_eq!((answer.header("x-total"), answer.header("trace-bin")), ("9", "AQI="));
    assert!(!answer.headers.contains_key("grpc-encoding"));
    assert_eq!(answer.header("x-request-id"), "mine-1");
    let seen = &stage.seen()[0].headers;
    assert_eq!(
        (&seen["authorization"], &seen["x-api-key"], &seen["x-request-id"]),
        (
            &"Bearer x".parse().unwrap(),
            &"k".parse().unwrap(),
            &"mine-1".parse().unwrap(),
        )
    );
    assert!(!seen.contains_key("cookie") && !seen.contains_key("x-other"));
    assert!(seen["traceparent"].to_str().unwrap().starts_with("00-"));
}

#[tokio::test(start_paused = true)]
async fn the_smallest_deadline_goes_in() {
    let stage = Stage::new(|_| messages(&[item("items/7", 3)]));
    let request = Request::get("/v1/items/7")
        .header("grpc-timeout", "3S")
        .header("request-timeout", "1.5")
        .header("x-server-timeout", "2");
    assert_eq!(stage.ask(request, "").await.status, 200);
    assert_eq!(stage.seen()[0].headers["grpc-timeout"], "1500000u");
}

#[tokio::test]
async fn a_split_answer_is_put_together() {
    let frame = framed(&item("items/7", 3));
    for cut in 0..frame.len() {
        let frame = frame.clone();
        let stage = Stage::new(move |_| {
            let chunks = vec![frame.slice(..cut), frame.slice(cut..)];
            let ok = crate::support::Ending::Status(tonic::Status::ok(""));
            grpc(tonic::body::Body::new(crate::support::Scripted::raw(chunks, ok)))
        });
        assert_eq!(
            stage.get("/v1/items/7").await.json(),
            json!({"name": "items/7", "seq": "3"}),
            "cut at {cut}"
        );
    }
}

struct Health;

impl Builtin for Health {
    fn get(&self, request: &http::request::Parts) -> Option<http::Response<Bytes>> {
        let answers = ["/health", "/v1/items/7"].contains(&request.uri.path());
        answers.then(|| http::Response::new(Bytes::from_static(b"builtin")))
    }
}

#[tokio::test]
async fn a_builtin_path_is_answered_where_no_route_is_bound() {
    let stage = Stage::with(
        |edge| edge.builtin = Arc::new(Health),
        |_| messages(&[item("items/7", 3)]),
    );
    let answer = stage.get("/health").await;
    assert_eq!(
        (answer.status, answer.text(), answer.header("x-request-id")),
        (200, "builtin", "new-id")
    );
    assert_eq!(stage.ask(Request::head("/health"), "").await.text(), "");
    let refused = stage.ask(Request::post("/health"), "").await;
    assert_eq!((refused.status, refused.header("allow")), (405, "GET, HEAD, OPTIONS"));
    let asked = stage.ask(Request::options("/health"), "").await;
    assert_eq!((asked.status, asked.header("allow")), (204, "GET, HEAD, OPTIONS"));
    assert_ne!(
        stage.get("/v1/items/7").await.text(),
        "builtin",
        "a route beats a built-in path"
    );
    assert_eq!(stage.get("/healthy").await.status, 404);
    assert!(
        stage
            .metrics()
            .contains(r#"rpc_method="_OTHER",rpc_status_code="OK",door="builtin""#),
        "{}",
        stage.metrics()
    );
}

#[tokio::test]
async fn an_answer_whose_json_is_too_large_fails_as_internal() {
    let stage = |bytes| {
        let gateway = builder().response_json_bytes_max(bytes).build().unwrap();
        Stage::of(&gateway, |_| {}, |_| messages(&[item("items/7", 3)]))
    };
    let json = "{\"name\":\"items/7\",\"seq\":\"3\"}";
    let answer = stage(json.len()).get("/v1/items/7").await;
    assert_eq!((answer.status, answer.text()), (200, json));
    let answer = stage(json.len() - 1).get("/v1/items/7").await;
    assert_eq!((answer.status, &answer.json()["code"]), (500, &json!(13)));
    assert_eq!(answer.json()["message"], "the answer has more than 27 bytes as JSON");
}
