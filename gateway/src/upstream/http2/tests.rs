//! Against servers: h2's, which keeps the rules, and scripts, which need not.

mod calls;
mod endings;
mod rules;
mod windows;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body::Frame;
use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::task::JoinHandle;

use super::frame::{HEADER_BYTES, Head, flag, kind};
use super::*;

/// A connection that is driven.
struct Driven {
    sender: Sender,
    /// How it ended.
    ended: JoinHandle<Result<(), Error>>,
    /// How often it was polled.
    polls: Arc<AtomicUsize>,
    leave: Option<tokio::sync::oneshot::Sender<()>>,
}

fn drive(io: DuplexStream) -> Driven {
    let (sender, mut connection) = Connection::new(io, &config());
    let polls = Arc::new(AtomicUsize::new(0));
    let counted = polls.clone();
    let (leave, mut leaves) = tokio::sync::oneshot::channel();
    let ended = tokio::spawn(async move {
        let mut has_left = false;
        poll_fn(|cx| {
            counted.fetch_add(1, Ordering::Relaxed);
            if !has_left && let Poll::Ready(left) = Pin::new(&mut leaves).poll(cx) {
                has_left = true;
                if left.is_ok() {
                    connection.leave();
                }
            }
            connection.poll(cx)
        })
        .await
    });
    Driven {
        sender,
        ended,
        polls,
        leave: Some(leave),
    }
}

impl Driven {
    fn leave(&mut self) {
        self.leave.take().unwrap().send(()).unwrap();
    }

    fn open(&self, body: impl Into<Bytes>, ends: bool) -> Result<Answer, Error> {
        let mut call = Block::new("/a.A/Do", 1);
        call.put(
            &http::header::CONTENT_TYPE,
            &HeaderValue::from_static("application/grpc"),
        );
        self.sender
            .clone()
            .open(&call, &HeaderValue::from_static("1S"), body.into(), ends)
    }
}

async fn head(answer: &mut Answer) -> Result<(StatusCode, HeaderMap), Error> {
    poll_fn(|cx| answer.poll_head(cx)).await
}

async fn frame(answer: &mut Answer) -> Result<Option<Frame<Bytes>>, Error> {
    poll_fn(|cx| answer.poll_frame(cx)).await
}

/// All of an answer's body, and its trailers, after which nobody asks for more.
async fn rest(answer: &mut Answer) -> Result<(Vec<u8>, Option<HeaderMap>), Error> {
    let mut body = Vec::new();
    while let Some(next) = frame(answer).await? {
        match next.into_data() {
            Ok(data) => body.extend_from_slice(&data),
            Err(next) => return Ok((body, next.into_trailers().ok())),
        }
    }
    Ok((body, None))
}

/// Whatever has to happen has happened.
async fn settle(driven: &Driven) -> usize {
    let mut before = usize::MAX;
    while before != driven.polls.load(Ordering::Relaxed) {
        before = driven.polls.load(Ordering::Relaxed);
        for _ in 0..16 {
            tokio::task::yield_now().await;
        }
    }
    before
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

/// A server that says what it is told to, and keeps what it hears.
struct Script {
    io: DuplexStream,
    heard: Vec<u8>,
}

fn raw(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let head = Head {
        length: payload.len(),
        kind,
        flags,
        stream,
    };
    [&head.bytes()[..], payload].concat()
}

impl Script {
    /// One that has greeted, with these settings.
    async fn greeted(settings: &[(u16, u32)]) -> (Self, Driven) {
        let (near, io) = tokio::io::duplex(1 << 20);
        let mut script = Self { io, heard: Vec::new() };
        let mut greeting = Vec::new();
        put_settings(&mut greeting, settings);
        script.say(&greeting).await;
        let driven = drive(near);
        settle(&driven).await;
        (script, driven)
    }

    async fn say(&mut self, bytes: &[u8]) {
        self.io.write_all(bytes).await.unwrap();
    }

    /// The frames that came, without the greeting.
    async fn frames(&mut self, driven: &Driven) -> Vec<(u8, u8, u32, Vec<u8>)> {
        settle(driven).await;
        let mut buffer = vec![0; 1 << 20];
        while let Ok(Ok(read)) = tokio::time::timeout(Duration::ZERO, self.io.read(&mut buffer)).await
            && read > 0
        {
            self.heard.extend_from_slice(&buffer[..read]);
        }
        let mut rest = self.heard.strip_prefix(PREFACE).unwrap_or(&self.heard);
        let mut frames = Vec::new();
        while let Some(head) = Head::read(rest) {
            let (payload, after) = rest[HEADER_BYTES..].split_at(head.length);
            frames.push((head.kind, head.flags, head.stream, payload.to_vec()));
            rest = after;
        }
        self.heard.clear();
        frames
    }
}

const OK: &[u8] = b"\x88";
const TRAILERS: &[u8] = b"\x00\x0bgrpc-status\x010";

fn ok(stream: u32) -> Vec<u8> {
    raw(kind::HEADERS, flag::END_HEADERS, stream, OK)
}

/// The head of an answer of two bytes.
fn sized(stream: u32) -> Vec<u8> {
    raw(kind::HEADERS, flag::END_HEADERS, stream, b"\x88\x0f\x0d\x012")
}

fn done(stream: u32) -> Vec<u8> {
    raw(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, TRAILERS)
}

fn reset(stream: u32, reason: Reason) -> (u8, u8, u32, Vec<u8>) {
    (kind::RST_STREAM, 0, stream, reason.0.to_be_bytes().to_vec())
}

fn goaway(last: u32, reason: u32) -> Vec<u8> {
    raw(kind::GOAWAY, 0, 0, &[last.to_be_bytes(), reason.to_be_bytes()].concat())
}
