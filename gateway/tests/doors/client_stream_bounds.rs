//! REST, streams of the client's: what bounds them in time, in memory, and by the service's own pace.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use millrace_gateway::RequestBody;
use tower::ServiceExt;

use crate::sockets::{builder, service, streams};

const NDJSON: &str = "application/x-ndjson";
const ARRAY: &str = "application/json";

/// A body whose chunks are counted as they are taken.
fn counted(chunk: &'static str) -> (RequestBody, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = taken.clone();
    let chunks = futures_util::stream::repeat_with(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(chunk.as_bytes())))
    });
    (RequestBody::new(StreamBody::new(chunks)), taken)
}

#[tokio::test]
async fn a_service_that_takes_no_messages_stops_the_upload() {
    // Takes so many frames of the body, then waits for ever.
    for frames in [0, 1, 5] {
        let inner = tower::service_fn(move |request: Request<tonic::body::Body>| async move {
            let mut body = request.into_body();
            for _ in 0..frames {
                body.frame().await.unwrap().unwrap();
            }
            std::future::pending::<Result<http::Response<tonic::body::Body>, Infallible>>().await
        });
        let inner = tower::util::BoxCloneSyncService::new(inner);
        let service = service(&builder().build().unwrap(), inner);
        let (body, taken) = counted("{\"theme\":\"a line\"}\n");
        let request = Request::post("/v1/shelves/7/books:put")
            .header("host", "h")
            .header("content-type", NDJSON);
        let mut call = Box::pin(service.oneshot(request.body(body).unwrap()));
        assert!((&mut call).now_or_never().is_none());
        assert!((&mut call).now_or_never().is_none());
        assert_eq!(
            taken.load(Ordering::Relaxed),
            frames,
            "one chunk for each frame that was wanted"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_may_be_long_but_neither_silent_nor_stuck_in_a_message() {
    let gateway = builder()
        .body_time_max(Duration::from_secs(10))
        .stream_silence_max(Duration::from_secs(100))
        .build()
        .unwrap();
    // What is sent each second; after how long the call is given up.
    let table = [
        (vec!["[{}", ",{}", ",{}"], 102),
        (vec!["[{}", " ", " ", " ", " "], 100),
        (vec!["[{}", ",{\"the", "m", "e"], 11),
        (vec![" "], 10),
    ];
    for (parts, expected) in table {
        let (inner, _events) = streams();
        let service = service(&gateway, inner);
        let count = parts.len();
        let chunks = futures_util::stream::unfold((parts, 0), |(parts, at)| async move {
            if at > 0 {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            let part = *parts.get(at)?;
            Some((
                Ok::<_, Infallible>(Frame::data(Bytes::from_static(part.as_bytes()))),
                (parts, at + 1),
            ))
        });
        let silence = futures_util::stream::pending();
        let chunks = futures_util::StreamExt::take(chunks, count);
        let body = RequestBody::new(StreamBody::new(Box::pin(futures_util::StreamExt::chain(
            chunks, silence,
        ))));
        let request = Request::post("/v1/shelves/7/books:put")
            .header("host", "h")
            .header("content-type", ARRAY);
        let before = tokio::time::Instant::now();
        let answer = service
            .oneshot(request.version(http::Version::HTTP_2).body(body).unwrap())
            .await
            .unwrap();
        assert_eq!((answer.status().as_u16(), before.elapsed().as_secs()), (408, expected));
    }
}

#[tokio::test]
async fn what_is_there_of_an_element_counts_as_memory_until_it_is_whole() {
    let gateway = builder().body_memory_bytes(1_000).build().unwrap();
    let (inner, mut events) = streams();
    let service = service(&gateway, inner);
    let send = |chunks: Vec<String>| {
        let chunks = chunks
            .into_iter()
            .map(|chunk| Ok::<_, Infallible>(Frame::data(Bytes::from(chunk))));
        let body = RequestBody::new(StreamBody::new(futures_util::stream::iter(chunks)));
        let request = Request::post("/v1/texts")
            .header("host", "h")
            .header("content-type", ARRAY);
        service.clone().oneshot(request.body(body).unwrap())
    };
    let half = "x".repeat(600);
    let many: Vec<_> = (0..20).flat_map(|_| [format!("\"{half}"), "\",".to_owned()]).collect();
    let fine = [vec!["[".to_owned()], many, vec!["\"\"]".to_owned()]].concat();
    assert_eq!(send(fine).await.unwrap().status(), 200, "one at a time");
    let both = vec!["[".to_owned(), format!("\"{half}"), half.clone()];
    assert_eq!(send(both).await.unwrap().status(), 429);
    while events.try_recv().is_ok() {}
}
