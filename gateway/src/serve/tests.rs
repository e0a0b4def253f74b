//! The accept loop under raw sockets that behave badly. What is about time alone is in `tests/timers.rs`.

mod timers;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::*;
use crate::body::{HttpRequest, HttpResponse, ResponseBody};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const EMPTY_SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const GET_HOLD: &[u8] = b"GET /hold HTTP/1.1\r\nhost: a\r\n\r\n";
const GET_STREAM: &[u8] = b"GET /stream HTTP/1.1\r\nhost: a\r\n\r\n";
const GET_FLOOD: &[u8] = b"GET /flood HTTP/1.1\r\nhost: a\r\n\r\n";
/// Longer than any test should wait for what has to come.
const PATIENCE: Duration = Duration::from_secs(30);

fn limits() -> ConnectionLimits {
    ConnectionLimits {
        connections: 100,
        connections_per_ip: 100,
        streams: 100,
        first_request: Duration::from_secs(10),
        idle: Duration::from_secs(60),
        unread: Duration::from_secs(300),
    }
}

/// What the service of a test and the test tell each other.
struct Stage {
    /// A permit for each request to `/hold` that has come.
    held: Semaphore,
    /// Permits for their answers.
    release: Semaphore,
    /// Chunks of 1 KiB that `/flood` has made.
    flooded: AtomicUsize,
    /// Answers whose bodies are still there.
    bodies: Semaphore,
}

impl Stage {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            held: Semaphore::new(0),
            release: Semaphore::new(0),
            flooded: AtomicUsize::new(0),
            bodies: Semaphore::new(0),
        })
    }

    /// Waits for a request to `/hold`.
    async fn holds_one(&self) {
        let held = tokio::time::timeout(PATIENCE, self.held.acquire()).await;
        held.expect("a request comes").unwrap().forget();
    }

    /// Waits until the body of a stream is dropped.
    async fn drops_one(&self) {
        let dropped = tokio::time::timeout(PATIENCE, self.bodies.acquire()).await;
        dropped.expect("the body is dropped").unwrap().forget();
    }

    /// `/hold` answers when it is released, `/stream` never ends, `/flood` always has more, all else answers at once.
    async fn answer(self: Arc<Self>, request: HttpRequest) -> HttpResponse {
        let body = match request.uri().path() {
            "/stream" => ResponseBody::stream(StreamBody::new(futures_util::stream::pending())),
            "/flood" => {
                let dropped = Dropped(Arc::clone(&self));
                let chunks = futures_util::stream::repeat_with(move || {
                    dropped.0.flooded.fetch_add(1, Ordering::SeqCst);
                    Ok(Frame::data(Bytes::from_static(&[0; 1_024])))
                });
                ResponseBody::stream(StreamBody::new(chunks))
            }
            "/hold" => {
                self.held.add_permits(1);
                self.release.acquire().await.unwrap().forget();
                ResponseBody::full("late")
            }
            _ => ResponseBody::full("here"),
        };
        Response::new(body)
    }

    fn service(self: &Arc<Self>) -> HttpService {
        let stage = Arc::clone(self);
        HttpService::from_fn(move |request| Arc::clone(&stage).answer(request))
    }
}

struct Dropped(Arc<Stage>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.bodies.add_permits(1);
    }
}

/// A listener on a free port.
struct Fixture {
    address: SocketAddr,
    stage: Arc<Stage>,
    drain: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

fn start(limits: ConnectionLimits, drain_max: Duration) -> Fixture {
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (drain, draining) = watch::channel(false);
    let stage = Stage::new();
    let serving = tokio::spawn(serve(listener, stage.service(), limits, draining, drain_max));
    Fixture {
        address,
        stage,
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

    /// Waits for the end of the drain.
    async fn drained(self) {
        tokio::time::timeout(PATIENCE, self.serving)
            .await
            .expect("it ends")
            .unwrap();
    }
}

/// Reads until the peer closes.
async fn closed(socket: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset, too, is an end.
    let _ = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut bytes))
        .await
        .expect("it closes");
    bytes
}

/// Reads one answer of the stage.
async fn answer(socket: &mut (impl AsyncRead + Unpin)) -> String {
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
async fn connections_above_the_caps_are_closed_at_once() {
    let fixture = start(
        ConnectionLimits {
            connections_per_ip: 2,
            first_request: Duration::from_secs(60),
            ..limits()
        },
        PATIENCE,
    );
    let mut kept = [fixture.connect(GET).await, fixture.connect(GET).await];
    for socket in &mut kept {
        assert!(answer(socket).await.starts_with("HTTP/1.1 200"));
    }
    closed(&mut TcpStream::connect(fixture.address).await.unwrap()).await;
    drop(kept);
    let has_room = async {
        // The server learns of the end of the two in its own time.
        while !answer(&mut fixture.connect(GET).await)
            .await
            .starts_with("HTTP/1.1 200")
        {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, has_room).await.is_ok());
}

#[tokio::test]
async fn a_drain_finishes_what_is_in_progress_and_accepts_no_more() {
    let fixture = start(limits(), PATIENCE);
    let mut socket = fixture.connect(GET_HOLD).await;
    fixture.stage.holds_one().await;
    fixture.drain.send(true).unwrap();
    let closes = async {
        while TcpStream::connect(fixture.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, closes).await.is_ok(), "the port closes");
    fixture.stage.release.add_permits(1);
    let text = answer(&mut socket).await;
    assert!(text.ends_with("late") && text.contains("connection: close"), "{text}");
    fixture.drained().await;
}

// On one thread: the server sees nothing of it before the drain has begun.
#[tokio::test]
async fn a_connection_that_was_made_before_the_drain_is_served() {
    use std::io::Write;
    let fixture = start(limits(), PATIENCE);
    let mut socket = std::net::TcpStream::connect(fixture.address).unwrap();
    socket.write_all(GET).unwrap();
    fixture.drain.send(true).unwrap();
    socket.set_nonblocking(true).unwrap();
    let text = answer(&mut TcpStream::from_std(socket).unwrap()).await;
    assert!(
        text.starts_with("HTTP/1.1 200") && text.contains("connection: close"),
        "{text}"
    );
    fixture.drained().await;
}

#[tokio::test]
async fn a_drain_ends_whatever_the_peers_do() {
    let fixture = start(limits(), Duration::from_millis(100));
    let _stream = fixture.connect(GET_HOLD).await;
    fixture.stage.holds_one().await;
    fixture.drain.send(true).unwrap();
    fixture.drained().await;
}

#[tokio::test]
async fn settings_announce_the_stream_cap_and_the_window() {
    let fixture = start(
        ConnectionLimits {
            streams: 77,
            ..limits()
        },
        PATIENCE,
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

const GOAWAY: u8 = 7;
const ENHANCE_YOUR_CALM: u32 = 11;

/// One HTTP/2 frame.
fn h2(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Reads to the end: kind and payload of each frame.
async fn frames(socket: &mut (impl AsyncRead + Unpin)) -> Vec<(u8, Vec<u8>)> {
    let wire = closed(socket).await;
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
    const GET_HELD: &[u8] = &[0x82, 0x86, 0x04, 5, b'/', b'h', b'o', b'l', b'd'];
    let resets: Vec<u8> = (0..1_000_u32)
        .flat_map(|number| {
            [
                h2(1, 5, 2 * number + 1, GET_HELD),
                h2(3, 0, 2 * number + 1, &[0, 0, 0, 8]),
            ]
            .concat()
        })
        .collect();
    let mut headers_without_end = h2(1, 1, 1, GET_HELD);
    for _ in 0..200 {
        headers_without_end.extend(h2(9, 0, 1, &[0; 16_000]));
    }
    for (what, flood) in [("rapid reset", resets), ("CONTINUATION", headers_without_end)] {
        let fixture = start(limits(), PATIENCE);
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
async fn a_reader_that_does_not_read_holds_back_the_stream_and_is_cut() {
    let unread = Duration::from_millis(500);
    let fixture = start(ConnectionLimits { unread, ..limits() }, PATIENCE);
    let _socket = fixture.connect(GET_FLOOD).await;
    fixture.stage.drops_one().await;
    let flooded = fixture.stage.flooded.load(Ordering::SeqCst);
    // What is on its way sits in the kernel: our send buffer (which it doubles) and the reader's receive buffer.
    assert!((1..8 << 10).contains(&flooded), "{flooded} KiB were produced");
}
