//! What a long stream through the binary costs in memory: nothing that grows with it. By the most that was ever
//! resident in its process. With optimisation the long one is of 1 GiB:
//! `cargo test --release -p millrace-gateway --test standalone memory`.

#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use bytes::{BufMut, Bytes, BytesMut};
use h2::server::SendResponse;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use tokio::net::TcpListener;

use crate::support::{Gateway, echo, file};

const MESSAGE_BYTES: usize = 64 << 10;
/// Messages of a short stream (1 MiB), and of a long one: 1 GiB, or 64 MiB in a build without optimisation, which does
/// that in seconds.
const SHORT: usize = 16;
const LONG: usize = if cfg!(debug_assertions) { 1_024 } else { 16_384 };
const GROWTH_BYTES_MAX: usize = 8 << 20;

#[test]
fn a_long_stream_takes_no_more_memory_than_one_of_1_mib() {
    const TEST: &str = "memory";
    let descriptors = echo(
        TEST,
        &[("rpc Get(Item) returns (Item)", "rpc Get(Item) returns (stream Item)")],
    );
    let descriptors = file(TEST, "echo.binpb", descriptors);
    let url = format!("http://{}", flood());
    for accept in ["application/x-ndjson", "application/json", "text/event-stream"] {
        let gateway = Gateway::run(&["--upstream", &url, "--descriptors", &descriptors]);
        let download = |count: usize| {
            assert!(read(gateway.address, accept, count) > count * MESSAGE_BYTES, "{accept}");
            most_resident(gateway.id())
        };
        let before = download(SHORT);
        let growth = download(LONG) - before;
        println!("{LONG} messages as {accept}: {growth} bytes more than of {before}");
        assert!(growth <= GROWTH_BYTES_MAX, "{accept}: {growth} bytes more");
    }
}

/// A server whose answer is as many items as the request's number says, each with a title of 64 KiB.
fn flood() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // Serves until the test's process ends.
    std::thread::spawn(move || {
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut connection = h2::server::handshake(stream).await.unwrap();
                    while let Some(Ok((mut request, answer))) = connection.accept().await {
                        tokio::spawn(async move {
                            let message = request.body_mut().data().await.unwrap().unwrap();
                            send(answer, number(&message[5..])).await;
                        });
                    }
                });
            }
        });
    });
    address
}

/// The number in a message's first field.
fn number(message: &[u8]) -> usize {
    let bytes = message[1..].iter().enumerate();
    bytes.fold(0, |number, (at, byte)| number | usize::from(byte & 0x7f) << (7 * at))
}

async fn send(mut answer: SendResponse<Bytes>, count: usize) {
    let head = Response::builder().header("content-type", "application/grpc");
    let mut body = answer.send_response(head.body(()).unwrap(), false).unwrap();
    let mut message = BytesMut::new();
    message.put_u8(0);
    message.put_u32(u32::try_from(MESSAGE_BYTES + 4).unwrap());
    // The second field, and its length of 64 KiB as a varint.
    message.put_slice(&[0x12, 0x80, 0x80, 0x04]);
    message.put_bytes(b'x', MESSAGE_BYTES);
    let message = message.freeze();
    for _ in 0..count {
        let mut rest = message.clone();
        while !rest.is_empty() {
            body.reserve_capacity(rest.len());
            let room = std::future::poll_fn(|cx| body.poll_capacity(cx))
                .await
                .unwrap()
                .unwrap();
            body.send_data(rest.split_to(room.min(rest.len())), false).unwrap();
        }
    }
    let status = (HeaderName::from_static("grpc-status"), HeaderValue::from(0));
    body.send_trailers(HeaderMap::from_iter([status])).unwrap();
}

/// Reads a stream to its end and keeps nothing; how many bytes it has.
fn read(gateway: SocketAddr, accept: &str, count: usize) -> usize {
    let mut socket = TcpStream::connect(gateway).unwrap();
    let request =
        format!("GET /v1/items/{count} HTTP/1.1\r\nhost: localhost\r\naccept: {accept}\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let (mut buffer, mut total) = (vec![0; MESSAGE_BYTES], 0);
    loop {
        match socket.read(&mut buffer).unwrap() {
            0 => return total,
            read => total += read,
        }
    }
}

/// The most bytes that were ever resident in a process.
fn most_resident(process: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}
