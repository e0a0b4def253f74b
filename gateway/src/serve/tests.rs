//! The accept loop under raw sockets that behave badly. Limits are short here; each test says which one ends it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use tower::service_fn;

use super::*;

type Answer = UnsyncBoxBody<Bytes, Infallible>;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const EMPTY_SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

struct Fixture {
    address: SocketAddr,
    drain: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

fn limits() -> ConnectionLimits {
    ConnectionLimits {
        connections: 100,
        connections_per_ip: 100,
        streams: 100,
        first_request: Duration::from_millis(300),
        idle: Duration::from_secs(60),
    }
}

/// Chunks of 1 KiB that `/flood` has made, in all tests.
static FLOODED: AtomicUsize = AtomicUsize::new(0);

/// Serves: `/slow` answers after 400 ms, `/stream` never ends, `/flood` always has more, all else at once.
fn start(limits: ConnectionLimits, drain_max: Duration) -> Fixture {
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (drain, draining) = watch::channel(false);
    let service = service_fn(async |request: Request<Incoming>| {
        let body: Answer = match request.uri().path() {
            "/stream" => StreamBody::new(futures_util::stream::pending()).boxed_unsync(),
            "/flood" => {
                let chunks = futures_util::stream::repeat_with(|| {
                    FLOODED.fetch_add(1, Ordering::SeqCst);
                    Ok(Frame::data(Bytes::from_static(&[0; 1_024])))
                });
                StreamBody::new(chunks).boxed_unsync()
            }
            "/slow" => {
                tokio::time::sleep(Duration::from_millis(400)).await;
                Full::from("late").boxed_unsync()
            }
            _ => Full::from("here").boxed_unsync(),
        };
        Ok::<_, Infallible>(Response::new(body))
    });
    let serving = tokio::spawn(serve(listener, service, limits, draining, drain_max));
    Fixture {
        address,
        drain,
        serving,
    }
}

impl Fixture {
    async fn connect(&self, bytes: &[u8]) -> TcpStream {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        socket
    }

    /// Drains and returns how long it took.
    async fn drained(self) -> Duration {
        let begin = Instant::now();
        self.drain.send(true).unwrap();
        self.serving.await.unwrap();
        begin.elapsed()
    }
}

/// Reads until the peer closes, at most two seconds; `None` if it does not.
async fn closed_after(socket: &mut TcpStream) -> Option<Duration> {
    let begin = Instant::now();
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(2), socket.read_to_end(&mut bytes)).await;
    read.is_ok().then(|| begin.elapsed())
}

async fn answer(socket: &mut TcpStream) -> String {
    let mut bytes = [0; 1_024];
    let mut text = String::new();
    while !text.ends_with("here") && !text.ends_with("late") {
        let count = socket.read(&mut bytes).await.unwrap();
        if count == 0 {
            break;
        }
        text.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    text
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed_by_the_first_request_timer() {
    let fixture = start(limits(), Duration::from_secs(10));
    let settings = [PREFACE, EMPTY_SETTINGS].concat();
    let silent: [(&str, &[u8]); 5] = [
        ("no byte", b""),
        ("half a preface", &PREFACE[..10]),
        ("half a head", b"GET / HTTP/1.1\r\nhost:"),
        ("preface", PREFACE),
        ("preface and settings", &settings),
    ];
    for (what, bytes) in silent {
        let after = closed_after(&mut fixture.connect(bytes).await).await.expect(what);
        assert!((250..1_900).contains(&after.as_millis()), "{what}: {after:?}");
    }
}

#[tokio::test]
async fn a_connection_with_a_request_lives_until_it_is_idle() {
    let idle = Duration::from_millis(600);
    let fixture = start(ConnectionLimits { idle, ..limits() }, Duration::from_secs(10));
    let mut socket = fixture.connect(GET).await;
    assert!(answer(&mut socket).await.starts_with("HTTP/1.1 200"));
    // Past the first-request timer, but not idle for long enough.
    tokio::time::sleep(Duration::from_millis(400)).await;
    socket.write_all(GET).await.unwrap();
    assert!(answer(&mut socket).await.starts_with("HTTP/1.1 200"));
    let after = closed_after(&mut socket).await.expect("idle connections are closed");
    assert!((500..1_900).contains(&after.as_millis()), "{after:?}");

    // A stream in progress is not idle, however silent.
    let mut streaming = fixture.connect(b"GET /stream HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(closed_after(&mut streaming).await, None);
}

#[tokio::test]
async fn connections_above_the_caps_are_closed_at_once() {
    let fixture = start(
        ConnectionLimits {
            connections_per_ip: 2,
            first_request: Duration::from_secs(60),
            ..limits()
        },
        Duration::from_secs(10),
    );
    let mut kept = [fixture.connect(GET).await, fixture.connect(GET).await];
    for socket in &mut kept {
        assert!(answer(socket).await.starts_with("HTTP/1.1 200"));
    }
    let mut refused = TcpStream::connect(fixture.address).await.unwrap();
    let after = closed_after(&mut refused).await.expect("the third is closed");
    assert!(after < Duration::from_millis(1_500), "{after:?}");
    drop(kept);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(
        answer(&mut fixture.connect(GET).await)
            .await
            .starts_with("HTTP/1.1 200")
    );
}

#[tokio::test]
async fn settings_announce_the_stream_cap_and_the_window() {
    let fixture = start(
        ConnectionLimits {
            streams: 77,
            ..limits()
        },
        Duration::from_secs(10),
    );
    let mut socket = fixture.connect(&[PREFACE, EMPTY_SETTINGS].concat()).await;
    let mut head = [0; 9];
    socket.read_exact(&mut head).await.unwrap();
    assert_eq!(head[3], 4, "SETTINGS come first");
    let mut settings = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
    socket.read_exact(&mut settings).await.unwrap();
    let find = |id: u16| {
        let entry = settings
            .chunks(6)
            .find(|entry| u16::from_be_bytes([entry[0], entry[1]]) == id);
        entry.map(|entry| u32::from_be_bytes(entry[2..6].try_into().unwrap()))
    };
    assert_eq!(find(3), Some(77), "MAX_CONCURRENT_STREAMS");
    assert_eq!(find(4), Some(STREAM_WINDOW_BYTES), "INITIAL_WINDOW_SIZE");
    assert_eq!(find(6), Some(HEADER_BYTES_MAX), "MAX_HEADER_LIST_SIZE");
}

#[tokio::test]
async fn a_drain_does_not_wait_for_silence() {
    for (what, bytes) in [
        ("a silent socket", b"".as_slice()),
        ("a preface", PREFACE),
        ("an idle connection", GET),
    ] {
        let fixture = start(limits(), Duration::from_secs(10));
        let _socket = fixture.connect(bytes).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        let took = fixture.drained().await;
        assert!(took < Duration::from_millis(900), "{what}: {took:?}");
    }
}

#[tokio::test]
async fn a_drain_finishes_what_is_in_progress_and_accepts_no_more() {
    let fixture = start(limits(), Duration::from_secs(10));
    let address = fixture.address;
    let mut socket = fixture.connect(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let drained = tokio::spawn(fixture.drained());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(TcpStream::connect(address).await.is_err(), "the port is closed");
    let text = answer(&mut socket).await;
    assert!(text.ends_with("late") && text.contains("connection: close"), "{text}");
    let took = drained.await.unwrap();
    assert!((200..5_000).contains(&took.as_millis()), "{took:?}");
}

#[tokio::test]
async fn a_drain_ends_whatever_the_peers_do() {
    let fixture = start(limits(), Duration::from_millis(500));
    let _stream = fixture.connect(b"GET /stream HTTP/1.1\r\nhost: a\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let took = fixture.drained().await;
    assert!((450..5_000).contains(&took.as_millis()), "{took:?}");
}

#[tokio::test]
async fn a_drain_says_goaway_and_cuts_a_peer_that_stays() {
    let fixture = start(limits(), Duration::from_secs(10));
    // HEADERS of stream 1, END_STREAM and END_HEADERS, HPACK: GET, /, http, and no more.
    let request = [&[0, 0, 3, 1, 5, 0, 0, 0, 1][..], &[0x82, 0x84, 0x86]].concat();
    let mut socket = fixture.connect(&[PREFACE, EMPTY_SETTINGS, &request].concat()).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    // The peer never answers the PING that asks whether it has seen the GOAWAY.
    let took = fixture.drained().await;
    assert!((900..5_000).contains(&took.as_millis()), "{took:?}");
    let kinds: Vec<_> = frames(&mut socket).await.into_iter().map(|(kind, _)| kind).collect();
    assert!(kinds.contains(&GOAWAY), "GOAWAY among the frames {kinds:?}");
}

const GOAWAY: u8 = 7;
const ENHANCE_YOUR_CALM: u32 = 11;

/// One HTTP/2 frame.
fn h2(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Reads to the end: kind and payload of each frame.
async fn frames(socket: &mut TcpStream) -> Vec<(u8, Vec<u8>)> {
    let mut wire = Vec::new();
    // A reset, too, is an end.
    let _ = tokio::time::timeout(Duration::from_secs(5), socket.read_to_end(&mut wire))
        .await
        .expect("it closes");
    let mut rest = wire.as_slice();
    let mut frames = Vec::new();
    while let Some((head, after)) = rest.split_first_chunk::<9>() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let Some((payload, after)) = after.split_at_checked(length) else {
            break;
        };
        frames.push((head[3], payload.to_vec()));
        rest = after;
    }
    frames
}

#[tokio::test]
async fn floods_of_frames_end_the_connection() {
    const GET_SLOW: &[u8] = &[0x82, 0x86, 0x04, 5, b'/', b's', b'l', b'o', b'w'];
    let resets: Vec<u8> = (0..1_000_u32)
        .flat_map(|number| {
            [
                h2(1, 5, 2 * number + 1, GET_SLOW),
                h2(3, 0, 2 * number + 1, &[0, 0, 0, 8]),
            ]
            .concat()
        })
        .collect();
    let mut headers_without_end = h2(1, 1, 1, GET_SLOW);
    for _ in 0..200 {
        headers_without_end.extend(h2(9, 0, 1, &[0; 16_000]));
    }
    for (what, flood) in [("rapid reset", resets), ("CONTINUATION", headers_without_end)] {
        let fixture = start(limits(), Duration::from_secs(10));
        let mut socket = fixture.connect(&[PREFACE, EMPTY_SETTINGS].concat()).await;
        // The server may close before it has read all.
        let _ = socket.write_all(&flood).await;
        let frames = frames(&mut socket).await;
        let goaway = frames
            .iter()
            .find(|(kind, _)| *kind == GOAWAY)
            .unwrap_or_else(|| panic!("{what}: no GOAWAY"));
        let code = u32::from_be_bytes(goaway.1[4..8].try_into().unwrap());
        assert_eq!(code, ENHANCE_YOUR_CALM, "{what}");
        assert!(
            answer(&mut fixture.connect(GET).await)
                .await
                .starts_with("HTTP/1.1 200"),
            "others are served"
        );
    }
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_back_the_stream() {
    let fixture = start(limits(), Duration::from_secs(10));
    let _socket = fixture.connect(b"GET /flood HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut before = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = FLOODED.load(Ordering::SeqCst);
        if now == before {
            break;
        }
        before = now;
    }
    // What is on its way sits in the kernel: our send buffer (which it doubles) and the reader's receive buffer.
    assert!((1..8 << 10).contains(&before), "{before} KiB were produced");
}
