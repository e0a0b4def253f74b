//! Hundreds of slow readers of short messages behind one connection to the upstream: they cost each other nothing. An
//! HTTP/2 peer allows a connection but so much overhead of unread small frames, and closes it, with all streams, above
//! that.

use futures_util::future::join_all;
use http::Request;
use http_body_util::BodyExt;
use millrace_gateway::RequestBody;
use tower::ServiceExt;

use crate::narrow_reader::{begin, finish};
use crate::sockets::{behind_http2, builder, service, streams};

const READERS: usize = 500;
/// More than fit into what an HTTP/1.1 connection keeps of an answer, so that the rest stays unread at the upstream.
const MESSAGES: usize = 500;

#[tokio::test]
async fn slow_readers_of_short_messages_reset_no_other_stream() {
    let (inner, mut events) = streams();
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    let service = service(&builder().build().unwrap(), behind_http2(inner).await);
    let target = format!("/v1/flood?count={MESSAGES}&bytes=38");
    let slow = join_all((0..READERS).map(|_| begin(service.clone(), &target))).await;
    // Over the same connection, while they do not read: a whole stream, and calls.
    finish(begin(service.clone(), &target).await, MESSAGES).await;
    for _ in 0..20 {
        let request = Request::post("/v1/one")
            .header("host", "h")
            .header("content-type", "application/json");
        let request = request
            .body(RequestBody::new(http_body_util::Full::new("{}".into())))
            .unwrap();
        let answer = service.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(
            answer.into_body().collect().await.unwrap().to_bytes(),
            "{\"count\":\"1\"}"
        );
    }
    join_all(slow.into_iter().map(|reader| finish(reader, MESSAGES))).await;
}
