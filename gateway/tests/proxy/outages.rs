//! Servers that start late, die, come back, or were never servers, and how the probes and the drain see it.

use std::sync::Arc;
use std::time::Duration;

use millrace_gateway::heartbeat::Heartbeat;
use millrace_gateway::probes::Probes;
use millrace_gateway::upstream::{Health, Settings};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::front::{Front, settings};
use crate::shop::Shop;

fn is_down(health: &Health) -> bool {
    matches!(health, Health::Down { .. })
}

#[tokio::test]
async fn an_unreachable_server_is_503_with_retry_after() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let front = Front::start(Settings {
        connect_wait: Duration::from_millis(50),
        ..settings(address)
    });
    let answer = front.get("/v1/items/7").await;
    assert_eq!(answer.refusal(), (503, 14));
    assert_eq!(answer.headers["retry-after"], "1");
    let reason = front.is(is_down).await;
    assert_eq!(
        reason,
        Health::Down {
            reason: "the server cannot be reached".to_owned()
        }
    );
}

#[tokio::test]
async fn a_call_waits_for_a_server_that_starts_late() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let front = Arc::new(Front::start(Settings {
        connect_wait: Duration::from_secs(60),
        ..settings(address)
    }));
    front.is(is_down).await;
    let called = front.clone();
    let call = tokio::spawn(async move { called.get("/v1/items/7").await });
    let _shop = Shop::on(address, None, 200).await;
    assert_eq!(call.await.unwrap().status, 200);
}

#[tokio::test]
async fn a_server_that_comes_back_is_called_again() {
    let mut shop = Shop::start().await;
    let front = Front::before(shop.address).await;
    let front = Arc::new(front);
    for _ in 0..3 {
        assert_eq!(front.get("/v1/items/7").await.status, 200);
        let called = front.clone();
        let hanging = tokio::spawn(async move { called.get("/v1/items/hang").await });
        shop.seen.hanging.notified().await;
        let address = shop.address;
        shop.kill().await;
        // What was in progress cannot be known to have done nothing.
        assert_eq!(hanging.await.unwrap().refusal(), (503, 14));
        front.is(is_down).await;
        shop = Shop::on(address, None, 200).await;
        front.connected().await;
    }
    assert_eq!(front.get("/v1/items/7").await.status, 200);
}

#[tokio::test]
async fn a_server_that_is_replaced_again_and_again_is_called_at_once() {
    let shop = Shop::start().await;
    let front = Front::start(Settings {
        connections: 1,
        connect_wait: Duration::from_secs(2),
        reconnect_first: Duration::from_millis(100),
        reconnect_max: Duration::from_secs(3_600),
        ..settings(shop.address)
    });
    front.connected().await;
    // Each connection serves, and leaves before it is old: were that a failure, the later waits would be longer than a
    // call's.
    for round in 0..10 {
        let answer = front.get("/v1/items/7").await;
        assert_eq!(answer.status, 200, "round {round}: {}", answer.text());
        shop.goaway();
    }
}

#[tokio::test]
async fn a_server_that_is_back_is_found_before_the_calls_that_wait_give_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let front = Arc::new(Front::start(Settings {
        connect_wait: Duration::from_secs(8),
        reconnect_first: Duration::from_secs(3_600),
        reconnect_max: Duration::from_secs(3_600),
        ..settings(address)
    }));
    front.is(is_down).await;
    let _shop = Shop::on(address, None, 200).await;
    assert_eq!(front.get("/v1/items/7").await.status, 200);
}

#[tokio::test]
async fn a_port_that_does_not_speak_http2_is_no_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
                .await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    });
    let front = Front::start(settings(address));
    let health = front.is(is_down).await;
    let reason = "the server does not speak HTTP/2".to_owned();
    assert_eq!(health, Health::Down { reason });
}

#[tokio::test]
async fn a_port_that_says_nothing_is_given_up_in_time() {
    // The kernel accepts; nobody reads.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let front = Front::start(Settings {
        connect_timeout: Duration::from_millis(50),
        ..settings(listener.local_addr().unwrap())
    });
    let reason = "the server did not answer in time".to_owned();
    assert_eq!(front.is(is_down).await, Health::Down { reason });
}

#[tokio::test]
async fn a_server_that_falls_silent_is_found_by_a_ping() {
    let shop = Shop::start().await;
    // Between them a wire that can be cut without a word.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (cut, is_cut) = tokio::sync::watch::channel(false);
    let server = shop.address;
    tokio::spawn(async move {
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let mut is_cut = is_cut.clone();
            tokio::spawn(async move {
                let mut far = tokio::net::TcpStream::connect(server).await.unwrap();
                let is_silent = *is_cut.borrow_and_update();
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far), if !is_silent => return,
                    _ = is_cut.changed() => {}
                }
                std::future::pending::<()>().await;
            });
        }
    });
    let front = Front::start(Settings {
        connections: 1,
        deadline: Duration::from_millis(100),
        connect_timeout: Duration::from_millis(200),
        keep_alive_timeout: Duration::from_millis(100),
        ..settings(address)
    });
    front.connected().await;
    assert_eq!(front.get("/v1/items/7").await.status, 200);
    cut.send(true).unwrap();
    // The call's deadline passes in silence, so the connection is asked whether it lives.
    assert_eq!(front.get("/v1/items/7").await.refusal(), (504, 4));
    front.is(is_down).await;
    cut.send(false).unwrap();
    front.connected().await;
    assert_eq!(front.get("/v1/items/7").await.status, 200);
}

#[tokio::test]
async fn readiness_lists_the_upstreams() {
    let shop = Shop::start().await;
    let (up, gone) = (Front::before(shop.address).await, Shop::start().await);
    let down = Front::before(gone.address).await;
    let probes = |fronts: &[&Front]| {
        let upstreams = fronts.iter().map(|front| front.upstream.clone()).collect();
        Probes::new(Heartbeat::start(), || Ok(())).with_upstreams(upstreams)
    };
    let ask = |probes: &Probes| {
        let answer = probes.answer("/readiness").unwrap();
        let body: Value = serde_json::from_slice(answer.body()).unwrap();
        (answer.status().as_u16(), body)
    };
    let (both, one) = (probes(&[&up, &down]), probes(&[&down]));
    assert_eq!(ask(&both).0, 200);
    gone.kill().await;
    down.is(is_down).await;
    let listed = |front: &Front, state: &str| json!({"name": front.upstream.name(), "state": state});
    let mut is_gone = listed(&down, "down");
    is_gone["reason"] = json!("the server cannot be reached");
    // One still works: the gateway stays in service, and says which does not.
    let expected = json!({"status": "ready", "upstreams": [listed(&up, "up"), is_gone]});
    assert_eq!(ask(&both), (200, expected));
    assert_eq!(
        ask(&one),
        (503, json!({"status": "upstreams_down", "upstreams": [is_gone]}))
    );
}

#[tokio::test]
async fn a_drain_lets_calls_finish_and_closes_the_connections() {
    let shop = Shop::start().await;
    let front = Arc::new(Front::before(shop.address).await);
    let called = front.clone();
    let call = tokio::spawn(async move { called.get("/v1/items/wait").await });
    shop.seen.hanging.notified().await;
    front.stop.send(true).unwrap();
    // What callers sent before they could know is still taken.
    assert_eq!(front.get("/v1/items/7").await.status, 200);
    assert!(!front.running.is_finished());
    shop.seen.go.notify_one();
    assert_eq!(call.await.unwrap().status, 200);
    let Ok(front) = Arc::try_unwrap(front) else { panic!() };
    front.running.await.unwrap();
    assert_eq!(*front.upstream.health().borrow(), Health::Connecting);
}
