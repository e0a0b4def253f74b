//! Bodies on their way in: how long they may take, by whose clock, and how much memory all of them may have.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Version};
use millrace_gateway::RequestBody;
use serde_json::json;
use tokio::time::Instant;

use crate::support::{Answer, Ending, Scripted, Stage, builder, framed, gateway, item, messages, trickle};

fn create() -> http::request::Builder {
    Request::post("/v1/items").header("content-type", "application/json")
}

/// A body that begins and never goes on.
fn stuck() -> RequestBody {
    RequestBody::new(Scripted::raw(vec![Bytes::from_static(b"{")], Ending::Never))
}

#[tokio::test(start_paused = true)]
async fn a_body_must_be_there_by_the_callers_deadline_and_the_servers_clock() {
    let stage = Stage::new(|_| messages(&[item("items/7", 0)]));
    // Header and value, if any; then when it is given up, in milliseconds.
    let table = [
        (None, 30_000),
        (Some(("grpc-timeout", "2S")), 2_000),
        (Some(("request-timeout", "1.5")), 1_500),
        (Some(("x-server-timeout", "3600")), 30_000),
    ];
    for (header, expected) in table {
        for body in [stuck(), trickle()] {
            let request = header
                .iter()
                .fold(create(), |request, (name, value)| request.header(*name, *value));
            let before = Instant::now();
            let answer = Answer::of(stage.upload(request, body).await).await;
            assert_eq!(before.elapsed().as_millis(), expected, "{header:?}");
            assert_eq!((answer.status, &answer.json()["code"]), (408, &json!(4)), "{header:?}");
            assert_eq!(answer.json()["details"][0]["reason"], "DEADLINE_EXCEEDED");
            assert_eq!(
                answer.header("connection"),
                "close",
                "the rest of the body is no request"
            );
        }
    }
    let over_http2 = stage.upload(create().version(Version::HTTP_2), stuck()).await;
    assert_eq!(over_http2.status(), 408);
    assert!(
        !over_http2.headers().contains_key("connection"),
        "HTTP/2 knows no such header"
    );
    assert!(stage.seen().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_deadline_counts_from_the_head_of_the_request() {
    let stage = Stage::of(
        &builder().deadline_max(Duration::from_secs(10)).build().unwrap(),
        |_| {},
        |_| messages(&[item("items/7", 0)]),
    );
    // What the caller asks for; what is left for the service after a body that took two seconds.
    let table = [("5S", "3000000u"), ("60S", "8000000u")];
    for (asked, left) in table {
        let frame = futures_util::stream::once(async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from_static(b"{}")))
        });
        let body = RequestBody::new(http_body_util::StreamBody::new(Box::pin(frame)));
        let answer = stage.upload(create().header("grpc-timeout", asked), body).await;
        assert_eq!(answer.status(), 201);
        assert_eq!(stage.seen().last().unwrap().headers["grpc-timeout"], left, "{asked}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_by_single_bytes_is_given_up_on_the_other_doors_too() {
    let stage = Stage::new(|_| messages(&[item("items/7", 0)]));
    let call = |method: &str, content_type: &str| {
        Request::post(format!("/test.v1.Shop/{method}"))
            .version(Version::HTTP_2)
            .header("content-type", content_type)
    };
    for content_type in ["application/grpc", "application/grpc-web"] {
        let head = RequestBody::new(Scripted::raw(vec![framed(b"x").slice(..3)], Ending::Never));
        for body in [head, trickle()] {
            let before = Instant::now();
            let answer = Answer::of(stage.upload(call("WatchItems", content_type), body).await).await;
            assert_eq!(
                (answer.header("grpc-status"), before.elapsed().as_secs()),
                ("4", 30),
                "{answer:?}"
            );
            assert!(answer.headers.contains_key("grpc-status-details-bin"));
        }
        // A stream of the client's may last.
        let upload = stage.upload(call("UploadItems", content_type), stuck());
        assert!(tokio::time::timeout(Duration::from_secs(300), upload).await.is_err());
    }
}

#[tokio::test]
async fn all_bodies_share_one_memory_until_their_calls_have_ended() {
    let gateway = builder().body_memory_bytes(1_000).build().unwrap();
    let stage = Stage::of(&gateway, |_| {}, |_| messages(&[item("items/7", 0)]));
    let body = format!("{{\"name\":\"{}\"}}", "x".repeat(600));
    let open = stage.send(create(), body.clone()).await;
    assert_eq!(open.status(), 201);

    let refused = stage.ask(create(), body.clone()).await;
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (429, "1"),
        "{refused:?}"
    );
    let said = refused.json();
    assert_eq!(
        (&said["code"], &said["details"][0]["reason"]),
        (&json!(8), &json!("OVERLOADED"))
    );
    assert_eq!(said["details"][1]["retryDelay"], "1s");
    assert_eq!(
        stage.get("/v1/items/7").await.status,
        200,
        "what has no body needs no memory"
    );
    assert_eq!(
        stage.ask(create(), "{}").await.status,
        201,
        "and a small one finds room"
    );

    assert_eq!(Answer::of(open).await.status, 201);
    assert_eq!(
        stage.ask(create(), body.clone()).await.status,
        201,
        "the first call has ended"
    );

    // A caller who goes away while the body is read gives back what came.
    let sent = Scripted::raw(vec![body.clone().into()], Ending::Never);
    let mut reading = Box::pin(stage.upload(create(), RequestBody::new(sent)));
    assert!(futures_util::FutureExt::now_or_never(&mut reading).is_none());
    assert_eq!(stage.ask(create(), body.clone()).await.status, 429);
    drop(reading);
    assert_eq!(stage.ask(create(), body).await.status, 201);
}

#[tokio::test]
async fn a_chunked_body_has_the_same_limit() {
    let stage = Stage::of(gateway(), |_| {}, |_| messages(&[]));
    let chunk = Bytes::from(vec![b' '; 64 * 1024]);
    let chunks = (0..17).map(move |_| Ok::<_, std::io::Error>(http_body::Frame::data(chunk.clone())));
    let body = http_body_util::StreamBody::new(futures_util::stream::iter(chunks));
    assert_eq!(stage.upload(create(), RequestBody::new(body)).await.status(), 413);
}
