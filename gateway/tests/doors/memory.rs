//! What long streams cost in memory: nothing that grows with them. Measured in a process of its own, by the most that
//! was ever resident. With optimisation the long ones are of 1 GiB: `cargo test --release -p millrace-gateway --test
//! doors memory`.

#![cfg(target_os = "linux")]

use std::process::Command;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::sockets::{builder, listening, service, streams};

const MESSAGE_BYTES: usize = 64 << 10;
/// Messages of a short stream (1 MiB), and of a long one: 1 GiB, or 64 MiB in a build without optimisation, which does
/// that in seconds.
const SHORT: usize = 16;
const LONG: usize = if cfg!(debug_assertions) { 1_024 } else { 16_384 };
/// Set in the environment of a process that runs one of the measurements.
const ALONE: &str = "MILLRACE_TEST_ALONE";
const GROWTH_BYTES_MAX: usize = 8 << 20;

#[test]
fn a_long_stream_takes_no_more_memory_than_one_of_1_mib() {
    for direction in ["memory::downloads", "memory::uploads"] {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", direction, "--nocapture"])
            .env(ALONE, "")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(
            child.status.success() && said.contains("1 passed"),
            "{direction}: {said}"
        );
        println!("{said}");
    }
}

#[tokio::test]
async fn downloads() {
    if !is_alone() {
        return;
    }
    for accept in ["application/x-ndjson", "application/json", "text/event-stream"] {
        let download = async |count: usize| {
            let mut socket = connect().await;
            let head = format!(
                "GET /v1/flood?count={count}&bytes={MESSAGE_BYTES} HTTP/1.1\r\nhost: localhost\r\naccept: {accept}\r\n\
                 connection: close\r\n\r\n"
            );
            socket.write_all(head.as_bytes()).await.unwrap();
            assert!(drain(&mut socket).await > count * MESSAGE_BYTES, "{accept}");
        };
        let before = most_resident_after(download(SHORT)).await;
        let growth = most_resident_after(download(LONG)).await - before;
        println!("{LONG} messages down as {accept}: {growth} bytes more than of {before}");
        assert!(growth <= GROWTH_BYTES_MAX, "{accept}: {growth} bytes more");
    }
}

#[tokio::test]
async fn uploads() {
    if !is_alone() {
        return;
    }
    let element = format!("{{\"text\":\"{}\"}}", "x".repeat(MESSAGE_BYTES));
    for (content_type, open, between, close) in [
        ("application/x-ndjson", "", "\n", ""),
        ("application/json", "[", ",", "]"),
    ] {
        let upload = async |count: usize| {
            let mut socket = connect().await;
            let bytes = open.len() + count * (element.len() + 1) - between.len() + close.len();
            let head = format!(
                "POST /v1/whole HTTP/1.1\r\nhost: localhost\r\ncontent-type: {content_type}\r\n\
                 content-length: {bytes}\r\nconnection: close\r\n\r\n{open}"
            );
            socket.write_all(head.as_bytes()).await.unwrap();
            for number in 0..count {
                socket.write_all(element.as_bytes()).await.unwrap();
                let after = if number + 1 < count { between } else { close };
                socket.write_all(after.as_bytes()).await.unwrap();
            }
            let mut answer = String::new();
            socket.read_to_string(&mut answer).await.unwrap();
            assert!(answer.ends_with(&format!("{{\"count\":\"{count}\"}}")), "{answer}");
        };
        let before = most_resident_after(upload(SHORT)).await;
        let growth = most_resident_after(upload(LONG)).await - before;
        println!("{LONG} messages up as {content_type}: {growth} bytes more than of {before}");
        assert!(growth <= GROWTH_BYTES_MAX, "{content_type}: {growth} bytes more");
    }
}

/// Whether this process was started for one test: what others need would be measured too.
#[expect(
    clippy::disallowed_methods,
    reason = "the environment is how the test tells its child what it is"
)]
fn is_alone() -> bool {
    std::env::var_os(ALONE).is_some()
}

async fn connect() -> TcpStream {
    let (inner, mut events) = streams();
    // What is heard is forgotten, or it would be what grows.
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    let address = listening(service(&builder().build().unwrap(), inner)).await;
    TcpStream::connect(address).await.unwrap()
}

/// Reads to the end and keeps nothing.
async fn drain(socket: &mut TcpStream) -> usize {
    let (mut buffer, mut total) = (vec![0; 64 << 10], 0);
    loop {
        match socket.read(&mut buffer).await.unwrap() {
            0 => return total,
            read => total += read,
        }
    }
}

/// The most bytes that were ever resident in this process, after some work.
async fn most_resident_after(work: impl Future<Output = ()>) -> usize {
    work.await;
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}
