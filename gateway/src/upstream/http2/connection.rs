//! A connection's task: it writes what is there to be written, reads what comes, and tells the streams.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Config;
use super::error::{Error, Reason, Violation};
use super::frame::{self, HEADER_BYTES, Head, flag, kind, setting};
use super::hpack::Decoder;
use super::state::{OUT_BYTES_MAX, Shared};
use super::stream::{Pings, Sender};

/// Bytes that are read at once; more where a frame is longer.
const INPUT_BYTES: usize = 16 << 10;
/// Frames after HEADERS that one block may take, however short they are.
const CONTINUATIONS_MAX: usize = 64;
/// Bytes of a buffer that is kept.
const KEPT_BYTES_MAX: usize = 64 << 10;

/// A connection; to be polled until it ends.
pub(in crate::upstream) struct Connection<T> {
    io: T,
    shared: Arc<Shared>,
    /// What came and was not looked at is between the two ends.
    input: Vec<u8>,
    start: usize,
    end: usize,
    /// What is being written, from there on.
    output: Vec<u8>,
    written: usize,
    frames: Frames,
    /// Kept for its memory.
    wakes: Vec<Waker>,
    /// Whether no stream is opened any more.
    is_leaving: bool,
    /// Whether the server was told that the connection ends.
    said_goodbye: bool,
}

/// What is to be known to read a frame.
struct Frames {
    decoder: Decoder,
    header_bytes_max: usize,
    /// A header block that goes on.
    block: Option<Block>,
    /// How many streams the server takes at once; `None` before its SETTINGS.
    streams_max: Option<usize>,
}

struct Block {
    stream: u32,
    ends: bool,
    bytes: Vec<u8>,
    continuations: usize,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Connection<T> {
    /// Begins one; what opens its streams beside it. Nothing should be opened before the server has greeted.
    pub(in crate::upstream) fn new(io: T, config: &Config) -> (Sender, Self) {
        let shared = Arc::new(Shared::new(config));
        let connection = Self {
            io,
            shared: shared.clone(),
            input: vec![0; INPUT_BYTES],
            start: 0,
            end: 0,
            output: Vec::new(),
            written: 0,
            frames: Frames {
                decoder: Decoder::new(),
                header_bytes_max: config.header_bytes_max as usize,
                block: None,
                streams_max: None,
            },
            wakes: Vec::new(),
            is_leaving: false,
            said_goodbye: false,
        };
        (Sender(shared), connection)
    }

    /// Asks whether the server is there.
    pub(in crate::upstream) fn pings(&self) -> Pings {
        Pings(self.shared.clone())
    }

    /// How many streams the server takes at once; `None` before it has greeted.
    pub(in crate::upstream) fn streams_max(&self) -> Option<usize> {
        self.frames.streams_max
    }

    /// Why no stream is opened any more, if none is.
    pub(in crate::upstream) fn refusal(&self) -> Option<Error> {
        match self.is_leaving {
            true => self.shared.lock().refusal().cloned(),
            false => None,
        }
    }

    /// Opens no more streams. The connection ends when those that are open have.
    pub(in crate::upstream) fn leave(&mut self) {
        self.is_leaving = true;
        self.shared.act(|state| state.refuse(Error::Closed));
    }

    /// Moves frames. It ends when the server has closed the connection, or when no stream is opened any more and all have
    /// ended.
    pub(in crate::upstream) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let ended = match ready!(self.poll_ended(cx)) {
            Ok(()) => Ok(()),
            Err(Stop::Error(error)) => Err(error),
            Err(Stop::Violation(violation)) => {
                self.blame(violation, cx);
                Err(Error::Broken(violation.why))
            }
        };
        let error = match &ended {
            Ok(()) => &Error::Closed,
            Err(error) => error,
        };
        self.is_leaving = true;
        self.shared.act(|state| state.end(error));
        Poll::Ready(ended)
    }

    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stop>> {
        loop {
            let has_written = self.poll_write(cx)?.is_ready();
            if has_written && self.said_goodbye {
                return Pin::new(&mut self.io).poll_shutdown(cx).map_err(Stop::from);
            }
            // Whoever does not read what he is answered is not read either.
            if !has_written && self.shared.lock().out.len() > 2 * OUT_BYTES_MAX {
                return Poll::Pending;
            }
            match self.poll_read(cx)? {
                Poll::Ready(0) => return Poll::Ready(self.closed()),
                Poll::Ready(_) => self.take_in()?,
                // What was put since the last look has woken nobody.
                Poll::Pending if has_written && !self.rest(cx) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Writes all that there is.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stop>> {
        loop {
            while let Some(rest) = self.output.get(self.written..).filter(|rest| !rest.is_empty()) {
                match ready!(Pin::new(&mut self.io).poll_write(cx, rest))? {
                    0 => return Poll::Ready(Err(io::Error::from(io::ErrorKind::WriteZero).into())),
                    written => self.written += written,
                }
            }
            self.written = 0;
            self.output.clear();
            if self.output.capacity() > KEPT_BYTES_MAX {
                self.output = Vec::new();
            }
            let mut state = self.shared.lock();
            if state.out.is_empty() {
                drop(state);
                return Pin::new(&mut self.io).poll_flush(cx).map_err(Stop::from);
            }
            std::mem::swap(&mut state.out, &mut self.output);
            // There is room now.
            state.send_waiting();
            state.take_wakes(&mut self.wakes);
            drop(state);
            self.wakes.drain(..).for_each(Waker::wake);
        }
    }

    /// Says whom to wake for what is put next; false if there is something to do now.
    fn rest(&mut self, cx: &mut Context<'_>) -> bool {
        let mut state = self.shared.lock();
        self.is_leaving |= state.refusal().is_some();
        if self.is_leaving && state.is_over() && !self.said_goodbye {
            self.said_goodbye = true;
            frame::put_goaway(&mut state.out, Reason::NO_ERROR);
        }
        if !state.out.is_empty() {
            return false;
        }
        state.rest(cx.waker().clone());
        true
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(&mut self.input[self.end..]);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer))?;
        let read = buffer.filled().len();
        self.end += read;
        Poll::Ready(Ok(read))
    }

    /// Takes in all frames that are there.
    fn take_in(&mut self) -> Result<(), Violation> {
        let mut taken = Ok(());
        while let Some(head) = Head::read(&self.input[self.start..self.end]) {
            if let Err(violation) = self.frames.check(head) {
                taken = Err(violation);
                break;
            }
            let bytes = HEADER_BYTES + head.length;
            if self.end - self.start < bytes {
                break;
            }
            let payload = &self.input[self.start + HEADER_BYTES..self.start + bytes];
            if let Err(violation) = self.frames.take(head, payload, &self.shared) {
                taken = Err(violation);
                break;
            }
            self.start += bytes;
        }
        self.make_room();
        // After all of them: most answers come as several, and wake their call once.
        let mut state = self.shared.lock();
        state.take_wakes(&mut self.wakes);
        self.is_leaving |= state.refusal().is_some();
        drop(state);
        self.wakes.drain(..).for_each(Waker::wake);
        taken
    }

    /// Makes room for the frame that is there in part, or for the next.
    fn make_room(&mut self) {
        let rest = &self.input[self.start..self.end];
        let bytes = Head::read(rest).map_or(HEADER_BYTES, |head| HEADER_BYTES + head.length);
        if rest.is_empty() {
            (self.start, self.end) = (0, 0);
        } else if self.start + bytes > self.input.len() {
            self.input.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.start + bytes > self.input.len() {
            // Checked to be no longer than was allowed.
            self.input.resize(bytes, 0);
        }
    }

    /// How the connection ends that the server has closed.
    fn closed(&self) -> Result<(), Stop> {
        match self.start == self.end && self.frames.block.is_none() {
            true => Ok(()),
            false => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        }
    }

    /// Tells the server what it did, if that can be written at once.
    fn blame(&mut self, violation: Violation, cx: &mut Context<'_>) {
        self.shared.lock().out.clear();
        // A frame that was begun would have to be ended first.
        if self.written == 0 {
            self.output.clear();
        }
        frame::put_goaway(&mut self.output, violation.reason);
        let _ = self.poll_write(cx);
    }
}

impl<T> Drop for Connection<T> {
    /// Streams that are still open end with it.
    fn drop(&mut self) {
        self.shared.act(|state| state.end(&Error::Closed));
    }
}

/// What stops a connection.
enum Stop {
    Error(Error),
    Violation(Violation),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Error(error.into())
    }
}

impl From<Violation> for Stop {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

impl Frames {
    /// What can be said of a frame by its header alone.
    fn check(&self, head: Head) -> Result<(), Violation> {
        if self.streams_max.is_none() && (head.kind != kind::SETTINGS || head.has(flag::ACK)) {
            return Err(Violation::protocol("it did not begin with SETTINGS"));
        }
        if head.length > super::PAYLOAD_BYTES_MAX {
            return Err(Violation::size("a frame is longer than was allowed"));
        }
        match &self.block {
            Some(block) if head.kind != kind::CONTINUATION || head.stream != block.stream => {
                Err(Violation::protocol("a header block was interrupted"))
            }
            None if head.kind == kind::CONTINUATION => Err(Violation::protocol("CONTINUATION came without HEADERS")),
            _ => Ok(()),
        }
    }

    /// Takes a frame.
    fn take(&mut self, head: Head, payload: &[u8], shared: &Shared) -> Result<(), Violation> {
        let is_of_stream = matches!(
            head.kind,
            kind::DATA | kind::HEADERS | kind::PRIORITY | kind::RST_STREAM | kind::CONTINUATION
        );
        let is_of_connection = matches!(head.kind, kind::SETTINGS | kind::PING | kind::GOAWAY);
        if (is_of_stream && head.stream == 0) || (is_of_connection && head.stream != 0) {
            return Err(Violation::protocol("a frame is of a stream that it cannot be of"));
        }
        match head.kind {
            kind::DATA => {
                let data = frame::unpadded(head, payload).ok_or_else(padding)?;
                shared
                    .lock()
                    .data(head.stream, data, payload.len(), head.has(flag::END_STREAM))
            }
            kind::HEADERS => {
                let block = frame::unpadded(head, payload).ok_or_else(padding)?;
                let ends = head.has(flag::END_STREAM);
                if head.has(flag::END_HEADERS) {
                    return self.headers(head.stream, block, ends, shared);
                }
                self.block = Some(Block {
                    stream: head.stream,
                    ends,
                    bytes: block.to_vec(),
                    continuations: 0,
                });
                Ok(())
            }
            kind::CONTINUATION => self.go_on(head, payload, shared),
            kind::RST_STREAM => shared.lock().reset(head.stream, Reason(number(payload)?)),
            kind::SETTINGS if head.has(flag::ACK) => match payload.is_empty() {
                true => Ok(()),
                false => Err(Violation::size("an answer to SETTINGS has a payload")),
            },
            kind::SETTINGS => self.settings(payload, shared),
            kind::PUSH_PROMISE => Err(Violation::protocol("PUSH_PROMISE came, which is turned off")),
            kind::PING => {
                let payload = payload.try_into().map_err(|_| length())?;
                shared.lock().pinged(payload, head.has(flag::ACK));
                Ok(())
            }
            kind::GOAWAY => {
                let (last, rest) = payload.split_first_chunk().ok_or_else(length)?;
                let reason = rest.first_chunk().ok_or_else(length)?;
                let last = u32::from_be_bytes(*last) & 0x7fff_ffff;
                shared.lock().going_away(last, Reason(u32::from_be_bytes(*reason)));
                Ok(())
            }
            kind::WINDOW_UPDATE => shared.lock().window_update(head.stream, number(payload)? & 0x7fff_ffff),
            // PRIORITY says nothing to a client, and what is unknown to nobody (RFC 9113, 5.5).
            _ => Ok(()),
        }
    }

    /// Takes more of a header block.
    fn go_on(&mut self, head: Head, payload: &[u8], shared: &Shared) -> Result<(), Violation> {
        let Some(mut block) = self.block.take() else {
            return Ok(());
        };
        block.continuations += 1;
        if block.bytes.len() + payload.len() > self.header_bytes_max || block.continuations > CONTINUATIONS_MAX {
            return Err(Violation {
                reason: Reason::ENHANCE_YOUR_CALM,
                why: "a header block has no end",
            });
        }
        block.bytes.extend_from_slice(payload);
        if head.has(flag::END_HEADERS) {
            return self.headers(block.stream, &block.bytes, block.ends, shared);
        }
        self.block = Some(block);
        Ok(())
    }

    fn headers(&mut self, stream: u32, block: &[u8], ends: bool, shared: &Shared) -> Result<(), Violation> {
        // Also of a stream that nobody reads any more: the table is the connection's.
        let fields = self.decoder.block(block, self.header_bytes_max);
        let fields = fields.map_err(|_| Violation {
            reason: Reason::COMPRESSION_ERROR,
            why: "a header block cannot be read",
        })?;
        shared.lock().headers(stream, fields, ends)
    }

    fn settings(&mut self, payload: &[u8], shared: &Shared) -> Result<(), Violation> {
        let (values, rest) = payload.as_chunks::<6>();
        if !rest.is_empty() {
            return Err(length());
        }
        let value = |[a, b, c, d, e, f]: &[u8; 6]| (u16::from_be_bytes([*a, *b]), u32::from_be_bytes([*c, *d, *e, *f]));
        let values: Vec<_> = values.iter().map(value).collect();
        shared.lock().settings(&values)?;
        let streams_max = values.iter().rfind(|(id, _)| *id == setting::MAX_CONCURRENT_STREAMS);
        self.streams_max = match streams_max {
            Some((_, streams_max)) => Some(*streams_max as usize),
            // There is no bound unless there is one.
            None => Some(self.streams_max.unwrap_or(usize::MAX)),
        };
        Ok(())
    }
}

fn padding() -> Violation {
    Violation::protocol("a frame is padded with more than it has")
}

fn length() -> Violation {
    Violation::size("a frame has a length that it cannot have")
}

fn number(payload: &[u8]) -> Result<u32, Violation> {
    payload.try_into().map(u32::from_be_bytes).map_err(|_| length())
}
