//! Answers that are not what gRPC allows.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use millrace_gateway::RequestBody;
use millrace_gateway::upstream::Settings;
use tokio::sync::Notify;

use crate::front::{Answer, Front, settings};
use crate::raw::{self, Call, framed, item};

/// The answer to a unary REST call.
async fn answer_to(script: fn(Call)) -> Answer {
    let (address, _) = raw::server(move |call| {
        script(call);
        std::future::ready(())
    })
    .await;
    Front::before(address).await.get("/v1/items/7").await
}

fn page(mut call: Call, status: u16) {
    let head = Response::builder()
        .status(status)
        .header("content-type", "text/html; charset=utf-8");
    let mut body = call.answer.send_response(head.body(()).unwrap(), false).unwrap();
    body.send_data(Bytes::from_static(b"<h1>10.0.0.7 is gone</h1>"), true)
        .unwrap();
}

#[tokio::test]
async fn h24_a_page_of_html_has_the_code_of_its_status_and_the_status_in_the_detail() {
    let answer = answer_to(|call| page(call, 502)).await;
    assert_eq!(answer.refusal(), (503, 14));
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    assert_eq!(
        message,
        "the upstream answered with HTTP status 502 and content type text/html, not with gRPC"
    );
    assert!(!answer.text().contains("10.0.0.7"));
    assert_eq!(answer_to(|call| page(call, 401)).await.refusal(), (401, 16));
    assert_eq!(answer_to(|call| page(call, 404)).await.refusal(), (501, 12));
    assert_eq!(answer_to(|call| page(call, 429)).await.refusal(), (503, 14));
    assert_eq!(answer_to(|call| page(call, 200)).await.refusal(), (503, 14));
}

#[tokio::test]
async fn a_grpc_caller_gets_a_status_for_a_page_too() {
    let (address, _) = raw::server(|call| async move { page(call, 502) }).await;
    let front = Front::before(address).await;
    let request = front.grpc("GetItem", RequestBody::new(Full::new(item())));
    let answer = Answer::of(front.http2().await.send_request(request).await.unwrap()).await;
    assert_eq!((answer.status, answer.grpc_status()), (200, "14"));
}

#[tokio::test]
async fn an_answer_without_a_status_is_no_success() {
    // H23.
    let answer = answer_to(|mut call| {
        let mut body = call.answer.send_response(raw::head(), false).unwrap();
        body.send_data(item(), true).unwrap();
    })
    .await;
    assert_eq!(answer.refusal(), (502, 14));
    // Trailers without a status are none either.
    let answer = answer_to(|mut call| {
        let mut body = call.answer.send_response(raw::head(), false).unwrap();
        body.send_data(item(), false).unwrap();
        body.send_trailers(http::HeaderMap::new()).unwrap();
    })
    .await;
    assert_eq!(answer.refusal(), (502, 14));
}

#[tokio::test]
async fn frames_that_are_none_are_500() {
    // G27.
    let table: [fn(Call); 7] = [
        // Truncated in its header, and in its message.
        |call| raw::bytes_then_ok(call, &[0_u8, 0, 0][..]),
        |call| raw::bytes_then_ok(call, item().slice(..8)),
        // A flag that is none, and a compression that was not asked for.
        |call| raw::bytes_then_ok(call, &[7_u8, 0, 0, 0, 0][..]),
        |call| raw::bytes_then_ok(call, &[1_u8, 0, 0, 0, 1, 0][..]),
        // No message, two messages, a message that is none.
        |call| raw::bytes_then_ok(call, Bytes::new()),
        |call| raw::bytes_then_ok(call, [item(), item()].concat()),
        |call| raw::bytes_then_ok(call, framed(&[0x0a, 0x7f, 1])),
    ];
    for (number, script) in table.into_iter().enumerate() {
        assert_eq!(answer_to(script).await.refusal(), (500, 13), "answer {number}");
    }
}

#[tokio::test]
async fn a_message_above_the_bound_ends_its_call() {
    let (address, _) = raw::server(|call| async move {
        raw::bytes_then_ok(call, [framed(&[0; 900]), framed(&[0; 1_001])].concat());
    })
    .await;
    let front = Front::start(Settings {
        message_bytes_max: 1_000,
        ..settings(address)
    });
    front.connected().await;
    let request = front.grpc("WatchItems", RequestBody::new(Full::new(framed(&[]))));
    let answer = Answer::of(front.http2().await.send_request(request).await.unwrap()).await;
    assert_eq!((answer.grpc_status(), answer.broken), ("13", false));
    assert!(!front.get("/v1/items/7").await.text().is_empty());
}

#[tokio::test]
async fn headers_above_the_bound_end_their_call_alone() {
    let (address, _) = raw::server(|mut call| async move {
        if call.number == 0 {
            let head = Response::builder()
                .header("content-type", "application/grpc")
                .header("x-large", "x".repeat(20_000));
            // The peer's bound is known here, and the head may be refused before it is sent.
            let _ = call
                .answer
                .send_response(head.body(()).unwrap(), false)
                .map(|mut body| {
                    let _ = body.send_trailers(raw::trailers(0));
                });
        } else {
            raw::bytes_then_ok(call, item());
        }
    })
    .await;
    let front = Front::start(Settings {
        header_bytes_max: 10_000,
        ..settings(address)
    });
    front.connected().await;
    assert_eq!(front.get("/v1/items/7").await.refusal(), (500, 13));
    assert_eq!(front.get("/v1/items/7").await.status, 200);
}

#[tokio::test]
async fn headers_far_above_the_bound_end_no_other_call() {
    let go = Arc::new(Notify::new());
    let waits = go.clone();
    let (address, _) = raw::server(move |mut call| {
        let go = waits.clone();
        async move {
            let large = |bytes| HeaderValue::try_from("x".repeat(bytes)).unwrap();
            if call.request.uri().path().ends_with("/WatchItems") {
                let mut body = call.answer.send_response(raw::head(), false).unwrap();
                body.send_data(item(), false).unwrap();
                go.notified().await;
                body.send_data(item(), false).unwrap();
                let _ = body.send_trailers(raw::trailers(0));
                return;
            }
            let (mut head, mut trailers) = (raw::head(), raw::trailers(0));
            match call.number {
                1 => drop(head.headers_mut().insert("x-large", large(100_000))),
                2 => drop(trailers.insert("x-large", large(100_000))),
                _ => drop(head.headers_mut().insert("x-large", large(3_000_000))),
            }
            let mut body = call.answer.send_response(head, false).unwrap();
            let _ = body.send_data(item(), false);
            let _ = body.send_trailers(trailers);
        }
    })
    .await;
    let front = Front::start(Settings {
        connections: 1,
        header_bytes_max: 10_000,
        ..settings(address)
    });
    front.connected().await;
    let mut stream = front.open(Request::get("/v1/items:watch"), "").await;
    assert!(stream.body_mut().frame().await.unwrap().is_ok());
    for part in ["headers", "trailers"] {
        let answer = front.get("/v1/items/7").await;
        assert_eq!(answer.refusal(), (500, 13), "{part}");
        assert!(!answer.headers.contains_key("retry-after"), "{part}");
        assert!(answer.text().contains("the limit is 10000"), "{}", answer.text());
    }
    // The stream goes on, on the same connection.
    go.notify_one();
    let rest = Answer::of(stream).await;
    assert_eq!(rest.text(), "{\"name\":\"items/7\",\"seq\":\"0\"}\n");
    assert!(!rest.broken);
    // What is not even read to its end is no outage either.
    let answer = front.get("/v1/items/7").await;
    assert_eq!(answer.refusal(), (500, 13));
    assert!(!answer.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn a_binary_header_that_is_no_base64_never_reaches_a_server() {
    let (address, _) = raw::server(|call| async move {
        assert_eq!(call.request.headers()["x-b-bin"], "AQI");
        raw::bytes_then_ok(call, item())
    })
    .await;
    let front = Front::before(address).await;
    let mut client = front.http2().await;
    for (value, status) in [("1", "3"), ("AQI", "0"), ("AQI,?", "3"), ("AQI", "0")] {
        for content_type in ["application/grpc", "application/grpc-web+proto"] {
            let mut request = front.grpc("GetItem", RequestBody::new(Full::new(item())));
            let headers = request.headers_mut();
            headers.insert("content-type", content_type.parse().unwrap());
            headers.insert("x-b-bin", value.parse().unwrap());
            let answer = Answer::of(client.send_request(request).await.unwrap()).await;
            // gRPC-Web has the trailers of what began in the body.
            let found = match answer.body.windows(13).any(|part| part == b"grpc-status:0") {
                true => "0",
                false => answer.grpc_status(),
            };
            assert_eq!(found, status, "{content_type} {value}");
        }
    }
}

#[tokio::test]
async fn a_malformed_timeout_is_the_callers_mistake() {
    let (address, _) = raw::server(|call| async move { raw::bytes_then_ok(call, item()) }).await;
    let front = Front::before(address).await;
    let mut request = front.grpc("GetItem", RequestBody::new(Full::new(item())));
    request.headers_mut().insert("grpc-timeout", "soon".parse().unwrap());
    let answer = Answer::of(front.http2().await.send_request(request).await.unwrap()).await;
    assert_eq!(answer.grpc_status(), "3");
    let rest = front
        .ask(Request::get("/v1/items/7").header("grpc-timeout", "soon"), "")
        .await;
    assert_eq!(rest.refusal(), (400, 3));
}
