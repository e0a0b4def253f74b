//! Servers that ask to leave or refuse streams: what was certainly not looked at is sent again, once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use h2::Reason;
use millrace_gateway::upstream::Settings;
use tokio::task::JoinSet;

use crate::front::{Front, settings};
use crate::raw::{self, item};
use crate::shop::Shop;

#[tokio::test]
async fn a_connection_that_is_to_leave_is_replaced_while_its_calls_finish() {
    let shop = Shop::start().await;
    let front = Arc::new(Front::start(Settings {
        connections: 1,
        ..settings(shop.address)
    }));
    front.connected().await;
    let called = front.clone();
    let waiting = tokio::spawn(async move { called.get("/v1/items/wait").await });
    shop.seen.hanging.notified().await;
    shop.goaway();
    for _ in 0..20 {
        assert_eq!(front.get("/v1/items/7").await.status, 200);
    }
    assert!(!waiting.is_finished());
    shop.seen.go.notify_one();
    assert_eq!(waiting.await.unwrap().status, 200);
}

#[tokio::test]
async fn no_call_fails_while_connections_are_replaced_under_load() {
    let shop = Shop::start().await;
    let front = Arc::new(Front::before(shop.address).await);
    let mut callers = JoinSet::new();
    for _ in 0..20 {
        let front = front.clone();
        callers.spawn(async move {
            for _ in 0..20 {
                let answer = front.get("/v1/items/slow").await;
                assert_eq!(answer.status, 200, "{}", answer.text());
            }
        });
    }
    let leaving = async {
        loop {
            let before = shop.seen.calls.load(Ordering::SeqCst);
            while shop.seen.calls.load(Ordering::SeqCst) < before + 40 {
                tokio::task::yield_now().await;
            }
            shop.goaway();
        }
    };
    tokio::select! {
        () = leaving => {}
        () = async { while let Some(ended) = callers.join_next().await { ended.unwrap(); } } => {}
    }
}

#[tokio::test]
async fn a_refused_call_is_sent_again_once() {
    for (refusals, status, calls) in [(1, 200, 2), (usize::MAX, 503, 2)] {
        let (address, counted) = raw::server(move |mut call| async move {
            if call.number < refusals {
                call.answer.send_reset(Reason::REFUSED_STREAM);
            } else {
                // The body is there again.
                let body = call.request.body_mut().data().await.unwrap().unwrap();
                raw::bytes_then_ok(call, body);
            }
        })
        .await;
        let front = Front::before(address).await;
        let answer = front.get("/v1/items/7").await;
        assert_eq!(
            (answer.status, counted.load(Ordering::SeqCst)),
            (status, calls),
            "{}",
            answer.text()
        );
        if status == 200 {
            assert_eq!(answer.json()["name"], "items/7");
        } else {
            assert_eq!(answer.refusal(), (503, 14));
        }
    }
}

#[tokio::test]
async fn a_call_that_may_have_been_looked_at_is_never_sent_again() {
    let table = [
        (Reason::INTERNAL_ERROR, (500, 13)),
        (Reason::CANCEL, (499, 1)),
        (Reason::ENHANCE_YOUR_CALM, (429, 8)),
        (Reason::INADEQUATE_SECURITY, (403, 7)),
        (Reason::PROTOCOL_ERROR, (500, 13)),
    ];
    for (reason, refusal) in table {
        let (address, counted) = raw::server(move |mut call| async move {
            call.answer.send_reset(reason);
        })
        .await;
        let front = Front::before(address).await;
        assert_eq!(front.get("/v1/items/7").await.refusal(), refusal, "{reason:?}");
        assert_eq!(counted.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_stream_that_is_reset_halfway_is_broken_off() {
    let (address, _) = raw::server(|mut call| async move {
        let mut body = call.answer.send_response(raw::head(), false).unwrap();
        body.send_data(item(), false).unwrap();
        // The item goes out first.
        tokio::task::yield_now().await;
        body.send_reset(Reason::INTERNAL_ERROR);
    })
    .await;
    let front = Front::before(address).await;
    let answer = front.get("/v1/items:watch").await;
    // Whether the first item came through before the reset or not: it never looks like success.
    match answer.status {
        200 => assert!(answer.text().contains("\"code\":13"), "{}", answer.text()),
        _ => assert_eq!(answer.refusal(), (500, 13)),
    }
}
