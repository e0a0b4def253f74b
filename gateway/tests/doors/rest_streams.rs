//! REST, server streams: three forms, their ends and their failures.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use millrace_gateway::{GrpcService, RequestBody};
use prometheus_client::registry::Registry;
use serde_json::json;
use tonic::{Code, Status};
use tower::ServiceExt;

use crate::support::{
    Answer, Ending, Scripted, Stage, builder, details, edge, error, gateway, grpc, item, messages, messages_then,
};

const NDJSON: &str = "application/x-ndjson";
const SSE: &str = "text/event-stream";
const ARRAY: &str = "application/json";

fn watch(accept: &str) -> http::request::Builder {
    Request::get("/v1/items:watch").header("accept", accept)
}

fn two() -> [Bytes; 2] {
    [item("a", 4), item("b", 5)]
}

#[tokio::test]
async fn each_form_writes_the_messages_and_the_end() {
    let stage = Stage::new(|_| messages(&two()));
    let table = [
        (
            NDJSON,
            "{\"name\":\"a\",\"seq\":\"4\"}\n{\"name\":\"b\",\"seq\":\"5\"}\n",
        ),
        (ARRAY, "[{\"name\":\"a\",\"seq\":\"4\"},{\"name\":\"b\",\"seq\":\"5\"}]"),
        (
            SSE,
            "retry: 3000\n\nid: 4\ndata: {\"name\":\"a\",\"seq\":\"4\"}\n\nid: 5\ndata: {\"name\":\"b\",\"seq\":\"5\"}\n\n\
             event: end\nid: 5;end\ndata: {}\n\n",
        ),
    ];
    for (accept, expected) in table {
        let answer = stage.ask(watch(accept), "").await;
        assert_eq!(
            (answer.status, answer.header("content-type"), answer.text()),
            (200, accept, expected)
        );
        assert_eq!(answer.header("cache-control"), "no-cache");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(answer.headers.get_all("vary").iter().any(|value| value == "accept"));
    }
    assert_eq!(
        stage.get("/v1/items:watch").await.header("content-type"),
        NDJSON,
        "unless the caller says otherwise"
    );
}

#[tokio::test]
async fn an_empty_stream_is_a_success_of_its_form() {
    for answer_at_once in [true, false] {
        let stage = Stage::new(move |_| {
            if answer_at_once {
                error(&Status::ok(""))
            } else {
                messages(&[])
            }
        });
        let table = [
            (NDJSON, ""),
            (ARRAY, "[]"),
            (SSE, "retry: 3000\n\nevent: end\nid: ;end\ndata: {}\n\n"),
        ];
        for (accept, expected) in table {
            let answer = stage.ask(watch(accept), "").await;
            assert_eq!(
                (answer.status, answer.text(), answer.broken),
                (200, expected, false),
                "{accept}"
            );
        }
    }
}

#[tokio::test]
async fn a_failure_before_the_first_message_is_a_real_status() {
    for in_headers in [true, false] {
        let stage = Stage::new(move |_| {
            let status = Status::new(Code::PermissionDenied, "no");
            if in_headers {
                error(&status)
            } else {
                messages_then(&[], status)
            }
        });
        for accept in [NDJSON, SSE, ARRAY] {
            let answer = stage.ask(watch(accept), "").await;
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (403, "application/json"),
                "{accept}"
            );
            assert_eq!(answer.json(), json!({"code": 7, "message": "no", "details": []}));
        }
    }
    let stage = Stage::new(|_| messages(&[Bytes::from_static(&[0xff])]));
    assert_eq!(
        stage.ask(watch(SSE), "").await.status,
        500,
        "a first message that is none"
    );
}

#[tokio::test]
async fn a_failure_after_the_first_message_never_looks_complete() {
    let stage = Stage::new(|_| messages_then(&two()[..1], Status::new(Code::DataLoss, "lost \n it")));
    let status = r#"{"code":15,"message":"lost \n it","details":[]}"#;
    let table = [
        (
            NDJSON,
            format!("{{\"name\":\"a\",\"seq\":\"4\"}}\n{{\"error\":{status}}}\n"),
            false,
        ),
        (ARRAY, "[{\"name\":\"a\",\"seq\":\"4\"}".to_owned(), true),
        (
            SSE,
            format!("retry: 3000\n\nid: 4\ndata: {{\"name\":\"a\",\"seq\":\"4\"}}\n\nevent: error\ndata: {status}\n\n"),
            false,
        ),
    ];
    for (accept, expected, broken) in table {
        let answer = stage.ask(watch(accept), "").await;
        assert_eq!(
            (answer.status, answer.text(), answer.broken),
            (200, &*expected, broken),
            "{accept}"
        );
    }
    let labels = r#"rpc_method="test.v1.Shop/WatchItems",rpc_status_code="DATA_LOSS",door="rest""#;
    assert!(
        stage
            .metrics()
            .contains(&format!("rpc_server_call_duration_seconds_count{{{labels}}} 3"))
    );
}

#[tokio::test]
async fn a_second_message_that_is_none_ends_the_stream() {
    let stage = Stage::new(|_| messages(&[item("a", 4), Bytes::from_static(&[0xff])]));
    let answer = stage.ask(watch(NDJSON), "").await;
    let lines: Vec<_> = answer.text().lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[1].starts_with(r#"{"error":{"code":13,"#), "{lines:?}");
    let answer = stage.ask(watch(ARRAY), "").await;
    assert_eq!(
        (answer.text(), answer.broken),
        ("[{\"name\":\"a\",\"seq\":\"4\"}", true)
    );
}

#[tokio::test]
async fn a_stream_is_resumed_by_its_field_and_a_finished_one_is_not_run_again() {
    let stage = Stage::new(|_| messages(&two()));
    let resumed = stage.ask(watch(SSE).header("last-event-id", "4"), "").await;
    assert_eq!(resumed.status, 200);
    assert_eq!(&stage.seen()[0].body[..], [0, 0, 0, 0, 2, 0x08, 4], "after = 4");

    let tail = || Request::get("/v1/items:tail").header("accept", SSE);
    let finished = [
        watch(SSE).header("last-event-id", "5;end"),
        watch(SSE).header("last-event-id", ";end"),
        tail().header("last-event-id", ";end"),
        tail().header("last-event-id", "5"),
    ];
    for request in finished {
        let answer = stage.ask(request, "").await;
        assert_eq!((answer.status, answer.text()), (204, ""));
        assert_eq!(answer.header("vary"), "accept, last-event-id");
    }
    assert_eq!(stage.seen().len(), 1, "no 204 called the service");

    let ndjson = stage.ask(watch(NDJSON).header("last-event-id", "5;end"), "").await;
    assert_eq!(ndjson.status, 200, "only an EventSource reconnects by itself");
    let fresh = stage.ask(tail(), "").await;
    assert!(
        fresh.text().ends_with("event: end\nid: ;end\ndata: {}\n\n"),
        "{}",
        fresh.text()
    );
}

/// The server ends a stream that could go on, because it shuts down or the stream is old.
fn cut() -> Status {
    let info = b"\x0a\x0aSTREAM_CUT\x12\x08millrace";
    Status::with_details(
        Code::Unavailable,
        "call again",
        details(14, "google.rpc.ErrorInfo", info),
    )
}

#[tokio::test]
async fn a_cut_is_an_error_after_which_an_event_source_comes_again() {
    let stage = Stage::new(|_| messages_then(&two()[..1], cut()));
    let answer = stage.ask(watch(SSE), "").await;
    let begun = "retry: 3000\n\nid: 4\ndata: {\"name\":\"a\",\"seq\":\"4\"}\n\n";
    assert_eq!((answer.status, answer.broken), (200, false));
    // Without an id of its own, so that the last message's stays the one that is sent back.
    let told = answer.text().strip_prefix(begun).unwrap();
    assert!(told.starts_with("event: error\ndata: {\"code\":14,"), "{told}");
    assert!(told.contains("STREAM_CUT") && told.ends_with("}\n\n"), "{told}");
    assert!(!told.contains("id:") && !told.contains(";end"), "{told}");
    let lines = stage.ask(watch(NDJSON), "").await;
    assert!(
        lines.text().lines().last().unwrap().contains("STREAM_CUT"),
        "{}",
        lines.text()
    );
    assert!(stage.ask(watch(ARRAY), "").await.broken);
    assert!(stage.metrics().contains(r#"rpc_status_code="UNAVAILABLE",door="rest""#));

    // Before the first message, and before the head of the answer: an `EventSource` never comes again after a status that
    // is no success.
    for in_headers in [true, false] {
        let stage = Stage::new(move |_| {
            if in_headers {
                error(&cut())
            } else {
                messages_then(&[], cut())
            }
        });
        let answer = stage.ask(watch(SSE), "").await;
        let text = answer.text();
        assert_eq!(answer.status, 200, "{text}");
        let told = "retry: 3000\n\nevent: error\ndata: {\"code\":14,";
        assert!(text.starts_with(told), "{text}");
        assert_eq!(stage.ask(watch(NDJSON), "").await.status, 503);
    }
}

#[tokio::test]
async fn a_malformed_place_in_the_stream_is_refused_by_its_header() {
    let stage = Stage::new(|_| messages(&two()));
    let table: [&[&str]; 5] = [&["x"], &["-"], &["99999999999999999999"], &["1.5"], &["4", "5"]];
    for ids in table {
        for method in ["GET", "HEAD"] {
            let request = ids.iter().fold(watch(SSE).method(method), |request, id| {
                request.header("last-event-id", *id)
            });
            let answer = stage.ask(request, "").await;
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (400, ARRAY),
                "{method} {ids:?}"
            );
            let said = answer.text().to_ascii_lowercase();
            assert!(method == "HEAD" || said.contains("last-event-id"), "{said}");
        }
    }
    assert!(stage.seen().is_empty());
    let same_twice = watch(SSE).header("last-event-id", "4").header("last-event-id", "4");
    assert_eq!(stage.ask(same_twice, "").await.status, 200);
}

#[tokio::test]
async fn messages_that_are_there_go_into_one_chunk_of_bounded_size() {
    let many: Vec<Bytes> = (0..2_000).map(|_| item("a name of some length", 4)).collect();
    let stage = Stage::new(move |_| messages(&many));
    let mut body = stage.send(watch(NDJSON), "").await.into_body();
    let mut sizes = Vec::new();
    while let Some(frame) = body.frame().await {
        sizes.push(frame.unwrap().into_data().unwrap().len());
    }
    let total: usize = sizes.iter().sum();
    assert_eq!(total, 2_000 * 43);
    assert!(sizes.len() <= total / (32 * 1024) + 2, "{sizes:?}");
    assert!(sizes.iter().all(|size| *size < 33 * 1024), "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_event_stream_has_a_heartbeat() {
    let stage = Stage::new(|_| grpc(tonic::body::Body::new(Scripted::new(&two()[..1], Ending::Never))));
    let mut body = stage.send(watch(SSE), "").await.into_body();
    let mut next = async || body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(next().await.starts_with(b"retry: 3000\n\nid: 4\n"));
    let before = tokio::time::Instant::now();
    assert_eq!(next().await, ": alive\n\n");
    assert_eq!(next().await, ": alive\n\n");
    assert_eq!(before.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn an_event_stream_without_a_first_message_begins_with_a_heartbeat_and_others_wait() {
    let stage = Stage::new(|_| grpc(tonic::body::Body::new(Scripted::new(&[], Ending::Never))));
    let before = tokio::time::Instant::now();
    let response = stage.send(watch(SSE), "").await;
    assert_eq!((response.status().as_u16(), before.elapsed().as_secs()), (200, 15));
    let first = response.into_body().frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "retry: 3000\n\n: alive\n\n");
    let waiting = pin!(stage.send(watch(NDJSON), ""));
    assert!(tokio::time::timeout(Duration::from_secs(300), waiting).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_event_stream_begins_with_a_heartbeat_also_before_the_head_of_the_answer() {
    let after = Duration::from_secs(20);
    let late = tower::service_fn(move |_| async move {
        tokio::time::sleep(after).await;
        Ok(messages(&two()))
    });
    let mut registry = Registry::default();
    let service = gateway().serve(GrpcService::new(late), edge(&mut registry));
    let send = |accept| {
        let request = watch(accept)
            .header("host", "localhost")
            .body(RequestBody::empty())
            .unwrap();
        service.clone().oneshot(request)
    };
    let before = tokio::time::Instant::now();
    let response = send(SSE).await.unwrap();
    assert_eq!((response.status().as_u16(), before.elapsed().as_secs()), (200, 15));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert!(text.starts_with("retry: 3000\n\n: alive\n\nid: 4\n"), "{text}");
    assert_eq!(before.elapsed(), after);
    // Other forms have no word for waiting.
    let before = tokio::time::Instant::now();
    assert_eq!(send(NDJSON).await.unwrap().status(), 200);
    assert_eq!(before.elapsed(), after);
}

#[tokio::test]
async fn a_caller_who_goes_away_ends_the_inner_stream() {
    for accept in [NDJSON, SSE, ARRAY] {
        let witnesses = Arc::new(Mutex::new(Vec::new()));
        let kept = witnesses.clone();
        let stage = Stage::new(move |_| {
            let body = Scripted::new(&two()[..1], Ending::Never);
            kept.lock().unwrap().push(body.witness.clone());
            grpc(tonic::body::Body::new(body))
        });
        let mut response = stage.send(watch(accept), "").await;
        response.body_mut().frame().await.unwrap().unwrap();
        let witness = witnesses.lock().unwrap().pop().unwrap();
        assert_eq!(Arc::strong_count(&witness), 2, "the stream runs");
        drop(response);
        assert_eq!(Arc::strong_count(&witness), 1, "{accept}: the stream was dropped");
        assert!(
            stage.metrics().contains(r#"rpc_status_code="CANCELLED""#),
            "{}",
            stage.metrics()
        );
    }
}

#[tokio::test]
async fn a_stream_that_panics_ends_as_internal() {
    let stage = Stage::new(|_| grpc(tonic::body::Body::new(Scripted::new(&two()[..1], Ending::Panic))));
    let answer: Answer = stage.ask(watch(NDJSON), "").await;
    let last: serde_json::Value = serde_json::from_str(answer.text().lines().last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], 13);
    assert_eq!(last["error"]["details"][0]["reason"], "INTERNAL");
    assert!(
        !answer.text().contains("as this test wants"),
        "the panic's message stays inside"
    );
}

#[tokio::test]
async fn an_answer_that_nobody_reads_stops_the_service() {
    let made = Arc::new(Mutex::new(0));
    let counter = made.clone();
    let stage = Stage::new(move |_| {
        let counter = counter.clone();
        let endless = futures_util::stream::repeat_with(move || {
            *counter.lock().unwrap() += 1;
            Ok::<_, Status>(http_body::Frame::data(crate::support::framed(&item("a name", 4))))
        });
        grpc(tonic::body::Body::new(http_body_util::StreamBody::new(endless)))
    });
    let mut body = stage.send(watch(NDJSON), "").await.into_body();
    let chunk = body.frame().await.unwrap().unwrap().into_data().unwrap();
    let lines = chunk.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(
        *made.lock().unwrap(),
        lines,
        "no message was made that is not in the chunk"
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_that_does_not_keep_the_deadline_is_given_up_soon_after_it() {
    let status = r#""code":4,"message":"the call did not end by its deadline""#;
    // Path and form, the messages before the silence, and what the answer is.
    let table = [
        ("/v1/items/7", ARRAY, 0, 504, "{", false),
        ("/v1/items/7", ARRAY, 1, 504, "{", false),
        ("/v1/items:watch", NDJSON, 0, 504, "{", false),
        ("/v1/items:watch", ARRAY, 0, 504, "{", false),
        ("/v1/items:watch", SSE, 0, 504, "{", false),
        (
            "/v1/items:watch",
            NDJSON,
            1,
            200,
            "{\"name\":\"a\",\"seq\":\"4\"}\n{\"error\":{",
            false,
        ),
        ("/v1/items:watch", ARRAY, 1, 200, "", true),
        ("/v1/items:watch", SSE, 1, 200, "event: error\ndata: {", false),
    ];
    for (path, accept, messages, expected, before, broken) in table {
        let stage = Stage::new(move |_| grpc(tonic::body::Body::new(Scripted::new(&two()[..messages], Ending::Never))));
        let started = tokio::time::Instant::now();
        let request = Request::get(path).header("host", "h").header("accept", accept);
        let answer = stage.ask(request.header("request-timeout", "5"), "").await;
        assert_eq!(
            (answer.status, answer.broken),
            (expected, broken),
            "{path} {accept} {messages}"
        );
        assert!(
            broken || answer.text().contains(&format!("{before}{status}")),
            "{path} {accept} {messages}: {}",
            answer.text()
        );
        assert_eq!(started.elapsed().as_millis(), 5_100, "the service has the first word");
    }
    // A service that does not even begin to answer.
    let inner = tower::service_fn(|_: Request<tonic::body::Body>| {
        std::future::pending::<Result<http::Response<tonic::body::Body>, std::convert::Infallible>>()
    });
    let inner = tower::util::BoxCloneSyncService::new(inner);
    let edge = crate::support::edge(&mut prometheus_client::registry::Registry::default());
    let service = crate::support::gateway().serve(inner, edge);
    let request = Request::get("/v1/items/7")
        .header("host", "h")
        .header("grpc-timeout", "5S");
    let request = request.body(millrace_gateway::RequestBody::empty()).unwrap();
    let answer = tower::ServiceExt::oneshot(service, request).await.unwrap();
    assert_eq!(answer.status(), 504);
}

#[tokio::test]
async fn a_stream_ends_as_failed_at_a_message_whose_json_is_too_large() {
    let gateway = builder().response_json_bytes_max(30).build().unwrap();
    let large = item("a name that is too long", 5);
    let stage = Stage::of(
        &gateway,
        |_| {},
        move |_| messages(&[item("a", 4), large.clone(), item("c", 6)]),
    );
    for accept in [NDJSON, SSE] {
        let answer = stage.ask(watch(accept), "").await;
        assert!(
            answer.text().contains("{\"name\":\"a\",\"seq\":\"4\"}"),
            "{}",
            answer.text()
        );
        assert!(
            answer.text().contains("has more than 30 bytes as JSON"),
            "{}",
            answer.text()
        );
        assert!(
            !answer.text().contains("too long") && !answer.text().contains("\"c\""),
            "{}",
            answer.text()
        );
        assert!(!answer.text().contains(";end"), "{}", answer.text());
    }
    // An array has no words for it: the body breaks off.
    let mut response = stage.send(watch(ARRAY), "").await;
    let mut frames = Vec::new();
    while let Some(frame) = response.body_mut().frame().await {
        frames.push(frame.is_ok());
    }
    assert_eq!(frames.last(), Some(&false));
}
