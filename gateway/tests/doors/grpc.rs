//! The gRPC and gRPC-Web doors: what goes through untouched, and what is refused.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Version};
use tonic::{Code, Status};

use crate::support::{Answer, Ending, Scripted, Stage, error, framed, grpc, item, messages, messages_then};

fn call(path: &str) -> http::request::Builder {
    Request::post(path)
        .version(Version::HTTP_2)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
}

fn web_call(content_type: &str) -> http::request::Builder {
    Request::post("/test.v1.Shop/GetItem")
        .header("content-type", content_type)
        .header("x-grpc-web", "1")
}

#[tokio::test]
async fn a_grpc_call_streams_through() {
    let stage = Stage::new(|_| messages(&[item("a", 1), item("b", 2)]));
    let sent = framed(&item("items/7", 0));
    let answer = stage
        .ask(call("/test.v1.Shop/GetItem").header("x-anything", "goes"), sent.clone())
        .await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "application/grpc")
    );
    assert_eq!(answer.body, [framed(&item("a", 1)), framed(&item("b", 2))].concat());
    assert_eq!(answer.trailers["grpc-status"], "0");
    assert_eq!(answer.header("x-request-id"), "new-id");
    let seen = &stage.seen()[0];
    assert_eq!((&seen.body, seen.path.as_str()), (&sent, "/test.v1.Shop/GetItem"));
    assert_eq!(seen.headers["x-anything"], "goes");
    let labels = r#"rpc_method="test.v1.Shop/GetItem",rpc_status_code="OK",door="grpc""#;
    assert!(stage.metrics().contains(labels), "{}", stage.metrics());
}

#[tokio::test]
async fn an_rpc_without_a_route_and_an_unknown_one_are_the_services_business() {
    let stage = Stage::new(|call| match call.path.as_str() {
        "/test.v1.Shop/Hidden" => messages(&[item("h", 1)]),
        _ => error(&Status::new(Code::Unimplemented, "")),
    });
    assert_eq!(
        stage.ask(call("/test.v1.Shop/Hidden"), framed(b"")).await.trailers["grpc-status"],
        "0"
    );
    for path in ["/test.v1.Shop/Nope", "/made.up.Service/Method", "/", "/v1/items/7"] {
        let answer = stage.ask(call(path), framed(b"")).await;
        assert_eq!((answer.status, answer.header("grpc-status")), (200, "12"), "{path}");
    }
    let metrics = stage.metrics();
    assert!(
        metrics.contains(r#"rpc_method="_OTHER",rpc_status_code="UNIMPLEMENTED",door="grpc""#),
        "{metrics}"
    );
    assert!(
        !metrics.contains("Nope") && !metrics.contains("made.up"),
        "a name from outside became a label: {metrics}"
    );
}

#[tokio::test]
async fn grpc_over_http_1_is_refused() {
    let stage = Stage::new(|_| messages(&[item("a", 1)]));
    for version in [Version::HTTP_11, Version::HTTP_10] {
        let answer = stage
            .ask(call("/test.v1.Shop/GetItem").version(version), framed(b""))
            .await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (415, "application/json")
        );
        assert_eq!(answer.json()["code"], 3);
    }
    assert!(stage.seen().is_empty());
}

#[tokio::test]
async fn grpc_is_posted_and_its_messages_are_protobuf() {
    let stage = Stage::new(|_| messages(&[item("a", 1)]));
    let typed = |content_type: &str| {
        Request::post("/test.v1.Shop/GetItem")
            .version(Version::HTTP_2)
            .header("content-type", content_type)
    };
    for content_type in ["application/grpc+proto", "Application/gRPC; charset=utf-8"] {
        let answer = stage.ask(typed(content_type), framed(b"")).await;
        assert_eq!(
            (answer.status, answer.trailers["grpc-status"].to_str().unwrap()),
            (200, "0"),
            "{content_type}"
        );
    }
    let calls = stage.seen().len();
    for content_type in [
        "application/grpc+json",
        "application/grpc+thrift",
        "application/grpc foo",
    ] {
        let answer = stage.ask(typed(content_type), framed(b"")).await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (415, &serde_json::json!(3)),
            "{content_type}"
        );
    }
    for method in ["GET", "PUT", "DELETE"] {
        let answer = stage
            .ask(call("/test.v1.Shop/GetItem").method(method), framed(b""))
            .await;
        assert_eq!((answer.status, answer.header("allow")), (405, "POST"), "{method}");
    }
    assert_eq!(stage.seen().len(), calls);
}

#[tokio::test]
async fn a_panic_is_internal_in_the_shape_of_each_door() {
    let stage = Stage::new(|_| panic!("secret of the service, as this test wants"));
    let answer = stage.ask(call("/test.v1.Shop/GetItem"), framed(b"")).await;
    assert_eq!((answer.status, answer.header("grpc-status")), (200, "13"));
    assert_eq!(answer.header("content-type"), "application/grpc");
    let details = base64::engine::general_purpose::STANDARD_NO_PAD.decode(answer.header("grpc-status-details-bin"));
    assert!(String::from_utf8_lossy(&details.unwrap()).contains("INTERNAL"));
    assert!(!answer.header("grpc-message").contains("secret"));

    for (content_type, body, expected) in [
        ("application/grpc-web", framed(b""), "application/grpc-web+proto"),
        (
            "application/grpc-web-text",
            "AAAAAAA=".into(),
            "application/grpc-web-text+proto",
        ),
    ] {
        let answer = stage.ask(web_call(content_type), body).await;
        assert_eq!((answer.status, answer.header("grpc-status")), (200, "13"));
        assert_eq!(answer.header("content-type"), expected);
    }

    let answer = stage.get("/v1/items/7").await;
    assert_eq!((answer.status, &answer.json()["code"]), (500, &serde_json::json!(13)));
    assert_eq!(answer.json()["details"][0]["reason"], "INTERNAL");
    assert_eq!(answer.header("x-request-id"), "new-id");
    assert!(!answer.text().contains("secret"));
    let metrics = stage.metrics();
    for door in ["grpc", "grpc-web", "rest"] {
        let labels = format!(r#"rpc_method="test.v1.Shop/GetItem",rpc_status_code="INTERNAL",door="{door}""#);
        assert!(metrics.contains(&labels), "{labels}: {metrics}");
    }
}

#[tokio::test]
async fn a_body_that_panics_ends_with_trailers() {
    let stage = Stage::new(|_| grpc(tonic::body::Body::new(Scripted::new(&[item("a", 1)], Ending::Panic))));
    let answer = stage.ask(call("/test.v1.Shop/WatchItems"), framed(b"")).await;
    assert_eq!(answer.body, framed(&item("a", 1)));
    assert_eq!(
        (&answer.trailers["grpc-status"], answer.broken),
        (&"13".parse().unwrap(), false)
    );
}

#[tokio::test]
async fn grpc_web_is_translated_whatever_its_parameters() {
    let stage = Stage::new(|_| messages(&[item("a", 1)]));
    for content_type in [
        "application/grpc-web+proto",
        "application/grpc-web+proto; charset=utf-8",
        "Application/Grpc-Web",
    ] {
        let answer = stage.ask(web_call(content_type), framed(&item("items/7", 0))).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, "application/grpc-web+proto"),
            "{content_type}"
        );
        let message = framed(&item("a", 1));
        assert_eq!(answer.body[..message.len()], message);
        assert_eq!(answer.body[message.len()], 0x80, "then the trailers as a frame");
        assert!(answer.body.ends_with(b"grpc-status:0\r\n"), "{:?}", answer.body);
    }
    let seen = &stage.seen()[0];
    assert_eq!(
        (&seen.headers["content-type"], &seen.body),
        (&"application/grpc".parse().unwrap(), &framed(&item("items/7", 0)),)
    );
    let labels = r#"rpc_method="test.v1.Shop/GetItem",rpc_status_code="OK",door="grpc-web""#;
    assert!(stage.metrics().contains(labels), "{}", stage.metrics());
}

#[tokio::test]
async fn grpc_web_speaks_text_too() {
    let stage = Stage::new(|_| messages(&[item("a", 1)]));
    let sent = STANDARD.encode(framed(&item("items/7", 0)));
    let answer = stage.ask(web_call("application/grpc-web-text"), sent).await;
    assert!(answer.header("content-type").starts_with("application/grpc-web-text"));
    assert_eq!(stage.seen()[0].body, framed(&item("items/7", 0)));
    assert!(
        answer.text().starts_with(&STANDARD.encode(framed(&item("a", 1)))),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn an_error_over_grpc_web_keeps_its_code() {
    for in_headers in [true, false] {
        let stage = Stage::new(move |_| {
            let status = Status::new(Code::NotFound, "none");
            if in_headers {
                error(&status)
            } else {
                messages_then(&[], status)
            }
        });
        let answer: Answer = stage.ask(web_call("application/grpc-web+proto"), framed(b"")).await;
        let said = if in_headers {
            answer.header("grpc-status") == "5"
        } else {
            answer.body.windows(13).any(|part| part == b"grpc-status:5")
        };
        assert!(said, "{answer:?}");
        assert!(
            stage
                .metrics()
                .contains(r#"rpc_status_code="NOT_FOUND",door="grpc-web""#),
            "{}",
            stage.metrics()
        );
    }
}

#[tokio::test]
async fn what_is_no_grpc_web_is_refused_readably() {
    let stage = Stage::new(|_| messages(&[]));
    let json = stage.ask(web_call("application/grpc-web+json"), "{}").await;
    assert_eq!((json.status, &json.json()["code"]), (415, &serde_json::json!(3)));
    let get = Request::get("/test.v1.Shop/GetItem").header("content-type", "application/grpc-web");
    let get = stage.ask(get, Bytes::new()).await;
    assert_eq!((get.status, get.header("allow")), (405, "POST"));
    assert!(stage.seen().is_empty());
}
