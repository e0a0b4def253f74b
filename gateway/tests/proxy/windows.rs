//! A server that answers pings, and lets nothing be sent: its window stays closed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use millrace_gateway::upstream::Settings;
use tokio::net::TcpListener;

use crate::front::{Front, settings};
use crate::raw::{self, item};

/// Answers calls with an item once it has read them, which on its first connection is never; counts its connections.
async fn server() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let opened = Arc::new(AtomicUsize::new(0));
    let counted = opened.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let is_first = counted.fetch_add(1, Ordering::SeqCst) == 0;
            tokio::spawn(async move {
                let mut builder = h2::server::Builder::new();
                if is_first {
                    builder.initial_window_size(0);
                }
                let Ok(mut connection) = builder.handshake(stream).await else {
                    return;
                };
                while let Some(Ok((mut request, answer))) = connection.accept().await {
                    tokio::spawn(async move {
                        while let Some(Ok(_)) = request.body_mut().data().await {}
                        if request.body().is_end_stream() {
                            raw::bytes_then_ok(
                                raw::Call {
                                    number: 0,
                                    request,
                                    answer,
                                },
                                item(),
                            );
                        }
                    });
                }
            });
        }
    });
    (address, opened)
}

#[tokio::test]
async fn a_connection_on_which_nothing_can_be_sent_is_replaced() {
    let (address, opened) = server().await;
    let front = Front::start(Settings {
        connections: 1,
        connections_max: 1,
        connect_wait: Duration::from_secs(60),
        deadline: Duration::from_secs(2),
        ..settings(address)
    });
    front.connected().await;
    // The first tells nothing of why; the second was certainly not sent.
    for _ in 0..2 {
        assert_eq!(front.get("/v1/items/7").await.refusal(), (504, 4));
    }
    // The deadline of the others is this test's, not that of a slow machine.
    let long = || http::Request::get("/v1/items/7").header("grpc-timeout", "60S");
    for _ in 0..5 {
        assert_eq!(front.ask(long(), "").await.status, 200);
    }
    assert_eq!(opened.load(Ordering::SeqCst), 2);
}
