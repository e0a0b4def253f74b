//! More calls than the server takes at one time, and readers that are slower than the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use millrace_gateway::RequestBody;
use millrace_gateway::upstream::Settings;
use tokio::task::JoinSet;

use crate::front::{Front, settings};
use crate::raw::{self, framed};
use crate::shop::Shop;

const MESSAGE_BYTES: usize = 64 << 10;

#[tokio::test]
async fn a_thousand_calls_pass_a_server_that_takes_ten_at_a_time() {
    let shop = Shop::on("127.0.0.1:0".parse().unwrap(), None, 10).await;
    // Calls that are to wait for two connections, as long as it takes on this machine.
    let front = Front::start(Settings {
        connections_max: 2,
        connect_wait: Duration::from_secs(60),
        ..settings(shop.address)
    });
    front.connected().await;
    let mut calls = JoinSet::new();
    for _ in 0..10 {
        let client = front.http2().await;
        for _ in 0..100 {
            let mut client = client.clone();
            let request = Request::get(format!("http://{}/v1/items/slow", front.address));
            let request = request.body(RequestBody::new(Empty::new())).unwrap();
            calls.spawn(async move {
                let response = client.send_request(request).await.unwrap();
                let status = response.status();
                response.into_body().collect().await.unwrap();
                status
            });
        }
    }
    while let Some(status) = calls.join_next().await {
        assert_eq!(status.unwrap(), 200);
    }
    assert_eq!(
        shop.seen.calls.load(Ordering::SeqCst),
        1_000,
        "none was refused and sent again"
    );
    assert!(
        shop.seen.most.load(Ordering::SeqCst) <= 20,
        "ten on each of two connections"
    );
}

#[tokio::test]
async fn a_call_that_finds_no_place_fails_at_its_deadline_and_a_full_queue_at_once() {
    let shop = Shop::on("127.0.0.1:0".parse().unwrap(), None, 1).await;
    let front = Arc::new(Front::start(Settings {
        connections: 1,
        connections_max: 1,
        connect_wait: Duration::from_secs(60),
        calls_waiting_max: 1,
        ..settings(shop.address)
    }));
    front.connected().await;
    let called = front.clone();
    let first = tokio::spawn(async move { called.get("/v1/items/wait").await });
    shop.seen.hanging.notified().await;
    let waits = front
        .ask(Request::get("/v1/items/7").header("grpc-timeout", "100m"), "")
        .await;
    assert_eq!(waits.refusal(), (504, 4));
    let called = front.clone();
    let mut second = tokio::spawn(async move { called.get("/v1/items/7").await });
    // Whichever of the two has the place in the queue, the other is refused.
    let third = front.get("/v1/items/7");
    let (refused, kept) = tokio::select! {
        answer = &mut second => (answer.unwrap(), None),
        answer = third => (answer, Some(second)),
    };
    assert_eq!(refused.refusal(), (503, 14));
    shop.seen.go.notify_one();
    assert_eq!(first.await.unwrap().status, 200);
    if let Some(kept) = kept {
        assert_eq!(kept.await.unwrap().status, 200);
    }
    assert_eq!(front.get("/v1/items/7").await.status, 200);
}

/// Answers a unary call with an item, and any other with messages of 64 KiB as fast as they are taken, and counts them.
async fn source(messages: usize) -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = sent.clone();
    let (address, _) = raw::server(move |mut call| {
        let counted = counted.clone();
        async move {
            if call.request.uri().path().ends_with("/GetItem") {
                return raw::bytes_then_ok(call, raw::item());
            }
            let mut body = call.answer.send_response(raw::head(), false).unwrap();
            let text = vec![b'x'; MESSAGE_BYTES];
            let mut message = vec![0x0a, 0x80, 0x80, 0x04];
            message.extend_from_slice(&text);
            for _ in 0..messages {
                let mut frame = framed(&message);
                while !frame.is_empty() {
                    body.reserve_capacity(frame.len());
                    let Some(Ok(room)) = std::future::poll_fn(|cx| body.poll_capacity(cx)).await else {
                        return;
                    };
                    body.send_data(frame.split_to(room.min(frame.len())), false).unwrap();
                }
                counted.fetch_add(1, Ordering::SeqCst);
            }
            body.send_trailers(raw::trailers(0)).unwrap();
        }
    })
    .await;
    (address, sent)
}

/// Waits until the source has stopped, because nobody takes more: it sends nothing while calls go to it and come back
/// on the same connection.
async fn stopped(front: &Front, sent: &AtomicUsize) -> usize {
    const ROUND_TRIPS: usize = 50;
    loop {
        let before = sent.load(Ordering::SeqCst);
        for _ in 0..ROUND_TRIPS {
            assert_eq!(front.get("/v1/items/7").await.status, 200);
        }
        if before > 0 && before == sent.load(Ordering::SeqCst) {
            return before;
        }
    }
}

#[tokio::test]
async fn a_slow_reader_stops_the_server_and_loses_nothing() {
    const MESSAGES: usize = 600;
    let (address, sent) = source(MESSAGES).await;
    let front = Front::start(Settings {
        connections: 1,
        ..settings(address)
    });
    front.connected().await;
    let response = front.open(Request::get("/v1/items:tail"), "").await;
    assert_eq!(response.status(), 200);
    // What is on the way: HTTP/2's windows, the kernel's buffers, and one chunk.
    let on_the_way = stopped(&front, &sent).await;
    assert!(
        on_the_way < MESSAGES / 4,
        "{on_the_way} messages of {MESSAGES_BYTES} bytes",
        MESSAGES_BYTES = MESSAGE_BYTES
    );
    let mut bytes = 0;
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        bytes += frame.unwrap().into_data().map_or(0, |data: Bytes| data.len());
    }
    assert_eq!(bytes, MESSAGES * (MESSAGE_BYTES + "{\"text\":\"\"}\n".len()));
}

#[tokio::test]
async fn slow_readers_hold_up_nobody_else() {
    // Many short messages, which nobody reads.
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = sent.clone();
    let (address, _) = raw::server(move |call| short_messages(call, counted.clone())).await;
    // A client that charges small frames to all calls would end the connection at the second reader.
    let front = Front::start(Settings {
        connections: 1,
        streams_max: 10,
        ..settings(address)
    });
    front.connected().await;
    let mut health = front.upstream.health();
    health.mark_unchanged();
    let mut readers = Vec::new();
    for _ in 0..8 {
        let request = Request::get("/v1/items:tail").header("accept", "text/event-stream");
        readers.push(front.open_narrow(request).await);
    }
    stopped(&front, &sent).await;
    for _ in 0..20 {
        assert_eq!(front.get("/v1/items/7").await.status, 200);
    }
    assert!(!health.has_changed().unwrap(), "the connection was lost");
    // Each can go on.
    for reader in &mut readers {
        assert!(reader.body_mut().frame().await.unwrap().is_ok());
    }
}

/// Answers a unary call with an item, and any other with messages of 40 bytes, a frame each, for as long as they are
/// taken.
async fn short_messages(mut call: raw::Call, sent: Arc<AtomicUsize>) {
    let mut body = call.answer.send_response(raw::head(), false).unwrap();
    if call.request.uri().path().ends_with("/GetItem") {
        body.send_data(raw::item(), false).unwrap();
        body.send_trailers(raw::trailers(0)).unwrap();
        return;
    }
    let message = framed(&[&[0x0a, 38][..], &[b'x'; 38][..]].concat());
    loop {
        body.reserve_capacity(message.len());
        while body.capacity() < message.len() {
            let Some(Ok(_)) = std::future::poll_fn(|cx| body.poll_capacity(cx)).await else {
                return;
            };
        }
        if body.send_data(message.clone(), false).is_err() {
            return;
        }
        sent.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
    }
}
