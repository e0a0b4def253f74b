//! What calls and their connection share, behind one lock that nobody waits under: the streams, the windows, and the
//! frames that are to be written. Nothing here does I/O.

mod inbound;
mod outbound;

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::Frame;

use super::error::{Error, Reason};
use super::frame::{self, HEADER_BYTES, PAYLOAD_BYTES_DEFAULT, WINDOW_DEFAULT, kind};
use super::hpack::{Block, Encoder};
use super::{Config, PAYLOAD_BYTES_MAX};

/// Bytes that may wait to be written; what bodies still have then waits in them.
const OUT_BYTES_MAX: usize = 256 << 10;
/// With this many no further call is sent, and with the last no more is read, since that would have to be answered.
const OUT_BYTES_FOR_CALLS_MAX: usize = OUT_BYTES_MAX + OUT_BYTES_MAX / 2;
pub(super) const UNWRITTEN_BYTES_MAX: usize = 2 * OUT_BYTES_MAX;

/// What the server may send on all streams together before it hears that it came. That is said soon, and whoever reads:
/// how much may be unread is for the streams' own windows to bound, so no slow reader holds up another call.
pub(super) const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;

/// The last stream that a client can open (RFC 9113, 5.1.1).
const STREAM_LAST: u32 = 0x7fff_ffff;

/// The lock.
pub(super) struct Shared(Mutex<State>);

/// Of one connection.
pub(super) struct State {
    /// Frames that are to be written.
    pub(super) out: Vec<u8>,
    encoder: Encoder,
    streams: HashMap<u32, Stream, BuildHasherDefault<IdHasher>>,
    next_id: u32,
    /// What the server takes on the connection, on a new stream, and in a frame.
    window: i64,
    stream_window: i64,
    payload_bytes_max: usize,
    /// What a stream may receive unread.
    stream_credit: i64,
    /// What came on all streams and was not said to have come.
    received: u32,
    /// Streams that wait for the connection's window, or for room in `out`.
    waiting: VecDeque<u32>,
    /// Why no further stream is opened.
    refusal: Option<Error>,
    /// The last stream that the server, leaving, has looked at.
    last: u32,
    /// Whom to wake when there is something to be written, or to be closed.
    driver: Option<Waker>,
    /// Whom to wake when the lock is free again.
    wakes: Vec<Waker>,
    ping: Ping,
    /// Whether several calls were in progress since this was last unset.
    pub(super) has_shared: bool,
}

/// Pings, one at a time.
#[derive(Default)]
struct Ping {
    sent: u64,
    answered: u64,
    waker: Option<Waker>,
}

/// Of one call.
struct Stream {
    /// The answer's head, until it is taken.
    head: Option<(StatusCode, HeaderMap)>,
    has_head: bool,
    unread: BytesMut,
    /// What the server may still send.
    credit: i64,
    /// What was read, and is not given back to the server yet.
    read: u32,
    trailers: Option<HeaderMap>,
    /// What is still to come of the body, if the answer said how long it is.
    length: Option<u64>,
    /// Whether the answer is all there.
    has_ended: bool,
    /// How it ended, if not so.
    error: Option<Error>,
    reader: Option<Waker>,
    /// What the server takes.
    window: i64,
    unsent: Bytes,
    /// Whether the request ends with what is unsent.
    ends: bool,
    /// Whether all of it is sent, or nobody wants it any more.
    is_sent: bool,
    /// Whether it is in `waiting`.
    waits: bool,
    writer: Option<Waker>,
}

/// Streams have odd numbers one after the other: that spreads well enough.
#[derive(Default)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0 << 8 | u64::from(*byte);
        }
    }

    fn write_u32(&mut self, id: u32) {
        // By 2^64 over the golden ratio: the map takes the highest bits and the lowest.
        self.0 = u64::from(id).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
    }
}

impl Shared {
    pub(super) fn new(config: &Config) -> Self {
        Self(Mutex::new(State {
            out: config.greeting(),
            encoder: Encoder::new(&config.authority, config.is_tls),
            streams: HashMap::default(),
            next_id: 1,
            window: WINDOW_DEFAULT,
            stream_window: WINDOW_DEFAULT,
            payload_bytes_max: PAYLOAD_BYTES_DEFAULT,
            stream_credit: i64::from(config.stream_window_bytes),
            received: 0,
            waiting: VecDeque::new(),
            refusal: None,
            last: STREAM_LAST,
            driver: None,
            wakes: Vec::new(),
            ping: Ping::default(),
            has_shared: false,
        }))
    }

    /// Nothing panics while it holds the lock, but for want of memory.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something, and wakes the connection if there is something to be written or closed now.
    pub(super) fn act<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let done = act(&mut state);
        let driver = if state.out.is_empty() && !state.is_over() {
            None
        } else {
            state.driver.take()
        };
        // An empty one keeps its memory.
        let wakes = if state.wakes.is_empty() {
            Vec::new()
        } else {
            std::mem::take(&mut state.wakes)
        };
        drop(state);
        wakes.into_iter().chain(driver).for_each(Waker::wake);
        done
    }
}

impl State {
    /// Why no further stream is opened, if none is.
    pub(super) fn refusal(&self) -> Option<&Error> {
        self.refusal.as_ref()
    }

    /// Opens no further stream; those that are open go on. The first word counts.
    pub(super) fn refuse(&mut self, error: Error) {
        self.refusal.get_or_insert(error);
    }

    /// Whether several calls are in progress, or were since the last write.
    pub(super) fn is_shared(&self) -> bool {
        self.has_shared || self.streams.len() > 1
    }

    /// Whether the connection has nothing more to do.
    pub(super) fn is_over(&self) -> bool {
        self.refusal.is_some() && self.streams.is_empty()
    }

    /// Says whom to wake when there is something to be written or closed: there is nothing now. Whoever it was before is
    /// given back, since it may be dropped only without the lock.
    pub(super) fn rest(&mut self, driver: &Waker) -> Option<Waker> {
        match &self.driver {
            Some(waker) if waker.will_wake(driver) => None,
            _ => self.driver.replace(driver.clone()),
        }
    }

    /// Opens a stream; `body` is all of it if it `ends`, and its start if not.
    pub(super) fn open(&mut self, call: &Block, timeout: &HeaderValue, body: Bytes, ends: bool) -> Result<u32, Error> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        if self.out.len() > OUT_BYTES_FOR_CALLS_MAX {
            return Err(Error::Unread);
        }
        let id = self.next_id;
        self.next_id += 2;
        if self.next_id > STREAM_LAST {
            self.refuse(Error::Closed);
        }
        let is_whole = ends && body.is_empty();
        self.out.resize(self.out.len() + HEADER_BYTES, 0);
        let start = self.out.len();
        self.encoder.put(&mut self.out, call, timeout);
        frame::close_headers(&mut self.out, start, id, is_whole, self.payload_bytes_max);
        let has_body = !is_whole && (ends || !body.is_empty());
        self.streams.insert(
            id,
            Stream {
                head: None,
                has_head: false,
                unread: BytesMut::new(),
                credit: self.stream_credit,
                read: 0,
                trailers: None,
                length: None,
                has_ended: false,
                error: None,
                reader: None,
                window: self.stream_window,
                unsent: body,
                ends,
                is_sent: is_whole,
                waits: false,
                writer: None,
            },
        );
        if has_body {
            self.send(id);
        }
        Ok(id)
    }

    /// The head of a stream's answer.
    pub(super) fn poll_head(&mut self, id: u32, cx: &mut Context<'_>) -> Poll<Result<(StatusCode, HeaderMap), Error>> {
        let Some(stream) = self.streams.get_mut(&id) else {
            return Poll::Ready(Err(Error::Closed));
        };
        if let Some(head) = stream.head.take() {
            return Poll::Ready(Ok(head));
        }
        match &stream.error {
            Some(error) => Poll::Ready(Err(error.clone())),
            None => {
                self.wakes.extend(replaced(&mut stream.reader, cx));
                Poll::Pending
            }
        }
    }

    /// The next frame of a stream's answer after its head; `None` at the end. What is read gives the server as much more
    /// to send.
    pub(super) fn poll_frame(&mut self, id: u32, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, Error>> {
        let Some(stream) = self.streams.get_mut(&id) else {
            return Poll::Ready(Err(Error::Closed));
        };
        if !stream.unread.is_empty() {
            let data = match stream.unread.len() {
                ..=PAYLOAD_BYTES_MAX => std::mem::take(&mut stream.unread),
                _ => stream.unread.split_to(PAYLOAD_BYTES_MAX),
            };
            stream.give_back(data.len(), id, self.stream_credit, &mut self.out);
            return Poll::Ready(Ok(Some(Frame::data(data.freeze()))));
        }
        if let Some(trailers) = stream.trailers.take() {
            return Poll::Ready(Ok(Some(Frame::trailers(trailers))));
        }
        if stream.has_ended {
            return Poll::Ready(Ok(None));
        }
        match &stream.error {
            Some(error) => Poll::Ready(Err(error.clone())),
            None => {
                self.wakes.extend(replaced(&mut stream.reader, cx));
                Poll::Pending
            }
        }
    }

    /// Whether everything of an answer was read.
    pub(super) fn is_read(&self, id: u32) -> bool {
        let stream = self.streams.get(&id);
        stream.is_none_or(|stream| stream.has_ended && stream.unread.is_empty() && stream.trailers.is_none())
    }

    /// Forgets a stream, of which nobody reads any more. If it is not over, the server is told.
    pub(super) fn forget(&mut self, id: u32) {
        if let Some(stream) = self.streams.remove(&id) {
            self.has_shared |= !self.streams.is_empty();
            if stream.waits {
                self.waiting.retain(|waiting| *waiting != id);
            }
            if stream.error.is_none() && !(stream.has_ended && stream.is_sent) {
                frame::put_reset(&mut self.out, id, Reason::CANCEL);
            }
            self.wakes.extend(stream.reader.into_iter().chain(stream.writer));
        }
    }

    /// Takes those who are to be woken, in exchange for a list that is empty.
    pub(super) fn take_wakes(&mut self, wakes: &mut Vec<Waker>) {
        std::mem::swap(&mut self.wakes, wakes);
    }

    /// Sends PING; its number.
    pub(super) fn ping(&mut self) -> u64 {
        self.ping.sent += 1;
        frame::put_control(&mut self.out, kind::PING, 0, &self.ping.sent.to_be_bytes());
        self.ping.sent
    }

    /// Waits for the answer to a ping.
    pub(super) fn poll_pong(&mut self, number: u64, cx: &mut Context<'_>) -> Poll<()> {
        if self.ping.answered >= number {
            return Poll::Ready(());
        }
        self.wakes.extend(replaced(&mut self.ping.waker, cx));
        Poll::Pending
    }
}

#[cfg(test)]
impl State {
    pub(super) fn skip_to(&mut self, id: u32) {
        self.next_id = id;
    }
}

impl Stream {
    /// Lets the server send as much more as was read, in not too small parts.
    fn give_back(&mut self, read: usize, id: u32, window: i64, out: &mut Vec<u8>) {
        // No more than a window.
        self.read += read as u32;
        if i64::from(self.read) * 2 >= window && !self.has_ended && self.error.is_none() {
            frame::put_window_update(out, id, self.read);
            self.credit += i64::from(self.read);
            self.read = 0;
        }
    }
}

/// Puts a task's waker into a slot. One that was another task's is woken, since it may be dropped only without the lock.
fn replaced(slot: &mut Option<Waker>, cx: &mut Context<'_>) -> Option<Waker> {
    match slot {
        Some(waker) if waker.will_wake(cx.waker()) => None,
        _ => slot.replace(cx.waker().clone()),
    }
}
