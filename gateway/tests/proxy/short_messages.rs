//! Streams of many short messages behind one connection to the server: what they cost each other, and in how many
//! pieces they reach the caller.

use std::sync::Arc;

use futures_util::future::join_all;
use millrace_gateway::edge::{CorsPolicy, Edge, HostPolicy, Metrics, NoBuiltin};
use millrace_gateway::upstream::Settings;
use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::front::{Front, gateway, settings};
use crate::narrow_reader::{begin, finish};
use crate::raw::{self, framed};

const READERS: usize = 500;
const TAIL: &str = "/v1/items:tail";
/// More than fit into what the gateway and a connection keep of an answer, so that the rest stays unread in HTTP/2's
/// windows.
const MESSAGES: usize = 500;
/// Of a message of 40 bytes.
const TEXT_BYTES: u8 = 38;

/// A line of 38 letters: 40 bytes.
fn message() -> Vec<u8> {
    [&[0x0a, TEXT_BYTES][..], &[b'x'; TEXT_BYTES as usize][..]].concat()
}

/// Answers a unary call with an item, and any other with short messages, each in a frame of HTTP/2 of its own.
async fn flood(mut call: raw::Call) {
    let mut body = call.answer.send_response(raw::head(), false).unwrap();
    let (count, message) = if call.request.uri().path().ends_with("/GetItem") {
        (1, raw::item())
    } else {
        (MESSAGES, framed(&message()))
    };
    for _ in 0..count {
        body.reserve_capacity(message.len());
        while body.capacity() < message.len() {
            std::future::poll_fn(|cx| body.poll_capacity(cx))
                .await
                .unwrap()
                .unwrap();
        }
        body.send_data(message.clone(), false).unwrap();
        // Frames that wait together would be sent as they are anyway, but others have their turn.
        tokio::task::yield_now().await;
    }
    body.send_trailers(raw::trailers(0)).unwrap();
}

#[tokio::test]
async fn slow_readers_of_short_messages_reset_no_other_stream() {
    let (address, calls) = raw::server(flood).await;
    let front = Front::start(Settings {
        connections: 1,
        ..settings(address)
    });
    front.connected().await;
    let mut health = front.upstream.health();
    health.mark_unchanged();
    let edge = Edge {
        request_id: Arc::new(|id| id.write_str("an-id")),
        metrics: Metrics::new(&mut Registry::default()),
        cors: CorsPolicy::Loopback,
        hosts: HostPolicy::Any,
        builtin: Arc::new(NoBuiltin),
    };
    // The same connection to the server, and pipes to the callers: sockets hold more than such a stream has.
    let service = gateway().serve(front.upstream.service(), edge);
    let slow = join_all((0..READERS).map(|_| begin(service.clone(), TAIL))).await;
    // While they do not read: a whole stream, and calls.
    finish(begin(service.clone(), TAIL).await, MESSAGES).await;
    for _ in 0..20 {
        assert_eq!(front.get("/v1/items/7").await.status, 200);
    }
    join_all(slow.into_iter().map(|reader| finish(reader, MESSAGES))).await;
    assert!(!health.has_changed().unwrap(), "the connection was lost");
    assert_eq!(
        calls.load(std::sync::atomic::Ordering::SeqCst),
        READERS + 1 + 20,
        "no call was sent again"
    );
}

/// The chunks of a whole answer over HTTP/1.1.
fn chunks(answer: &str) -> Vec<&str> {
    let (_, mut rest) = answer.split_once("\r\n\r\n").unwrap();
    let mut chunks = Vec::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            break;
        }
        chunks.push(&after[..size]);
        rest = after[size..].strip_prefix("\r\n").unwrap();
    }
    chunks
}

#[tokio::test]
async fn messages_that_came_together_leave_together_and_whole() {
    const TOGETHER: usize = 300;
    // One frame of HTTP/2, of 13.5 KB.
    let messages = framed(&message()).repeat(TOGETHER);
    let (address, _) = raw::server(move |call| {
        let messages = messages.clone();
        async move { raw::bytes_then_ok(call, messages) }
    })
    .await;
    let front = Front::before(address).await;
    let text = "x".repeat(usize::from(TEXT_BYTES));
    // What each message ends with, and what stands around all of them.
    let table = [
        ("application/x-ndjson", "}\n", "", ""),
        (
            "text/event-stream",
            "}\n\n",
            "retry: 3000\n\n",
            "event: end\nid: ;end\ndata: {}\n\n",
        ),
    ];
    for (accept, end, before, after) in table {
        let mut socket = TcpStream::connect(front.address).await.unwrap();
        let request =
            format!("GET /v1/items:tail HTTP/1.1\r\nhost: h\r\naccept: {accept}\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();

        let chunks = chunks(&answer);
        let whole = chunks.concat();
        let events = whole
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after))
            .unwrap();
        assert_eq!(events.matches(&text).count(), TOGETHER, "{accept}");
        // Chunks of 31 KiB, and the end, which may come later.
        let sizes: Vec<_> = chunks.iter().map(|chunk| chunk.len()).collect();
        assert!(sizes.len() <= whole.len() / (31 << 10) + 2, "{accept}: {sizes:?}");
        assert!(chunks.iter().all(|chunk| chunk.ends_with(end)), "{accept}: {sizes:?}");
    }
}
