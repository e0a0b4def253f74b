//! Hundreds of slow readers of short messages behind one connection to the upstream: they cost each other nothing. An
//! HTTP/2 peer allows a connection but so much overhead of unread small frames, and closes it, with all streams, above
//! that.

use futures_util::future::join_all;
use http::Request;
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use millrace_gateway::{HttpService, RequestBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tower::{ServiceBuilder, ServiceExt};

use crate::sockets::{behind_http2, builder, service, streams};

const READERS: usize = 500;
/// More than fit into what an HTTP/1.1 connection keeps of an answer, so that the rest stays unread at the upstream.
const MESSAGES: usize = 500;

/// A reader over a pipe that holds nearly nothing.
fn connect(service: HttpService) -> DuplexStream {
    let (client, server) = tokio::io::duplex(1 << 10);
    let service = ServiceBuilder::new()
        .map_request(|request: Request<hyper::body::Incoming>| request.map(RequestBody::new))
        .service(service);
    let mut connection = hyper::server::conn::http1::Builder::new();
    connection.max_buf_size(8 << 10);
    tokio::spawn(async move {
        connection
            .serve_connection(TokioIo::new(server), TowerToHyperService::new(service.boxed_clone()))
            .await
    });
    client
}

async fn begin(service: HttpService) -> DuplexStream {
    let mut reader = connect(service);
    let request = format!(
        "GET /v1/flood?count={MESSAGES}&bytes=38 HTTP/1.1\r\nhost: h\r\naccept: text/event-stream\r\nconnection: close\r\n\r\n"
    );
    reader.write_all(request.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    reader.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
    reader
}

async fn finish(mut reader: DuplexStream) {
    let mut rest = String::new();
    reader.read_to_string(&mut rest).await.unwrap();
    assert!(!rest.contains("event: error"), "{}", &rest[rest.len() - 400..]);
    assert_eq!(rest.matches("data: {\"text\"").count(), MESSAGES);
    assert!(rest.contains("event: end\n") && rest.ends_with("\r\n0\r\n\r\n"));
}

#[tokio::test]
async fn slow_readers_of_short_messages_reset_no_other_stream() {
    let (inner, mut events) = streams();
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    let service = service(&builder().build().unwrap(), behind_http2(inner).await);
    let slow = join_all((0..READERS).map(|_| begin(service.clone()))).await;
    // Over the same connection, while they do not read: a whole stream, and calls.
    finish(begin(service.clone()).await).await;
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
    join_all(slow.into_iter().map(finish)).await;
}
