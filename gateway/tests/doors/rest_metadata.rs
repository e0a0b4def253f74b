//! REST, what stands beside the messages: trailers, values that gRPC cannot say, the way by which a call came, and what
//! an upstream says in places where it should not.

use bytes::Bytes;
use http::{HeaderValue, Request};
use millrace_gateway::HeaderNames;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

use crate::sockets::listening;
use crate::support::{Stage, builder, error, item, messages, messages_then};
use crate::wire::exchange;

/// A status with metadata, some of it none of the caller's business.
fn with_metadata(code: Code) -> Status {
    let mut metadata = MetadataMap::new();
    metadata.insert("x-total", "3".parse().unwrap());
    metadata.insert_bin("x-key-bin", tonic::metadata::MetadataValue::from_bytes(&[1, 2]));
    metadata.insert("keep-alive", "1".parse().unwrap());
    Status::with_metadata(code, "the end", metadata)
}

fn stage(messages: usize, code: Code) -> Stage {
    let all = [item("a", 4), item("b", 5)];
    Stage::new(move |_| messages_then(&all[..messages], with_metadata(code)))
}

#[tokio::test]
async fn h42_trailers_go_to_those_who_read_them() {
    let unary = stage(1, Code::Ok);
    let request = || Request::get("/v1/items/7");
    let without = unary.ask(request(), "").await;
    assert!(without.trailers.is_empty());
    assert_eq!(
        (without.header("x-total"), without.header("x-key-bin")),
        ("3", "AQI="),
        "a unary answer loses nothing"
    );
    let with = unary.ask(request().header("te", "trailers"), "").await;
    assert!(
        with.trailers["x-total"] == "3" && with.trailers["x-key-bin"] == "AQI=",
        "{with:?}"
    );
    assert_eq!((with.trailers.len(), with.header("x-total")), (2, ""));
    assert_eq!(with.text(), without.text());

    for (accept, code, broken) in [
        ("application/x-ndjson", Code::Ok, false),
        ("application/json", Code::Ok, false),
        ("text/event-stream", Code::Ok, false),
        ("application/x-ndjson", Code::DataLoss, false),
        ("application/json", Code::DataLoss, true),
    ] {
        let stage = stage(2, code);
        let request = || Request::get("/v1/items:watch").header("accept", accept);
        let without = stage.ask(request(), "").await;
        assert!(
            without.trailers.is_empty() && without.header("x-total").is_empty(),
            "{accept}"
        );
        let with = stage.ask(request().header("te", "gzip, trailers"), "").await;
        assert_eq!(
            (with.trailers.len(), with.broken),
            (if broken { 0 } else { 2 }, broken),
            "{accept}"
        );
        assert_eq!(with.text(), without.text());
    }
}

#[tokio::test]
async fn h42_trailers_over_http_1_are_announced() {
    let get = |path: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nhost: h\r\nte: trailers\r\nconnection: close, te\r\naccept: application/json\r\n\r\n"
        )
    };
    let service = stage(1, Code::Ok).service;
    for path in ["/v1/items/7", "/v1/items:watch"] {
        let answer = exchange(service.clone(), &get(path)).await;
        assert!(
            answer.contains("\r\ntrailer: x-total, x-key-bin\r\n"),
            "{path}: {answer}"
        );
        assert!(
            answer.contains("\r\n0\r\nx-total: 3\r\nx-key-bin: AQI=\r\n\r\n"),
            "{path}: {answer}"
        );
    }
    // A stream whose end is not there with its first message.
    for (names, trailer) in [
        (HeaderNames::Plain, "x-total"),
        (HeaderNames::GrpcGateway, "grpc-trailer-x-total"),
    ] {
        let builder = builder().header_names(names);
        let gateway = builder.response_trailers([http::HeaderName::from_static("x-total")]);
        let gateway = gateway.build().unwrap();
        let many: Vec<Bytes> = (0..2_000).map(|_| item("a name of some length", 4)).collect();
        let later = Stage::of(&gateway, |_| {}, move |_| messages_then(&many, with_metadata(Code::Ok)));
        let answer = exchange(later.service.clone(), &get("/v1/items:watch")).await;
        assert!(
            answer.contains(&format!("\r\ntrailer: {trailer}\r\n")),
            "{}",
            &answer[..400]
        );
        assert!(
            answer.ends_with(&format!("\r\n0\r\n{trailer}: 3\r\n\r\n")),
            "{}",
            &answer[answer.len() - 100..]
        );
    }
}

#[tokio::test]
async fn h36_a_value_that_grpc_cannot_say_is_dropped_or_refused() {
    let refusing = builder().header_text_refused(true).build().unwrap();
    for (gateway, expected) in [(builder().build().unwrap(), 200), (refusing, 400)] {
        let stage = Stage::of(&gateway, |_| {}, |_| messages(&[item("items/7", 0)]));
        let odd = HeaderValue::from_bytes(b"d\xe4").unwrap();
        let request = || Request::get("/v1/items/7").header("x-api-key", "k");
        let answer = stage.ask(request().header("accept-language", odd.clone()), "").await;
        assert_eq!(answer.status, expected, "{answer:?}");
        if expected == 400 {
            assert!(
                answer.text().contains("`accept-language` is not visible ASCII"),
                "{answer:?}"
            );
            // What does not go in is nobody's concern.
            assert_eq!(stage.ask(request().header("x-other", odd), "").await.status, 200);
        } else {
            let seen = &stage.seen()[0].headers;
            assert!(seen["x-api-key"] == "k" && !seen.contains_key("accept-language"));
        }
    }
}

#[tokio::test]
async fn h37_the_way_of_a_call_is_written_by_the_gateway() {
    use millrace_gateway::edge::Forwarding;
    let rewritten = |trusted: &[&str]| Forwarding::Rewritten {
        trusted: trusted.iter().map(|network| network.parse().unwrap()).collect(),
    };
    for (forwarding, expected, host) in [
        (Forwarding::Removed, &[][..], None),
        (rewritten(&["10.0.0.0/8"]), &["127.0.0.1"][..], None),
        (
            rewritten(&["10.0.0.0/8", "127.0.0.1"]),
            &["a, 127.0.0.1"][..],
            Some("shop.example"),
        ),
    ] {
        let gateway = builder().forwarding(forwarding).build().unwrap();
        let stage = Stage::of(&gateway, |_| {}, |_| messages(&[item("items/7", 0)]));
        let address = listening(stage.service.clone()).await;
        let mut socket = TcpStream::connect(address).await.unwrap();
        let request = b"GET /v1/items/7 HTTP/1.1\r\nhost: h\r\nconnection: close\r\nx-forwarded-for: a\r\n\
                        x-forwarded-host: shop.example\r\nx-real-ip: b\r\n\r\n";
        socket.write_all(request).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let headers = &stage.seen()[0].headers;
        let found: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
        assert_eq!(found, expected);
        let found = headers.get("x-forwarded-host").map(|host| host.to_str().unwrap());
        assert_eq!(found, host);
        assert!(
            !headers.contains_key("x-real-ip"),
            "not on the list of what goes in over REST"
        );
    }
}

#[tokio::test]
async fn h18_to_h24_nothing_of_an_upstreams_message_reaches_a_header() {
    let message = "no\r\nset-cookie: a=b\r\n\r\n<é>\u{1f4a5}";
    let stage = Stage::new(move |_| {
        let mut response = error(&Status::new(Code::Unauthenticated, message));
        let odd = HeaderValue::from_bytes(b"caf\xe9").unwrap();
        response.headers_mut().insert("x-odd", odd);
        response
    });
    let answer = stage.get("/v1/items/7").await;
    assert_eq!(
        (answer.status, answer.json()["message"].as_str().unwrap()),
        (401, message)
    );
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    assert!(!answer.headers.contains_key("set-cookie") && !answer.headers.contains_key("x-odd"));
    for value in answer.headers.values() {
        assert!(value.to_str().is_ok_and(|text| !text.contains("cookie")), "{value:?}");
    }

    let page = Stage::new(|_| {
        let body = tonic::body::Body::new(http_body_util::Full::new(Bytes::from_static(b"<h1>Bad Gateway</h1>")));
        let page = http::Response::builder()
            .status(502)
            .header("content-type", "text/html");
        page.body(body).unwrap()
    });
    let answer = page.get("/v1/items/7").await;
    assert_eq!((answer.status, &answer.json()["code"]), (503, &json!(14)));
    assert_eq!(answer.json()["details"][0]["metadata"], json!({"http_status": "502"}));
    assert!(!answer.text().contains("h1"), "{}", answer.text());
}
