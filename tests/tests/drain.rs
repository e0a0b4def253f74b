//! SIGTERM: readiness turns false, calls in progress end, and the process is gone within ten seconds whatever its
//! clients do.

use std::time::Duration;

use http::Method;
use millrace_tests::platform::{Folder, TestPlatform};
use millrace_tests::rest::Rest;
use millrace_tests::shop::{self, Shopper, order_of, unique};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::Instant;

const DRAIN_MAX: Duration = Duration::from_secs(10);

#[tokio::test]
async fn it_ends_in_time_with_idle_and_busy_clients() {
    let mut platform = TestPlatform::dev().await;
    let operator = shop::operator(&platform);
    let (product, shopper) = (shop::product(&operator).await, Shopper::new(&operator).await);
    shopper.order(&product, 1).await;

    // A socket that says nothing, one that stops in the middle of a request, and one that keeps a stream open.
    let silent = TcpStream::connect(platform.public).await.unwrap();
    let mut half = TcpStream::connect(platform.public).await.unwrap();
    half.write_all(b"POST /v1/users HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{")
        .await
        .unwrap();
    let mut preface = TcpStream::connect(platform.public).await.unwrap();
    preface.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    let path = format!("/v1/{}/orders:watch", shopper.name);
    let mut stream = shopper.rest.open(&path, "application/x-ndjson", &[]).await;
    assert!(stream.next().await.unwrap().contains("\"number\":1"));

    platform.terminate();
    let since = Instant::now();
    let (status, took) = platform.ended(DRAIN_MAX).await;
    assert!(status.success(), "{status}:\n{}", platform.output());
    assert!(took < DRAIN_MAX);

    // The stream was not cut in silence: it ended with an error that says so.
    let mut last = String::new();
    while let Some(line) = stream.next().await {
        last = line;
    }
    assert!(
        last.contains("\"error\"") && last.contains("STREAM_CUT"),
        "after {:?}: {last}",
        since.elapsed()
    );
    drop((silent, half, preface));
}

#[tokio::test]
async fn no_acknowledged_call_is_lost_in_a_drain() {
    let mut platform = TestPlatform::dev().await;
    let operator = shop::operator(&platform);
    let (product, shopper) = (shop::product(&operator).await, Shopper::new(&operator).await);
    let path = format!("/v1/{}/orders", shopper.name);

    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let tell = tell.clone();
            let (rest, path, body) = (shopper.rest.clone(), path.clone(), order_of(&product, 1).to_string());
            tokio::spawn(async move {
                loop {
                    let id = format!("drain-{}", unique());
                    match rest
                        .try_send(Method::POST, &path, &[("idempotency-key", &id)], body.clone())
                        .await
                    {
                        Ok(reply) if reply.status.as_u16() == 201 => tell.send(()).unwrap(),
                        // Refused in its own words, or not connected: both say that nothing was done.
                        Ok(reply) => {
                            assert_eq!(reply.status.as_u16(), 503, "{reply:?}");
                            return;
                        }
                        Err(_) => return,
                    }
                }
            })
        })
        .collect();
    drop(tell);
    // In full swing.
    let mut acknowledged = 0;
    while acknowledged < 20 {
        told.recv().await.expect("the writers go on until they are refused");
        acknowledged += 1;
    }
    platform.terminate();
    for writer in writers {
        writer.await.unwrap();
    }
    while told.recv().await.is_some() {
        acknowledged += 1;
    }
    platform.ended(DRAIN_MAX).await;

    let folder = platform.folder().clone();
    drop(platform);
    let platform = TestPlatform::dev_with(&folder, &[]).await;
    let rest = Rest::new(platform.public).with_key(&shopper.key);
    let listed = rest.get(&format!("{path}?pageSize=1000")).await.expect(200);
    let found = listed["orders"].as_array().unwrap().len();
    assert!(found >= acknowledged, "{acknowledged} acknowledged, {found} there");
}

#[tokio::test]
async fn readiness_is_false_while_it_drains() {
    let mut platform = TestPlatform::dev().await;
    let shopper = Shopper::new(&shop::operator(&platform)).await;
    // An open request keeps the process alive for a moment.
    let mut half = TcpStream::connect(platform.public).await.unwrap();
    half.write_all(b"POST /v1/users HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{")
        .await
        .unwrap();
    shopper.rest.get("/v1/users/me").await.expect(200);

    platform.terminate();
    let admin = Rest::new(platform.admin);
    // The admin listener answers until the end; the signal arrives a little after it was sent.
    let mut ready = 200;
    while ready == 200 {
        ready = admin.get("/readiness").await.status.as_u16();
    }
    assert_eq!(ready, 503);
    assert_eq!(admin.get("/health").await.status.as_u16(), 200);
    platform.ended(DRAIN_MAX).await;
}

#[tokio::test]
async fn a_second_signal_does_not_wait_for_the_drain() {
    let mut platform = TestPlatform::dev().await;
    // A request that never comes to its end would keep the drain busy for its whole time.
    let mut half = TcpStream::connect(platform.public).await.unwrap();
    half.write_all(b"POST /v1/users HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{")
        .await
        .unwrap();
    platform.terminate();
    let admin = Rest::new(platform.admin);
    while admin.get("/readiness").await.status.as_u16() == 200 {
        tokio::task::yield_now().await;
    }
    platform.interrupt();
    let (status, _) = platform.ended(DRAIN_MAX).await;
    assert_eq!(status.code(), Some(130), "{}", platform.output());
}

#[tokio::test]
async fn a_signal_during_the_start_leaves_nothing_half_done() {
    // A fresh folder is stopped at its first file and while the shards are made, then the same once more.
    for files_min in [1, 4, 8] {
        let folder = Folder::new();
        for stop in ["SIGTERM", "SIGINT"] {
            let mut platform = TestPlatform::dev_starting(&folder);
            let files = || std::fs::read_dir(folder.path()).map_or(0, Iterator::count);
            while files() < files_min || !platform.watches_signals() {
                assert!(!platform.output().contains("Console"), "ready with {} files", files());
                tokio::task::yield_now().await;
            }
            let code = if stop == "SIGINT" {
                platform.interrupt();
                130
            } else {
                platform.terminate();
                0
            };
            let (status, _) = platform.ended(DRAIN_MAX).await;
            let output = platform.output();
            assert_eq!(status.code(), Some(code), "{stop} with {files_min} files: {output}");
        }
        let platform = TestPlatform::dev_with(&folder, &[]).await;
        let shopper = Shopper::new(&shop::operator(&platform)).await;
        shopper.rest.get("/v1/users/me").await.expect(200);
        let products = shopper.rest.get("/v1/products?pageSize=1000").await.expect(200);
        assert!(!products["products"].as_array().unwrap().is_empty());
    }
}
