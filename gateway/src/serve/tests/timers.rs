//! The timers of a connection on a clock that moves only when all wait: the transport is a pipe in memory.

use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{DuplexStream, ReadBuf};
use tokio::time::Instant;

use super::super::connection::{GOODBYE, LAST_CALL};
use super::super::transport::{HALF_CLOSED_MAX, Io};
use super::*;

const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
/// The bytes that fit into a pipe.
const PIPE_BYTES: usize = 4 << 10;
/// Timers may be late by what a timer resolves.
const LATE_MAX: Duration = Duration::from_millis(2);
/// A window of 0 for every stream to come.
const SETTINGS_NO_WINDOW: &[u8] = &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0];
/// HPACK: GET, http; the path follows.
const GET_H2: &[u8] = &[0x82, 0x86, 0x04];
const DATA: u8 = 0;
const RST_STREAM: u8 = 3;
const WINDOW_UPDATE: u8 = 8;

/// A connection, seen from its peer.
struct Pipe {
    peer: DuplexStream,
    stage: Arc<Stage>,
    drain: watch::Sender<bool>,
    serving: JoinHandle<()>,
    since: Instant,
}

async fn pipe(limits: ConnectionLimits, bytes: &[u8]) -> Pipe {
    pipe_over(limits, bytes, |io| Box::new(io)).await
}

async fn pipe_over(limits: ConnectionLimits, bytes: &[u8], transport: fn(DuplexStream) -> Box<dyn Io>) -> Pipe {
    let (mut peer, io) = tokio::io::duplex(PIPE_BYTES);
    let (drain, draining) = watch::channel(false);
    let stage = Stage::new();
    let since = Instant::now();
    let serving = tokio::spawn(connection(
        transport(io),
        PEER,
        stage.service(),
        Arc::new(http2(&limits)),
        limits,
        draining,
    ));
    peer.write_all(bytes).await.unwrap();
    Pipe {
        peer,
        stage,
        drain,
        serving,
        since,
    }
}

impl Pipe {
    /// Waits for the end of the connection, without a read.
    async fn ended(self) -> Duration {
        self.serving.await.unwrap();
        self.since.elapsed()
    }
}

fn at(elapsed: Duration, expected: Duration) -> bool {
    (expected..=expected + LATE_MAX).contains(&elapsed)
}

/// A request for a path over HTTP/2, as the first stream.
fn h2_request(settings: &[u8], path: &str) -> Vec<u8> {
    let headers = [GET_H2, &[u8::try_from(path.len()).unwrap()], path.as_bytes()].concat();
    [PREFACE, settings, &h2(1, 5, 1, &headers)].concat()
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_request_is_closed_by_the_first_request_timer() {
    let settings = [PREFACE, EMPTY_SETTINGS].concat();
    let silent: [(&str, &[u8]); 5] = [
        ("no byte", b""),
        ("half a preface", &PREFACE[..10]),
        ("half a head", b"GET / HTTP/1.1\r\nhost:"),
        ("preface", PREFACE),
        ("preface and settings", &settings),
    ];
    for (what, bytes) in silent {
        let after = pipe(limits(), bytes).await.ended().await;
        assert!(at(after, limits().first_request), "{what}: {after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_a_request_lives_until_it_is_idle() {
    let mut pipe = pipe(limits(), GET).await;
    assert!(answer(&mut pipe.peer).await.starts_with("HTTP/1.1 200"));
    // Past the first-request timer, but not idle for long enough.
    tokio::time::sleep(limits().idle / 2).await;
    pipe.peer.write_all(GET).await.unwrap();
    assert!(answer(&mut pipe.peer).await.starts_with("HTTP/1.1 200"));
    let after = pipe.ended().await;
    assert!(at(after, limits().idle * 3 / 2), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_kept_between_requests_for_as_long_as_it_may_be_idle() {
    let idle = Duration::from_secs(3_600);
    let limits = ConnectionLimits { idle, ..limits() };
    let mut kept = pipe(limits, GET).await;
    assert!(answer(&mut kept.peer).await.starts_with("HTTP/1.1 200"));
    tokio::time::sleep(idle * 9 / 10).await;
    kept.peer.write_all(GET).await.unwrap();
    assert!(answer(&mut kept.peer).await.starts_with("HTTP/1.1 200"));
    // A head that comes by single bytes is no request yet.
    let mut slow = pipe(limits, GET).await;
    assert!(answer(&mut slow.peer).await.starts_with("HTTP/1.1 200"));
    for byte in GET.iter().take(8) {
        slow.peer.write_all(&[*byte]).await.unwrap();
        tokio::time::sleep(idle / 9).await;
    }
    let after = slow.ended().await;
    assert!(after <= idle + GOODBYE + LATE_MAX, "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_is_neither_idle_nor_unread() {
    let mut pipe = pipe(limits(), GET_STREAM).await;
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    assert!(!pipe.serving.is_finished());
    assert!(pipe.peer.read(&mut [0; 1_024]).await.unwrap() > 0);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_cut() {
    let full_pipe = pipe(limits(), GET_FLOOD).await;
    let stage = Arc::clone(&full_pipe.stage);
    let after = full_pipe.ended().await;
    assert!(at(after, limits().unread), "{after:?}");
    stage.drops_one().await;

    // It reads what comes, PINGs and all, but opens no window: for a stream and for an answer that is there at once.
    for path in ["/flood", "/"] {
        let limits = ConnectionLimits {
            unread: KEEP_ALIVE / 2,
            idle: KEEP_ALIVE,
            ..limits()
        };
        let mut no_window = pipe(limits, &h2_request(SETTINGS_NO_WINDOW, path)).await;
        let frames = frames(&mut no_window.peer).await;
        assert!(
            !frames.iter().any(|(kind, _)| [DATA, RST_STREAM].contains(kind)),
            "{path}: {frames:?}"
        );
        let after = no_window.ended().await;
        assert!(at(after, limits.unread), "{path}: {after:?}");
    }
}

/// Takes whatever is written and sends nothing of it, as TLS does for a while.
struct Unsent(DuplexStream);

impl AsyncRead for Unsent {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Unsent {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_transport_took_and_does_not_send_is_unread() {
    let pipe = pipe_over(limits(), GET, |io| Box::new(Unsent(io))).await;
    let after = pipe.ended().await;
    assert!(at(after, limits().unread), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_a_little_is_waited_for() {
    let mut slow = pipe(limits(), GET_FLOOD).await;
    for _ in 0..20 {
        tokio::time::sleep(limits().unread / 2).await;
        slow.peer.read_exact(&mut [0; 1_024]).await.unwrap();
    }
    let last_read = slow.since.elapsed();
    let after = slow.ended().await;
    assert!(at(after, last_read + limits().unread), "{last_read:?} {after:?}");

    let limits = ConnectionLimits {
        unread: KEEP_ALIVE / 2,
        ..limits()
    };
    let mut windowed = pipe(limits, &h2_request(SETTINGS_NO_WINDOW, "/")).await;
    tokio::time::sleep(limits.unread / 2).await;
    windowed
        .peer
        .write_all(&h2(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 4]))
        .await
        .unwrap();
    let kinds: Vec<u8> = frames(&mut windowed.peer).await.iter().map(|(kind, _)| *kind).collect();
    assert!(kinds.contains(&DATA), "{kinds:?}");
    // Its PINGs are not answered.
    let after = windowed.ended().await;
    assert!(at(after, KEEP_ALIVE + KEEP_ALIVE_TIMEOUT), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn a_drain_does_not_wait_for_silence() {
    for (what, bytes) in [
        ("a silent socket", b"".as_slice()),
        ("a preface", PREFACE),
        ("an idle connection", GET),
    ] {
        let pipe = pipe(limits(), bytes).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let begun = pipe.since.elapsed();
        pipe.drain.send(true).unwrap();
        let took = pipe.ended().await - begun;
        assert!(took <= LAST_CALL + GOODBYE + LATE_MAX, "{what}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_before_a_drain_is_answered() {
    // A connection that is new, and one that waits between requests.
    for before in [b"".as_slice(), GET] {
        let mut pipe = pipe(limits(), before).await;
        if !before.is_empty() {
            let text = answer(&mut pipe.peer).await;
            assert!(!text.contains("connection: close"), "{text}");
        }
        pipe.drain.send(true).unwrap();
        // On its way while the drain begins.
        tokio::time::sleep(LAST_CALL / 2).await;
        pipe.peer.write_all(GET).await.unwrap();
        let text = answer(&mut pipe.peer).await;
        assert!(
            text.starts_with("HTTP/1.1 200") && text.contains("connection: close"),
            "{text}"
        );
        assert!(closed(&mut pipe.peer).await.is_empty());
    }
    let mut http2 = pipe(limits(), &[PREFACE, EMPTY_SETTINGS].concat()).await;
    http2.drain.send(true).unwrap();
    let request = [GET_H2, &[1, b'/']].concat();
    http2.peer.write_all(&h2(1, 5, 1, &request)).await.unwrap();
    let frames = frames(&mut http2.peer).await;
    let data: Vec<_> = frames.iter().filter(|(kind, _)| *kind == DATA).collect();
    assert!(data.iter().any(|(_, payload)| payload == b"here"), "{frames:?}");
    assert!(frames.iter().any(|(kind, _)| *kind == GOAWAY), "{frames:?}");
}

#[tokio::test(start_paused = true)]
async fn a_drain_says_goaway_and_cuts_a_peer_that_stays() {
    let mut pipe = pipe(limits(), &h2_request(EMPTY_SETTINGS, "/")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let begun = pipe.since.elapsed();
    pipe.drain.send(true).unwrap();
    // The peer never answers the PING that asks whether it has seen the GOAWAY.
    let kinds: Vec<_> = frames(&mut pipe.peer).await.into_iter().map(|(kind, _)| kind).collect();
    assert!(kinds.contains(&GOAWAY), "GOAWAY among the frames {kinds:?}");
    let took = pipe.ended().await - begun;
    assert!(at(took, LAST_CALL + GOODBYE), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_who_closes_its_side_after_a_whole_request_gets_its_answer() {
    for requests in [GET_HOLD.to_vec(), [GET, GET_HOLD].concat()] {
        let mut pipe = pipe(limits(), &requests).await;
        pipe.peer.shutdown().await.unwrap();
        pipe.stage.holds_one().await;
        tokio::time::sleep(HALF_CLOSED_MAX - Duration::from_secs(1)).await;
        pipe.stage.release.add_permits(1);
        let mut answer = String::new();
        pipe.peer.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("late"), "{answer:?}");
        // And the connection ends with it.
        let after = pipe.ended().await;
        assert!(at(after, HALF_CLOSED_MAX - Duration::from_secs(1)), "{after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_who_closes_its_side_and_is_owed_nothing_for_long_is_gone() {
    for (request, ends) in [
        (GET_HOLD, HALF_CLOSED_MAX),
        (GET_STREAM, HALF_CLOSED_MAX),
        // Who has said what it wants only in part wants nothing.
        (&GET_HOLD[..GET_HOLD.len() - 2], Duration::ZERO),
    ] {
        let mut pipe = pipe(limits(), request).await;
        pipe.peer.shutdown().await.unwrap();
        let after = pipe.ended().await;
        assert!(at(after, ends), "{:?}: {after:?}", String::from_utf8_lossy(request));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_goes_on_while_a_peer_who_has_closed_its_side_reads() {
    let mut pipe = pipe(limits(), GET_FLOOD).await;
    pipe.peer.shutdown().await.unwrap();
    let mut some = [0; PIPE_BYTES];
    for _ in 0..5 {
        tokio::time::sleep(HALF_CLOSED_MAX - Duration::from_secs(1)).await;
        pipe.peer.read_exact(&mut some).await.unwrap();
    }
    assert!(!pipe.serving.is_finished());
    drop(pipe.peer);
    pipe.stage.drops_one().await;
}
