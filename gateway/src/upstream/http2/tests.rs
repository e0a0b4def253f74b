//! Against servers: h2's, which keeps the rules, and scripts, which need not.

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

/// A server that echoes bodies, with windows of so many bytes.
fn echo(io: DuplexStream, window: u32) {
    tokio::spawn(async move {
        let mut builder = h2::server::Builder::new();
        builder
            .initial_window_size(window)
            .initial_connection_window_size(64 << 20);
        let mut connection = builder.handshake::<_, Bytes>(io).await.unwrap();
        while let Some(Ok((request, mut answer))) = connection.accept().await {
            tokio::spawn(async move {
                let (head, mut body) = request.into_parts();
                assert_eq!(head.uri, "http://server:1/a.A/Do");
                assert_eq!(
                    (head.method, &head.headers["te"]),
                    (http::Method::POST, &"trailers".parse().unwrap())
                );
                assert_eq!(head.headers["content-type"], "application/grpc");
                assert_eq!(head.headers["grpc-timeout"], "1S");
                let mut out = answer.send_response(http::Response::new(()), false).unwrap();
                while let Some(Ok(mut data)) = body.data().await {
                    let _ = body.flow_control().release_capacity(data.len());
                    while !data.is_empty() {
                        out.reserve_capacity(data.len());
                        let Some(Ok(room)) = poll_fn(|cx| out.poll_capacity(cx)).await else {
                            return;
                        };
                        let part = data.split_to(room.min(data.len()));
                        out.send_data(part, false).unwrap();
                    }
                }
                let status = HeaderValue::from_static("0");
                out.send_trailers(HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), status)]))
                    .unwrap();
            });
        }
    });
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

#[tokio::test]
async fn bodies_of_every_size_come_back_through_every_window() {
    for window in [1, 100, 65_535, 1 << 20] {
        let (near, far) = tokio::io::duplex(64 << 10);
        echo(far, window);
        let driven = drive(near);
        for length in [0, 1, 100, 16_384, 16_385, 300_000] {
            if length > 1_000 && window < 100 {
                continue;
            }
            let sent = bytes(length);
            let mut answer = driven.open(sent.clone(), true).unwrap();
            let (status, _) = head(&mut answer).await.unwrap();
            let (body, trailers) = rest(&mut answer).await.unwrap();
            assert_eq!((status, body == sent), (StatusCode::OK, true), "{window}, {length}");
            assert_eq!(trailers.unwrap()["grpc-status"], "0");
            assert!(answer.is_read());
        }
    }
}

#[tokio::test]
async fn calls_share_a_connection() {
    let (near, far) = tokio::io::duplex(4 << 10);
    echo(far, 65_535);
    let driven = drive(near);
    let calls = (0..200).map(|index| {
        let sent = bytes(index * 37 % 5_000);
        let mut answer = driven.open(sent.clone(), true).unwrap();
        tokio::spawn(async move {
            head(&mut answer).await.unwrap();
            assert_eq!(rest(&mut answer).await.unwrap().0, sent);
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
}

#[tokio::test]
async fn a_body_goes_on_as_its_window_opens() {
    let (near, far) = tokio::io::duplex(4 << 10);
    echo(far, 1_000);
    let driven = drive(near);
    let mut answer = driven.open(Bytes::new(), false).unwrap();
    let mut body = answer.body();
    let sent = bytes(50_000);
    let mut left = Bytes::from(sent.clone());
    let pump = tokio::spawn(async move {
        while !left.is_empty() {
            assert!(body.send(left.split_to(3_000.min(left.len())), false));
            assert!(poll_fn(|cx| body.poll_sent(cx)).await);
        }
        assert!(body.send(Bytes::new(), true));
        assert!(!body.send(Bytes::new(), true), "it has ended");
        poll_fn(|cx| body.poll_unwanted(cx)).await;
    });
    head(&mut answer).await.unwrap();
    assert_eq!(rest(&mut answer).await.unwrap().0, sent);
    pump.await.unwrap();
}

#[tokio::test]
async fn a_reader_who_is_slow_holds_up_nobody_else() {
    let (near, far) = tokio::io::duplex(64 << 10);
    echo(far, 1 << 20);
    let driven = drive(near);
    let sent = bytes(1 << 20);
    let mut slow: Vec<_> = (0..20).map(|_| driven.open(sent.clone(), true).unwrap()).collect();
    for answer in &mut slow {
        head(answer).await.unwrap();
    }
    settle(&driven).await;
    let mut quick = driven.open("quick", true).unwrap();
    head(&mut quick).await.unwrap();
    assert_eq!(rest(&mut quick).await.unwrap().0, b"quick");
    for mut answer in slow {
        assert!(rest(&mut answer).await.unwrap().0 == sent);
    }
}

#[tokio::test]
async fn a_stream_that_has_ended_wakes_no_connection() {
    let (near, far) = tokio::io::duplex(64 << 10);
    echo(far, 65_535);
    let driven = drive(near);
    let mut answer = driven.open("abc", true).unwrap();
    head(&mut answer).await.unwrap();
    rest(&mut answer).await.unwrap();
    let before = settle(&driven).await;
    drop(answer);
    assert_eq!(settle(&driven).await, before);
    // One that has not does.
    let answer = driven.open("abc", false).unwrap();
    let before = settle(&driven).await;
    drop(answer);
    assert!(settle(&driven).await > before);
}

#[tokio::test]
async fn a_connection_that_is_left_ends_with_its_last_stream() {
    let (near, far) = tokio::io::duplex(64 << 10);
    echo(far, 65_535);
    let mut driven = drive(near);
    let mut answer = driven.open("abc", true).unwrap();
    let (sender, refused) = (driven.sender.clone(), driven.open("", false).unwrap());
    driven.leave();
    head(&mut answer).await.unwrap();
    assert_eq!(rest(&mut answer).await.unwrap().0, b"abc");
    let call = Block::new("/a.A/Do", 0);
    let timeout = HeaderValue::from_static("1S");
    assert!(matches!(
        sender.open(&call, &timeout, Bytes::new(), true),
        Err(Error::Closed)
    ));
    drop(answer);
    assert!(!driven.ended.is_finished());
    drop(refused);
    assert!(matches!(driven.ended.await.unwrap(), Ok(())));
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

#[tokio::test]
async fn what_breaks_the_rules_of_a_connection_ends_it_and_the_server_is_told_why() {
    let (protocol, size, flow) = (
        Reason::PROTOCOL_ERROR,
        Reason::FRAME_SIZE_ERROR,
        Reason::FLOW_CONTROL_ERROR,
    );
    let whole = flag::END_HEADERS;
    let table = [
        ("a stream that nobody opened", ok(5), protocol),
        ("a server's stream", ok(2), protocol),
        (
            "a reset of an idle stream",
            raw(kind::RST_STREAM, 0, 3, &[0; 4]),
            protocol,
        ),
        ("headers of the connection", ok(0), protocol),
        ("data of the connection", raw(kind::DATA, 0, 0, b"a"), protocol),
        (
            "a frame too long",
            raw(kind::DATA, 0, 1, &[0; PAYLOAD_BYTES_MAX + 1]),
            size,
        ),
        (
            "a block that is none",
            raw(kind::HEADERS, whole, 1, b"\xff\xff\xff\xff\xff"),
            Reason::COMPRESSION_ERROR,
        ),
        (
            "padding without end",
            raw(kind::HEADERS, whole | flag::PADDED, 1, b"\x05\x88"),
            protocol,
        ),
        ("a lonely continuation", raw(kind::CONTINUATION, whole, 1, OK), protocol),
        (
            "another frame in a block",
            [raw(kind::HEADERS, 0, 1, OK), raw(kind::PING, 0, 0, &[0; 8])].concat(),
            protocol,
        ),
        (
            "another stream in a block",
            [raw(kind::HEADERS, 0, 1, OK), raw(kind::CONTINUATION, 4, 3, OK)].concat(),
            protocol,
        ),
        (
            "a block without end",
            [
                raw(kind::HEADERS, 0, 1, OK),
                raw(kind::CONTINUATION, 0, 1, b"").repeat(65),
            ]
            .concat(),
            Reason::ENHANCE_YOUR_CALM,
        ),
        (
            "a block that is too long",
            [
                raw(kind::HEADERS, 0, 1, &[0x88; 9_000]),
                raw(kind::CONTINUATION, 0, 1, &[0x88; 9_000]),
            ]
            .concat(),
            Reason::ENHANCE_YOUR_CALM,
        ),
        (
            "a push",
            raw(kind::PUSH_PROMISE, whole, 1, &[0, 0, 0, 2, 0x88]),
            protocol,
        ),
        ("a ping of seven bytes", raw(kind::PING, 0, 0, &[0; 7]), size),
        ("a ping of a stream", raw(kind::PING, 0, 1, &[0; 8]), protocol),
        ("settings of a stream", raw(kind::SETTINGS, 0, 1, &[]), protocol),
        ("settings of five bytes", raw(kind::SETTINGS, 0, 0, &[0; 5]), size),
        (
            "an answer to settings with some",
            raw(kind::SETTINGS, flag::ACK, 0, &[0; 6]),
            size,
        ),
        (
            "a push turned on",
            raw(kind::SETTINGS, 0, 0, &[0, 2, 0, 0, 0, 1]),
            protocol,
        ),
        (
            "a window too large",
            raw(kind::SETTINGS, 0, 0, &[0, 4, 0x80, 0, 0, 0]),
            flow,
        ),
        (
            "frames too small",
            raw(kind::SETTINGS, 0, 0, &[0, 5, 0, 0, 0x3f, 0xff]),
            protocol,
        ),
        (
            "frames too large",
            raw(kind::SETTINGS, 0, 0, &[0, 5, 1, 0, 0, 0]),
            protocol,
        ),
        ("a short goaway", raw(kind::GOAWAY, 0, 0, &[0; 7]), size),
        ("a goaway of a stream", raw(kind::GOAWAY, 0, 1, &[0; 8]), protocol),
        (
            "a window opened by nothing",
            raw(kind::WINDOW_UPDATE, 0, 0, &[0; 4]),
            protocol,
        ),
        (
            "a window opened too far",
            raw(kind::WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]),
            flow,
        ),
        ("a short window update", raw(kind::WINDOW_UPDATE, 0, 1, &[0; 3]), size),
        ("a short reset", raw(kind::RST_STREAM, 0, 1, &[0; 3]), size),
        (
            "a goaway that takes back what it said",
            [goaway(1, 0), goaway(3, 0)].concat(),
            protocol,
        ),
    ];
    for (what, said, reason) in table {
        let (mut script, driven) = Script::greeted(&[]).await;
        let mut answer = driven.open("", true).unwrap();
        script.say(&said).await;
        let frames = script.frames(&driven).await;
        let [a, b, c, d] = reason.0.to_be_bytes();
        let goaway = (kind::GOAWAY, 0, 0, vec![0, 0, 0, 0, a, b, c, d]);
        assert_eq!(frames.last(), Some(&goaway), "{what}");
        assert!(matches!(driven.ended.await.unwrap(), Err(Error::Broken(_))), "{what}");
        assert!(matches!(head(&mut answer).await, Err(Error::Broken(_))), "{what}");
    }
}

#[tokio::test]
async fn what_does_not_greet_is_no_server() {
    for said in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        &raw(kind::PING, 0, 0, &[0; 8]),
        &raw(kind::SETTINGS, flag::ACK, 0, &[]),
    ] {
        let (near, mut far) = tokio::io::duplex(1 << 10);
        far.write_all(said).await.unwrap();
        let driven = drive(near);
        assert!(matches!(driven.ended.await.unwrap(), Err(Error::Broken(why)) if why.contains("SETTINGS")));
    }
}

#[tokio::test]
async fn what_breaks_the_rules_of_a_stream_resets_it_alone() {
    let protocol = Reason::PROTOCOL_ERROR;
    let large: Vec<u8> = [&b"\x88\x40\x01a\x7f\xa1\x1e"[..], &[b'v'; 4_000], &[0xbe; 5]].concat();
    let table = [
        ("a body without a head", raw(kind::DATA, 0, 1, b"a"), protocol),
        (
            "a head without a status",
            raw(kind::HEADERS, flag::END_HEADERS, 1, TRAILERS),
            protocol,
        ),
        (
            "a head of capitals",
            raw(kind::HEADERS, flag::END_HEADERS, 1, b"\x88\x00\x01A\x01b"),
            protocol,
        ),
        (
            "an end before the head",
            raw(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, b"\x08\x03100"),
            protocol,
        ),
        (
            "trailers without an end",
            [ok(1), raw(kind::HEADERS, flag::END_HEADERS, 1, TRAILERS)].concat(),
            protocol,
        ),
        (
            "two heads",
            [ok(1), raw(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, OK)].concat(),
            protocol,
        ),
        (
            "a window opened by nothing",
            raw(kind::WINDOW_UPDATE, 0, 1, &[0; 4]),
            protocol,
        ),
        (
            "a window opened too far",
            raw(kind::WINDOW_UPDATE, 0, 1, &[0x7f, 0xff, 0xff, 0xff]),
            Reason::FLOW_CONTROL_ERROR,
        ),
        (
            "more than its window",
            [ok(1), raw(kind::DATA, 0, 1, &[0; 40_000]).repeat(2)].concat(),
            Reason::FLOW_CONTROL_ERROR,
        ),
        (
            "a body longer than it said",
            [sized(1), raw(kind::DATA, 0, 1, b"abc")].concat(),
            protocol,
        ),
        (
            "a body shorter than it said",
            [sized(1), raw(kind::DATA, 0, 1, b"a"), done(1)].concat(),
            protocol,
        ),
        (
            "headers too large",
            raw(kind::HEADERS, flag::END_HEADERS, 1, &large),
            Reason::ENHANCE_YOUR_CALM,
        ),
    ];
    for (what, said, reason) in table {
        let (mut script, driven) = Script::greeted(&[]).await;
        let mut broken = driven.open("", true).unwrap();
        let mut other = driven.open("", true).unwrap();
        script.frames(&driven).await;
        // What comes after it is no answer any more.
        script
            .say(&[said, ok(1), raw(kind::DATA, 0, 1, b"a"), done(1)].concat())
            .await;
        assert_eq!(script.frames(&driven).await, [reset(1, reason)], "{what}");
        let error = match head(&mut broken).await {
            Ok(_) => rest(&mut broken).await.unwrap_err(),
            Err(error) => error,
        };
        let is_told = match reason {
            Reason::ENHANCE_YOUR_CALM => matches!(
                error,
                Error::HeadersTooLarge {
                    bytes: 24_198,
                    max: 1_024
                }
            ),
            _ => matches!(error, Error::StreamBroken(_)),
        };
        assert!(is_told, "{what}: {error}");
        drop(broken);
        script.say(&[ok(3), done(3)].concat()).await;
        assert_eq!(head(&mut other).await.unwrap().0, StatusCode::OK, "{what}");
        assert!(rest(&mut other).await.unwrap().1.is_some(), "{what}");
        assert_eq!(script.frames(&driven).await, [], "{what}");
        // What still comes of a stream that is over is nobody's.
        script
            .say(
                &[
                    raw(kind::DATA, 0, 1, b"late"),
                    done(1),
                    raw(kind::WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]),
                ]
                .concat(),
            )
            .await;
        assert_eq!(script.frames(&driven).await, [], "{what}");
        assert!(!driven.ended.is_finished(), "{what}");
    }
}

#[tokio::test]
async fn what_a_client_need_not_understand_is_passed_over() {
    let (mut script, driven) = Script::greeted(&[(0x77, 7), (setting::HEADER_TABLE_SIZE, 0)]).await;
    let mut answer = driven.open("", true).unwrap();
    let opened = script.frames(&driven).await;
    let block = opened
        .iter()
        .find(|(kind, ..)| *kind == kind::HEADERS)
        .map(|(.., block)| block);
    assert_eq!(block.unwrap()[0], 0x20, "a table of nothing is said to be one");
    let said = [
        raw(kind::PRIORITY, 0, 1, &[0; 5]),
        raw(0x77, 0xff, 77, b"unknown"),
        raw(kind::HEADERS, flag::END_HEADERS, 1, b"\x08\x03100"),
        raw(kind::HEADERS, flag::END_HEADERS, 1, b"\x08\x03103\x00\x04link\x01l"),
        raw(
            kind::HEADERS,
            flag::PADDED | flag::PRIORITY,
            1,
            b"\x03\0\0\0\0\0\x88\0\0\0",
        ),
        raw(kind::CONTINUATION, 0, 1, b"\x00\x01"),
        raw(kind::CONTINUATION, flag::END_HEADERS, 1, b"a\x01b"),
        raw(kind::DATA, flag::PADDED, 1, b"\x02ab\0\0"),
        raw(kind::DATA, flag::END_STREAM, 1, b""),
        raw(kind::PING, 0, 0, b"whatever"),
        raw(kind::PING, flag::ACK, 0, b"whatever"),
    ];
    script.say(&said.concat()).await;
    let (status, headers) = head(&mut answer).await.unwrap();
    assert_eq!(
        (status, headers.len(), &headers["a"]),
        (StatusCode::OK, 1, &"b".parse().unwrap())
    );
    assert_eq!(rest(&mut answer).await.unwrap(), (b"ab".to_vec(), None));
    assert_eq!(
        script.frames(&driven).await,
        [(kind::PING, flag::ACK, 0, b"whatever".to_vec())]
    );
}

#[tokio::test]
async fn a_server_that_leaves_has_not_looked_at_later_streams() {
    let (mut script, driven) = Script::greeted(&[]).await;
    let (mut first, mut second) = (driven.open("", true).unwrap(), driven.open("", true).unwrap());
    // As servers do that close in peace: first that they will, then what they have seen.
    script.say(&goaway(0x7fff_ffff, 0)).await;
    settle(&driven).await;
    let why = [&goaway(1, 0)[HEADER_BYTES..], b"why"].concat();
    script.say(&raw(kind::GOAWAY, 0, 0, &why)).await;
    let error = head(&mut second).await.unwrap_err();
    assert!(matches!(error, Error::Unprocessed(Reason::NO_ERROR)) && error.is_unprocessed());
    assert!(matches!(driven.open("", true), Err(Error::Leaving(Reason::NO_ERROR))));
    script.say(&[ok(1), done(1)].concat()).await;
    head(&mut first).await.unwrap();
    rest(&mut first).await.unwrap();
    drop((first, second));
    assert!(matches!(driven.ended.await.unwrap(), Ok(())));
}

#[tokio::test]
async fn a_connection_that_breaks_ends_its_streams_after_what_came() {
    let (mut script, driven) = Script::greeted(&[]).await;
    let mut answers = [1, 3, 5].map(|_| driven.open("", true).unwrap());
    script
        .say(
            &[
                ok(1),
                raw(kind::DATA, 0, 1, b"abc"),
                ok(3),
                done(3),
                raw(kind::DATA, 0, 5, b"cut")[..10].to_vec(),
            ]
            .concat(),
        )
        .await;
    settle(&driven).await;
    drop(script);
    assert!(
        matches!(driven.ended.await.unwrap(), Err(Error::Io(_))),
        "in the middle of a frame"
    );
    let [first, second, third] = &mut answers;
    head(first).await.unwrap();
    assert_eq!(frame(first).await.unwrap().unwrap().into_data().unwrap(), "abc");
    let error = frame(first).await.unwrap_err();
    assert!(matches!(error, Error::Io(_)) && !error.is_unprocessed());
    head(second).await.unwrap();
    assert!(rest(second).await.unwrap().1.is_some(), "it had come");
    assert!(matches!(head(third).await, Err(Error::Io(_))));
}

#[tokio::test]
async fn a_call_that_was_answered_unread_is_reset() {
    let (mut script, driven) = Script::greeted(&[(setting::INITIAL_WINDOW_SIZE, 3)]).await;
    let mut answer = driven.open("unread", true).unwrap();
    let sent = script.frames(&driven).await;
    assert_eq!(
        sent.last(),
        Some(&(kind::DATA, 0, 1, b"unr".to_vec())),
        "what its window takes"
    );
    script.say(&[ok(1), done(1)].concat()).await;
    head(&mut answer).await.unwrap();
    rest(&mut answer).await.unwrap();
    drop(answer);
    assert_eq!(script.frames(&driven).await, [reset(1, Reason::CANCEL)]);
}

#[tokio::test]
async fn windows_that_change_count_for_streams_that_are_open() {
    let (mut script, driven) = Script::greeted(&[(setting::INITIAL_WINDOW_SIZE, 5)]).await;
    let _answer = driven.open("0123456789abcdef", true).unwrap();
    let data = |bytes: &[u8], ends| (kind::DATA, u8::from(ends), 1, bytes.to_vec());
    assert_eq!(script.frames(&driven).await.last(), Some(&data(b"01234", false)));
    let ack = (kind::SETTINGS, flag::ACK, 0, Vec::new());
    // Below nothing, and from there up again.
    script.say(&raw(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 2])).await;
    assert_eq!(script.frames(&driven).await, std::slice::from_ref(&ack));
    script.say(&raw(kind::WINDOW_UPDATE, 0, 1, &[0, 0, 0, 3])).await;
    assert_eq!(script.frames(&driven).await, []);
    script.say(&raw(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 4])).await;
    assert_eq!(script.frames(&driven).await, [data(b"56", false), ack.clone()]);
    script.say(&raw(kind::WINDOW_UPDATE, 0, 1, &[0, 0, 1, 0])).await;
    assert_eq!(script.frames(&driven).await, [data(b"789abcdef", true)]);
}

#[tokio::test]
async fn streams_that_wait_for_the_connections_window_have_their_turns() {
    let (mut script, driven) = Script::greeted(&[(setting::INITIAL_WINDOW_SIZE, 1 << 20)]).await;
    let calls: Vec<_> = (0..3).map(|_| driven.open(bytes(65_535), true).unwrap()).collect();
    let sent = |frames: Vec<(u8, u8, u32, Vec<u8>)>| {
        let mut sent = std::collections::BTreeMap::<u32, usize>::new();
        for (_, _, stream, data) in frames.into_iter().filter(|(kind, ..)| *kind == kind::DATA) {
            *sent.entry(stream).or_default() += data.len();
        }
        sent.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(sent(script.frames(&driven).await), [(1, 65_535)]);
    let mut pumped = driven.open("", false).unwrap();
    let mut body = pumped.body();
    assert!(body.send(Bytes::from_static(b"0123456789"), true));
    let last = driven.open(bytes(65_535), true).unwrap();
    let pump = tokio::spawn(async move { poll_fn(|cx| body.poll_sent(cx)).await });
    let open = |bytes: u32| raw(kind::WINDOW_UPDATE, 0, 0, &bytes.to_be_bytes());
    script.say(&open(65_535 + 5)).await;
    assert_eq!(sent(script.frames(&driven).await), [(3, 65_535), (5, 5)]);
    // One that is given up gives up its turn; those that were first come first.
    drop(calls);
    script.frames(&driven).await;
    assert!(!pump.is_finished());
    script.say(&open(15)).await;
    assert_eq!(sent(script.frames(&driven).await), [(7, 10), (9, 5)]);
    assert!(pump.await.unwrap());
    script.say(&[ok(7), done(7)].concat()).await;
    head(&mut pumped).await.unwrap();
    drop(last);
}

#[tokio::test]
async fn a_server_that_reads_nothing_is_sent_no_more_than_there_is_room_for() {
    let windows = [(setting::INITIAL_WINDOW_SIZE, i32::MAX.cast_unsigned())];
    let (near, mut far) = tokio::io::duplex(1 << 10);
    let mut greeting = Vec::new();
    put_settings(&mut greeting, &windows);
    put_window_update(&mut greeting, 0, 1 << 30);
    let heard = tokio::spawn(async move {
        far.write_all(&greeting).await.unwrap();
        far
    });
    let driven = drive(near);
    let mut far = heard.await.unwrap();
    settle(&driven).await;
    let answer = driven.open(bytes(10 << 20), true).unwrap();
    settle(&driven).await;
    let waiting = answer.waiting_bytes();
    assert!(waiting <= (256 << 10) + (16 << 10), "{waiting}");
    // Heads are bounded too, also of calls that are given up.
    let refused = (0..100_000).find_map(|_| driven.open("", true).err());
    assert!(matches!(refused, Some(Error::Unread)));
    let waiting = answer.waiting_bytes();
    assert!(waiting <= (384 << 10) + (16 << 10), "{waiting}");
    // Nor is it read while it has that much to read itself.
    let pings = raw(kind::PING, 0, 0, &[0; 8]).repeat(1_000_000);
    let flood = tokio::spawn(async move {
        let _ = tokio::time::timeout(Duration::from_millis(200), far.write_all(&pings)).await;
        far
    });
    let _far = flood.await.unwrap();
    let waiting = answer.waiting_bytes();
    assert!(waiting <= (512 << 10) + (64 << 10), "{waiting}");
}

#[tokio::test]
async fn a_connection_that_is_dropped_ends_its_streams() {
    let (_script, driven) = Script::greeted(&[]).await;
    let mut answer = driven.open("", true).unwrap();
    driven.ended.abort();
    assert!(matches!(head(&mut answer).await, Err(Error::Closed)));
    assert!(matches!(driven.open("", true), Err(Error::Closed)));
}

#[tokio::test]
async fn padding_is_given_back_though_nobody_reads() {
    let (mut script, driven) = Script::greeted(&[]).await;
    let _answer = driven.open("", true).unwrap();
    script.frames(&driven).await;
    let padding = raw(kind::DATA, flag::PADDED, 1, &[&[255][..], &[0; 255]].concat());
    script.say(&[ok(1), padding.repeat(1_000)].concat()).await;
    let given: u32 = script
        .frames(&driven)
        .await
        .into_iter()
        .map(|(kind, _, stream, payload)| {
            assert_eq!((kind, stream), (kind::WINDOW_UPDATE, 1));
            u32::from_be_bytes(payload.try_into().unwrap())
        })
        .sum();
    assert!((256_000 - 32_768..=256_000).contains(&given), "{given}");
}

#[tokio::test]
async fn short_frames_that_nobody_reads_cost_their_bytes() {
    let (mut script, driven) = Script::greeted(&[]).await;
    let mut answer = driven.open("", true).unwrap();
    script
        .say(&[ok(1), raw(kind::DATA, 0, 1, b"a").repeat(60_000), done(1)].concat())
        .await;
    head(&mut answer).await.unwrap();
    settle(&driven).await;
    let chunk = frame(&mut answer).await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(chunk, vec![b'a'; 60_000]);
}

#[tokio::test]
async fn a_ping_is_answered_or_not() {
    let (mut script, driven) = Script::greeted(&[]).await;
    let pings = driven.sender.pings();
    let asked = tokio::spawn(async move { pings.ping().await });
    let frames = script.frames(&driven).await;
    let (.., payload) = frames
        .iter()
        .find(|(kind, flags, ..)| (*kind, *flags) == (kind::PING, 0))
        .unwrap();
    script.say(&raw(kind::PING, flag::ACK, 0, &[9; 8])).await;
    settle(&driven).await;
    assert!(!asked.is_finished(), "the answer to another");
    script.say(&raw(kind::PING, flag::ACK, 0, payload)).await;
    asked.await.unwrap();
}

#[tokio::test]
async fn what_came_before_a_connection_broke_is_read() {
    /// Reads what is there, and cannot be written.
    struct Half(DuplexStream);

    impl AsyncRead for Half {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_read(cx, buf)
        }
    }

    impl AsyncWrite for Half {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    let (near, mut far) = tokio::io::duplex(64 << 10);
    let (sender, mut connection) = Connection::new(Half(near), &config());
    let call = Block::new("/a.A/Do", 0);
    let timeout = HeaderValue::from_static("1S");
    let open = || sender.clone().open(&call, &timeout, Bytes::new(), true).unwrap();
    let (mut first, mut second) = (open(), open());
    let said = [raw(kind::SETTINGS, 0, 0, &[]), ok(1), done(1), goaway(1, 0)].concat();
    far.write_all(&said).await.unwrap();
    assert!(matches!(poll_fn(|cx| connection.poll(cx)).await, Err(Error::Io(_))));
    head(&mut first).await.unwrap();
    assert!(rest(&mut first).await.unwrap().1.is_some());
    assert!(head(&mut second).await.unwrap_err().is_unprocessed());
}

#[tokio::test]
async fn a_connection_says_why_its_server_left() {
    let (mut script, driven) = Script::greeted(&[]).await;
    let mut answer = driven.open("", true).unwrap();
    script.say(&goaway(1, Reason::ENHANCE_YOUR_CALM.0)).await;
    settle(&driven).await;
    drop(script);
    let is_told = |error: &Error| matches!(error, Error::Leaving(Reason::ENHANCE_YOUR_CALM));
    assert!(is_told(&driven.ended.await.unwrap().unwrap_err()));
    let error = head(&mut answer).await.unwrap_err();
    assert!(is_told(&error) && !error.is_unprocessed());
}

#[tokio::test]
async fn a_connection_that_is_left_while_nothing_goes_on_ends() {
    let (mut script, mut driven) = Script::greeted(&[]).await;
    script.frames(&driven).await;
    driven.leave();
    let goodbye = script.frames(&driven).await;
    assert_eq!(goodbye, [(kind::GOAWAY, 0, 0, vec![0; 8])]);
    assert!(driven.ended.await.unwrap().is_ok());
}

#[tokio::test]
async fn what_comes_is_said_to_have_come_though_nobody_reads() {
    let (mut script, driven) = Script::greeted(&[]).await;
    drop(driven.open("", true).unwrap());
    script.frames(&driven).await;
    let half = CONNECTION_WINDOW_BYTES / 2;
    for _ in 0..half / PAYLOAD_BYTES_MAX as u32 {
        assert_eq!(script.frames(&driven).await, []);
        script.say(&raw(kind::DATA, 0, 1, &[0; PAYLOAD_BYTES_MAX])).await;
    }
    let frames = script.frames(&driven).await;
    assert_eq!(frames, [(kind::WINDOW_UPDATE, 0, 0, half.to_be_bytes().to_vec())]);
}

#[tokio::test]
async fn a_head_longer_than_a_frame_is_one_all_the_same() {
    let (near, far) = tokio::io::duplex(64 << 10);
    let server = tokio::spawn(async move {
        let mut builder = h2::server::Builder::new();
        let builder = builder.max_header_list_size(1 << 20);
        let mut connection = builder.handshake::<_, Bytes>(far).await.unwrap();
        let (request, mut answer) = connection.accept().await.unwrap().unwrap();
        answer.send_response(http::Response::new(()), true).unwrap();
        tokio::spawn(async move { while connection.accept().await.is_some() {} });
        request.headers()["x-long"].len()
    });
    let driven = drive(near);
    let mut call = Block::new("/a.A/Do", 1);
    let long = HeaderValue::try_from("v".repeat(50_000)).unwrap();
    call.put(&HeaderName::from_static("x-long"), &long);
    let timeout = HeaderValue::from_static("1S");
    let mut answer = driven.sender.clone().open(&call, &timeout, Bytes::new(), true).unwrap();
    assert_eq!(head(&mut answer).await.unwrap().0, StatusCode::OK);
    assert_eq!(server.await.unwrap(), 50_000);
}

#[tokio::test]
async fn a_body_that_nobody_wants_is_cut_and_its_answer_is_whole() {
    let (mut script, driven) = Script::greeted(&[]).await;
    let mut answer = driven.open("", false).unwrap();
    let mut body = answer.body();
    assert!(body.send(Bytes::from_static(b"abc"), false));
    let said = [
        ok(1),
        raw(kind::DATA, 0, 1, b"answer"),
        done(1),
        raw(kind::RST_STREAM, 0, 1, &[0; 4]),
    ];
    script.say(&said.concat()).await;
    poll_fn(|cx| body.poll_unwanted(cx)).await;
    assert!(!body.send(Bytes::from_static(b"more"), false));
    head(&mut answer).await.unwrap();
    let (found, trailers) = rest(&mut answer).await.unwrap();
    assert_eq!((found, trailers.is_some()), (b"answer".to_vec(), true));
    script.frames(&driven).await;
    drop(answer);
    assert_eq!(script.frames(&driven).await, [], "it is over both ways");
}

#[tokio::test]
async fn when_no_number_is_left_another_connection_is_needed() {
    let (_script, driven) = Script::greeted(&[]).await;
    driven.sender.skip_to(0x7fff_ffff);
    let last = driven.open("", true).unwrap();
    assert!(matches!(driven.open("", true), Err(Error::Closed)));
    drop(last);
    assert!(driven.ended.await.unwrap().is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_server_says_every_call_ends(
        frames in prop::collection::vec(
            (0..11_u8, any::<u8>(), 0..6_u32, prop::collection::vec(any::<u8>(), 0..40)),
            0..40,
        ),
        tail: Vec<u8>,
        pipe in 1..2_000_usize,
        cut in 1..5_000_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (near, far) = tokio::io::duplex(pipe);
            let (mut hears, mut says) = tokio::io::split(far);
            let driven = drive(near);
            let mut first = driven.open(bytes(70_000), true).unwrap();
            let mut second = driven.open("", false).unwrap();
            let mut said = raw(kind::SETTINGS, 0, 0, &[]);
            said.extend(frames.iter().flat_map(|(kind, flags, stream, payload)| raw(*kind, *flags, *stream, payload)));
            said.extend_from_slice(&tail);
            let mut heard = [0; 500];
            for part in said.chunks(cut) {
                let mut rest = part;
                while !rest.is_empty() {
                    tokio::select! {
                        written = says.write(rest) => match written {
                            Ok(written) => rest = &rest[written..],
                            Err(_) => break,
                        },
                        read = hears.read(&mut heard) => if !matches!(read, Ok(1..)) {
                            break;
                        },
                    }
                }
                tokio::task::yield_now().await;
            }
            drop((hears, says));
            let _ = driven.ended.await.unwrap();
            for answer in [&mut first, &mut second] {
                if head(answer).await.is_ok() {
                    let _ = rest(answer).await;
                }
            }
        });
    }
}
