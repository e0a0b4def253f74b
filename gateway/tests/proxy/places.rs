//! Long streams that take every place on the connections: further ones are opened for whom is left, up to a bound.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Request;
use millrace_gateway::upstream::Settings;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::front::{Front, settings};
use crate::raw::{self, framed, head, item};

/// What a server has seen of connections.
struct Connections {
    opened: AtomicUsize,
    open: watch::Sender<usize>,
}

/// Takes so many streams on a connection, answers a unary call with an item, and any other with one message and no end.
async fn server(streams: u32) -> (SocketAddr, Arc<Connections>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(Connections {
        opened: AtomicUsize::new(0),
        open: watch::Sender::new(0),
    });
    let seen = connections.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let seen = seen.clone();
            seen.opened.fetch_add(1, Ordering::SeqCst);
            seen.open.send_modify(|open| *open += 1);
            tokio::spawn(async move {
                let mut builder = h2::server::Builder::new();
                let opened = builder.max_concurrent_streams(streams).handshake(stream).await;
                if let Ok(mut connection) = opened {
                    while let Some(Ok((request, answer))) = connection.accept().await {
                        tokio::spawn(answered(raw::Call {
                            number: 0,
                            request,
                            answer,
                        }));
                    }
                }
                seen.open.send_modify(|open| *open -= 1);
            });
        }
    });
    (address, connections)
}

async fn answered(mut call: raw::Call) {
    if call.request.uri().path().ends_with("/GetItem") {
        return raw::bytes_then_ok(call, item());
    }
    let mut body = call.answer.send_response(head(), false).unwrap();
    body.send_data(framed(b"\x0a\x01x"), false).unwrap();
    // Until the caller leaves.
    let _ = std::future::poll_fn(|cx| body.poll_reset(cx)).await;
}

fn watcher() -> http::request::Builder {
    Request::get("/v1/items:tail").header("accept", "text/event-stream")
}

#[tokio::test]
async fn streams_that_take_all_places_keep_no_other_call_waiting() {
    let (address, connections) = server(2).await;
    let front = Front::start(Settings {
        connect_wait: Duration::from_secs(8),
        connections_idle: Duration::from_millis(20),
        ..settings(address)
    });
    let mut open = connections.open.subscribe();
    open.wait_for(|open| *open == 2).await.unwrap();
    front.connected().await;
    for _ in 0..50 {
        assert_eq!(front.get("/v1/items/7").await.status, 200);
    }
    let mut watchers = Vec::new();
    for _ in 0..7 {
        let watcher = front.open(watcher(), "").await;
        assert_eq!(watcher.status(), 200);
        watchers.push(watcher);
    }
    assert_eq!(front.get("/v1/items/7").await.status, 200);
    assert_eq!(
        connections.opened.load(Ordering::SeqCst),
        4,
        "two that are kept, and as many as are needed"
    );
    drop(watchers);
    open.wait_for(|open| *open == 2).await.unwrap();
    assert_eq!(front.get("/v1/items/7").await.status, 200);
}

#[tokio::test]
async fn a_call_for_which_there_is_no_place_is_told_so() {
    let (address, connections) = server(1).await;
    let front = Front::start(Settings {
        connections: 1,
        connections_max: 2,
        connect_wait: Duration::from_secs(2),
        ..settings(address)
    });
    front.connected().await;
    let mut watchers = Vec::new();
    for _ in 0..2 {
        watchers.push(front.open(watcher(), "").await);
    }
    let answer = front.get("/v1/items/7").await;
    assert_eq!(answer.refusal(), (503, 14));
    assert_eq!(answer.headers["retry-after"], "1");
    assert!(answer.text().contains("no free place"), "{}", answer.text());
    assert_eq!(connections.opened.load(Ordering::SeqCst), 2);
}
