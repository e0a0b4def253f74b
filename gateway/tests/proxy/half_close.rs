//! Callers over HTTP/1.1 who close their side of the connection: with a whole request they wait for its answer, with half
//! of one they are gone.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::front::Front;
use crate::raw::{self, framed, item};

/// Sends all that a caller has to say, and closes its side.
async fn say(front: &Front, bytes: &str) -> TcpStream {
    let mut socket = TcpStream::connect(front.address).await.unwrap();
    socket.write_all(bytes.as_bytes()).await.unwrap();
    socket.shutdown().await.unwrap();
    socket
}

async fn rest(mut socket: TcpStream) -> String {
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_whole_request_is_answered_although_nothing_more_will_come() {
    let (go, came) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (waits, told) = (go.clone(), came.clone());
    let (address, calls) = raw::server(move |call| {
        let (go, came) = (waits.clone(), told.clone());
        async move {
            came.notify_one();
            go.notified().await;
            raw::bytes_then_ok(call, item());
        }
    })
    .await;
    let front = Front::before(address).await;
    let post = "POST /v1/items HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\n";
    for (request, status) in [
        ("GET /v1/items/7 HTTP/1.1\r\nhost: h\r\n\r\n".to_owned(), "200 OK"),
        (format!("{post}content-length: 2\r\n\r\n{{}}"), "201 Created"),
        (
            format!("{post}transfer-encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"),
            "201 Created",
        ),
    ] {
        let socket = say(&front, &request).await;
        came.notified().await;
        // Whatever the gateway makes of the end of the socket, it has seen it by now: it answers another.
        assert_eq!(front.get("/v1/nothing").await.status, 404);
        go.notify_one();
        let answer = rest(socket).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert!(answer.contains("\"name\":\"items/7\""), "{answer}");
    }
    assert_eq!(calls.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn half_a_request_is_no_call() {
    let (address, calls) = raw::server(|call| async move { raw::bytes_then_ok(call, item()) }).await;
    let front = Front::before(address).await;
    let post = "POST /v1/items HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\n";
    for request in [
        "GET /v1/items/7 HTTP/1.1\r\nhost: h\r\n".to_owned(),
        format!("{post}content-length: 20\r\n\r\n{{\"name\":"),
        format!("{post}transfer-encoding: chunked\r\n\r\n2\r\n{{}}\r\n"),
    ] {
        let answer = rest(say(&front, &request).await).await;
        assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    }
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_stream_is_told_to_its_end() {
    let (address, _) = raw::server(|call| async move { raw::bytes_then_ok(call, framed(b"\x10\x07").repeat(9)) }).await;
    let front = Front::before(address).await;
    let request = "GET /v1/items:watch HTTP/1.1\r\nhost: h\r\naccept: text/event-stream\r\n\r\n";
    let answer = rest(say(&front, request).await).await;
    assert_eq!(answer.matches("data: {\"name\"").count(), 9, "{answer}");
    assert!(
        answer.contains("event: end\n") && answer.ends_with("\r\n0\r\n\r\n"),
        "{answer}"
    );
}
