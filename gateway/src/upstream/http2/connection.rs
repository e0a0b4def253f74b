//! A connection's task: it writes what is there to be written, reads what comes, and tells the streams.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Config;
use super::error::{Error, Reason, Violation};
use super::frame::{self, HEADER_BYTES, Head};
use super::reader::Reader;
use super::state::{Shared, UNWRITTEN_BYTES_MAX};
use super::stream::{Pings, Sender};

/// Bytes that are read at once; more where a frame is longer.
const INPUT_BYTES: usize = 16 << 10;
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
    reader: Reader,
    /// Whether what is to be written waits for the next poll, and whether it did wait for this one.
    is_gathering: bool,
    has_gathered: bool,
    /// Kept for its memory.
    wakes: Vec<Waker>,
    /// Whether no stream is opened any more.
    is_leaving: bool,
    /// Whether the server was told that the connection ends.
    said_goodbye: bool,
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
            reader: Reader::new(config),
            is_gathering: false,
            has_gathered: false,
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
        self.reader.streams_max()
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
        self.has_gathered = std::mem::take(&mut self.is_gathering);
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
            let has_written = match self.poll_write(cx) {
                Poll::Ready(Ok(())) => true,
                Poll::Pending => false,
                Poll::Ready(Err(stop)) => return self.read_out(stop, cx),
            };
            if has_written && self.said_goodbye {
                ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
                return Poll::Ready(self.left());
            }
            // Whoever does not read what he is answered is not read either.
            if !has_written && self.shared.lock().out.len() > UNWRITTEN_BYTES_MAX {
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

    /// Takes in what had come before the connection broke for writing: answers, and which calls the server never saw.
    fn read_out(&mut self, stop: Stop, cx: &mut Context<'_>) -> Poll<Result<(), Stop>> {
        while let Poll::Ready(Ok(1..)) = self.poll_read(cx) {
            self.take_in()?;
        }
        Poll::Ready(Err(stop))
    }

    /// Writes all that there is. Where several calls are in progress, tasks that are about to send theirs get to run first,
    /// so that one write takes what several sent: tokio polls whom a task has woken right after it.
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
            if !self.has_gathered && state.is_shared() {
                drop(state);
                if !std::mem::replace(&mut self.is_gathering, true) {
                    cx.waker().wake_by_ref();
                }
                return Poll::Pending;
            }
            std::mem::swap(&mut state.out, &mut self.output);
            state.has_shared = false;
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
        let before = state.rest(cx.waker());
        drop(state);
        // It may be the last of its task.
        drop(before);
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
            if let Err(violation) = self.reader.check(head) {
                taken = Err(violation);
                break;
            }
            let bytes = HEADER_BYTES + head.length;
            if self.end - self.start < bytes {
                break;
            }
            let payload = &self.input[self.start + HEADER_BYTES..self.start + bytes];
            if let Err(violation) = self.reader.take(head, payload, &self.shared) {
                taken = Err(violation);
                break;
            }
            self.start += bytes;
        }
        if taken.is_ok() {
            self.make_room();
        }
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
        if self.start < self.end || self.reader.is_in_block() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        self.left()
    }

    /// How it ends when nothing went wrong here: a server may leave for a reason.
    fn left(&self) -> Result<(), Stop> {
        match self.shared.lock().refusal() {
            Some(error @ Error::Leaving(reason, _)) if *reason != Reason::NO_ERROR => Err(Stop::Error(error.clone())),
            _ => Ok(()),
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
