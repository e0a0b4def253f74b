//! HTTP/1.1 with callers (RFC 9112): one request after the other, each answered before the next is read.
//!
//! Ours and not hyper's, for a little over half of its instructions: `ARCHITECTURE.md` says what that is of a call. Lines
//! are read by httparse. What is particular:
//!
//! - A body that came with its head, which most do, or that is short and there by then, is handed on as it is; of any other
//!   what is still to come is read as it is asked for.
//! - Head and body of an answer go out in one write, and what a stream has ready together.
//! - A body that fails is cut off behind what there was of it, so that it never looks whole; but HTTP/1.0 over plain TCP has no
//!   other end than this one.
//! - A peer that may be sending when its connection ends is read a little longer, so that it gets its answer.

mod answer;
mod body;
mod decoder;
mod exchange;
mod head;
mod output;

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use http::{HeaderMap, StatusCode};
use http_body::Body as _;
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Sleep, sleep};

use super::RemoteAddress;
use super::activity::Activity;
use super::connection::GOODBYE;
use super::transport::Transport;
use crate::body::HttpResponse;
use crate::gateway::{Answer, HttpService};
use answer::{Date, Framing, Put};
use body::Broken;
use exchange::{Exchange, Waits};
use head::{Head, Length, Looked};
use output::Output;

/// Bytes that are read at once, and which a connection keeps while it waits.
const INPUT_BYTES: usize = 4 << 10;
/// Bytes that are read at once of a body that did not come with its head; one that is no longer is looked for once before
/// its call is made.
const BODY_BYTES: usize = 16 << 10;
/// Bytes that are read of a peer while its connection ends (RFC 9112, 9.6).
const LINGER_BYTES_MAX: usize = 1 << 20;

/// Who answers, and what that has to know of the connection.
pub(super) struct Caller {
    pub(super) service: HttpService,
    pub(super) remote: RemoteAddress,
    pub(super) activity: Arc<Activity>,
    pub(super) draining: watch::Receiver<bool>,
}

/// A connection; to be polled until it ends, which closes the transport.
pub(super) struct Connection {
    io: Transport,
    caller: Caller,
    input: BytesMut,
    /// Whether that has more room than is kept.
    has_grown: bool,
    looked: Looked,
    output: Output,
    state: State,
    exchange: Exchange,
    /// Of the last answer, kept for their memory.
    headers: HeaderMap,
    date: Date,
    /// Whether the peer is to go after the present answer.
    is_leaving: bool,
}

#[expect(
    clippy::large_enum_variant,
    reason = "a connection has one, and a box would be made for each call"
)]
enum State {
    /// Waits for the head of a request.
    Idle,
    Called(Answer),
    Answered(HttpResponse, Framing),
    /// The answer is made, and may have to be written yet.
    Made,
    /// The answer is written, but the peer has not sent all of its request: so many bytes came since.
    Lingering {
        timer: Pin<Box<Sleep>>,
        bytes: usize,
    },
    Closing,
}

impl Connection {
    pub(super) fn new(io: Transport, caller: Caller) -> Self {
        Self {
            io,
            caller,
            input: BytesMut::new(),
            has_grown: false,
            looked: Looked::default(),
            output: Output::default(),
            state: State::Idle,
            exchange: Exchange::none(),
            headers: HeaderMap::new(),
            date: Date::default(),
            is_leaving: false,
        }
    }

    /// Ends the connection after the present answer; at once if there is none.
    pub(super) fn graceful_shutdown(mut self: Pin<&mut Self>) {
        self.is_leaving = true;
        if matches!(self.state, State::Idle) && self.input.is_empty() {
            self.state = State::Closing;
        }
    }

    fn poll_to_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match &mut self.state {
                State::Idle => ready!(self.poll_idle(cx))?,
                State::Called(_) => ready!(self.poll_called(cx))?,
                State::Answered(..) => ready!(self.poll_answered(cx))?,
                State::Made => {
                    ready!(self.output.poll_write(&mut self.io, cx))?;
                    if self.exchange.is_broken {
                        // TLS has a word for an end, which is not said.
                        return Poll::Ready(Err(io::ErrorKind::Other.into()));
                    }
                    self.finish();
                }
                State::Lingering { .. } => {
                    // Whatever comes of it, the peer was answered.
                    let _ = ready!(self.poll_lingering(cx));
                    return Poll::Ready(Ok(()));
                }
                State::Closing => return Pin::new(&mut self.io).poll_shutdown(cx),
            }
        }
    }

    /// Waits for a request.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match head::take(&mut self.input, &mut self.looked, &mut self.headers) {
            Ok(Some(head)) => {
                self.read_short_body(cx, head.body)?;
                self.begin(head);
            }
            Ok(None) => {
                if ready!(self.poll_read(cx, INPUT_BYTES))? == 0 {
                    self.state = State::Closing;
                }
            }
            Err(refusal) => {
                tracing::debug!(reason = refusal.message, "a request could not be read");
                answer::put_refusal(&mut self.output.bytes, refusal, &mut self.date);
                self.exchange = Exchange::refused();
                self.state = State::Made;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Takes what has come of a short body that is not whole yet, before it is asked for: one that is whole then needs no
    /// timer, and is not joined from pieces.
    fn read_short_body(&mut self, cx: &mut Context<'_>, body: Length) -> io::Result<()> {
        if let Length::Bytes(bytes) = body
            && (self.input.len() as u64) < bytes
            && bytes <= BODY_BYTES as u64
        {
            // Whether there was more, or the peer has left, is for whoever reads it.
            let _ = self.poll_read(cx, BODY_BYTES)?;
        }
        Ok(())
    }

    fn begin(&mut self, head: Head) {
        let (request, exchange) = Exchange::begin(head, &mut self.input, &self.caller.activity);
        self.exchange = exchange;
        self.state = State::Called(self.caller.service.answer(request, Some(&self.caller.remote)));
    }

    /// Waits for an answer's head, and puts it.
    fn poll_called(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let response = loop {
            let waits = self.poll_request(cx)?;
            // What tells the peer to go on.
            ready!(self.output.poll_write(&mut self.io, cx))?;
            let State::Called(answer) = &mut self.state else {
                return Poll::Ready(Ok(()));
            };
            match answer.as_mut().poll(cx) {
                Poll::Ready(Ok(response)) => break response,
                Poll::Pending => ready!(self.poll_rest(waits, cx))?,
            }
        };
        self.put_head(response);
        Poll::Ready(Ok(()))
    }

    fn put_head(&mut self, mut response: HttpResponse) {
        if response.status().is_informational() {
            tracing::error!(
                status = response.status().as_u16(),
                "a service answers with what is no answer"
            );
            response = HttpResponse::default();
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        }
        self.exchange.closes |=
            self.is_leaving || *self.caller.draining.borrow() || self.exchange.is_abandoned(&mut self.input);
        let framing = answer::put_head(
            &mut self.output.bytes,
            self.exchange.asked,
            response.status(),
            response.headers(),
            response.body().size_hint().exact(),
            &mut self.exchange.closes,
            &mut self.date,
        );
        self.headers = std::mem::take(response.headers_mut());
        self.headers.clear();
        self.exchange.expects_continue = false;
        self.state = State::Answered(response, framing);
    }

    /// Writes an answer's body.
    fn poll_answered(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let waits = self.poll_request(cx)?;
            let State::Answered(response, framing) = &mut self.state else {
                return Poll::Ready(Ok(()));
            };
            let mut put = Poll::Ready(Put::Piece);
            while put == Poll::Ready(Put::Piece) && self.output.has_room() {
                put = framing.poll_put(response.body_mut(), &mut self.output, cx);
            }
            if let Poll::Ready(Put::End | Put::Broken) = put {
                self.exchange.is_broken = put == Poll::Ready(Put::Broken);
                self.state = State::Made;
                return Poll::Ready(Ok(()));
            }
            let written = self.output.poll_write(&mut self.io, cx)?;
            if put.is_pending() || written.is_pending() {
                // Who reads nothing before it has sent everything is read on.
                ready!(self.poll_rest(waits, cx))?;
            }
        }
    }

    /// What comes after an answer that is written.
    fn finish(&mut self) {
        let (may_follow, may_send) = self.exchange.end(&mut self.input);
        self.state = if may_follow && !self.is_leaving {
            State::Idle
        } else if may_send {
            State::Lingering {
                timer: Box::pin(sleep(GOODBYE)),
                bytes: 0,
            }
        } else {
            State::Closing
        };
        if self.input.is_empty() && std::mem::take(&mut self.has_grown) {
            self.input = BytesMut::new();
        }
    }

    /// Reads on for a while, without a look: a transport that is closed while something comes may drop what the peer has
    /// not read yet of its answer (RFC 9112, 9.6).
    fn poll_lingering(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let State::Lingering { timer, .. } = &mut self.state
            && timer.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Ok(()));
        }
        ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
        loop {
            self.input.clear();
            let read = ready!(self.poll_read(cx, BODY_BYTES))?;
            match &mut self.state {
                State::Lingering { bytes, .. } if read > 0 && *bytes < LINGER_BYTES_MAX => *bytes += read,
                _ => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Moves the body of the request to whoever asks for it.
    fn poll_request(&mut self, cx: &mut Context<'_>) -> io::Result<Waits> {
        loop {
            match self.exchange.feed(&mut self.input, &self.caller.activity) {
                Waits::Peer => {}
                waits => return Ok(waits),
            }
            if std::mem::take(&mut self.exchange.expects_continue) {
                self.output.bytes.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
            match self.poll_read(cx, BODY_BYTES)? {
                Poll::Pending => return Ok(Waits::Peer),
                Poll::Ready(0) => self.exchange.break_off(Broken::Closed),
                Poll::Ready(_) => {}
            }
        }
    }

    /// Rests where the answer has to be waited for; ready if more of its request can be moved now.
    fn poll_rest(&mut self, waits: Waits, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let rests = match waits {
            Waits::Peer => true,
            Waits::Reader => self.exchange.reader().is_none_or(|reader| reader.rest(cx)),
            Waits::Nothing => return self.poll_gone(cx),
        };
        if rests { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    /// Waits until the peer has left, for which what it sends behind its request has to be read; with some of that there, it
    /// is not looked any further.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.input.len() < INPUT_BYTES {
            if ready!(self.poll_read(cx, INPUT_BYTES))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        Poll::Pending
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, bytes: usize) -> Poll<io::Result<usize>> {
        if self.input.capacity() - self.input.len() < bytes / 4 {
            self.has_grown |= bytes > INPUT_BYTES || !self.input.is_empty();
            self.input.reserve(bytes);
        }
        pin!(self.io.read_buf(&mut self.input)).poll(cx)
    }
}

impl Future for Connection {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_to_end(cx)
    }
}

#[cfg(test)]
mod tests;
