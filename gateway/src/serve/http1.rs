//! HTTP/1.1 with callers (RFC 9112): one request after the other, each answered before the next is read.
//!
//! Ours and not hyper's, of which it takes a third of the instructions: `ARCHITECTURE.md` says what that is of a call.
//! Lines are read by httparse. What is particular:
//!
//! - A body that came with its head, which most do, is handed on as it is; any other is read as it is asked for.
//! - Head and body of an answer go out in one write, and what a stream has ready together.
//! - A body that fails is cut off behind what there was of it, so that it never looks whole.
//! - A peer that was answered before it had sent all is read a little longer, so that it gets its answer.

mod answer;
mod body;
mod decoder;
mod head;
mod output;

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use http::{HeaderMap, Request, Version};
use http_body::Body as _;
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Sleep, sleep};

use super::RemoteAddress;
use super::activity::{Activity, Counted};
use super::connection::GOODBYE;
use super::transport::Transport;
use crate::body::{HttpResponse, RequestBody};
use crate::gateway::{Answer, HttpService};
use answer::{Asked, Date, Framing, Put};
use body::{Broken, Feed};
use decoder::{Decoder, Next};
use head::{Head, Length};
use output::Output;

/// Bytes that are read at once, and which a connection keeps while it waits.
const INPUT_BYTES: usize = 4 << 10;
/// The same of a body that is longer.
const BODY_BYTES: usize = 16 << 10;
/// Bytes that are read of a peer that was answered before it had sent all.
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
    /// How much of it was looked at, and is no whole head.
    looked: usize,
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

/// The request that is being answered.
struct Exchange {
    asked: Asked,
    /// Whether the connection ends with the answer.
    closes: bool,
    /// Whether the peer has still to be told to send its body.
    expects_continue: bool,
    decoder: Decoder,
    /// Where its body goes, if that did not come with the head.
    feed: Option<Feed>,
    counted: Option<Counted>,
}

impl Connection {
    pub(super) fn new(io: Transport, caller: Caller) -> Self {
        Self {
            io,
            caller,
            input: BytesMut::new(),
            looked: 0,
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
            Ok(Some(head)) => self.begin(head),
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

    fn begin(&mut self, head: Head) {
        let mut decoder = Decoder::new(head.body);
        let (mut feed, mut body) = (None, RequestBody::empty());
        if let Some(whole) = whole(&mut decoder, &mut self.input) {
            body = whole;
        } else if !decoder.has_ended() {
            let (to, incoming) = body::body(decoder.left());
            (feed, body) = (Some(to), RequestBody::new(incoming));
        }
        let mut request: Request<RequestBody> = head.request.map(|()| body);
        request.extensions_mut().insert(self.caller.remote.clone());
        self.exchange = Exchange {
            asked: Asked {
                version: request.version(),
                is_head: request.method() == http::Method::HEAD,
                takes_trailers: head.takes_trailers,
            },
            closes: !head.keeps_alive,
            expects_continue: head.expects_continue && self.input.is_empty() && feed.is_some(),
            decoder,
            counted: Some(Activity::count(&self.caller.activity, feed.is_none())),
            feed,
        };
        self.state = State::Called(self.caller.service.answer(request));
    }

    /// Waits for an answer's head, and puts it.
    fn poll_called(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let response = loop {
            let waits = self.poll_request(cx)?;
            // What tells the peer to go on.
            if !self.output.is_empty() {
                ready!(self.output.poll_write(&mut self.io, cx))?;
            }
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
                self.exchange.closes |= put == Poll::Ready(Put::Broken);
                self.state = State::Made;
                return Poll::Ready(Ok(()));
            }
            ready!(self.output.poll_write(&mut self.io, cx))?;
            if put.is_pending() {
                ready!(self.poll_rest(waits, cx))?;
            }
        }
    }

    /// What comes after an answer that is written.
    fn finish(&mut self) {
        let is_whole = self.exchange.discard(&mut self.input);
        let closes = self.exchange.closes || self.is_leaving || !is_whole;
        self.exchange.feed = None;
        self.exchange.counted = None;
        self.state = match (closes, is_whole) {
            (false, _) => State::Idle,
            (true, true) => State::Closing,
            (true, false) => State::Lingering {
                timer: Box::pin(sleep(GOODBYE)),
                bytes: 0,
            },
        };
        if self.input.is_empty() && self.input.capacity() > INPUT_BYTES {
            self.input = BytesMut::new();
        }
    }

    /// Reads on for a while, without a look: a transport that is closed while something comes may drop what the peer has
    /// not read yet of its answer (RFC 9112, 9.6).
    fn poll_lingering(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
        loop {
            self.input.clear();
            let read = self.poll_read(cx, BODY_BYTES)?;
            let State::Lingering { timer, bytes } = &mut self.state else {
                return Poll::Ready(Ok(()));
            };
            match read {
                Poll::Ready(read) if read > 0 && *bytes < LINGER_BYTES_MAX => *bytes += read,
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return timer.as_mut().poll(cx).map(Ok),
            }
        }
    }

    /// Moves the body of the request to whoever asks for it. True if it waits for the peer.
    fn poll_request(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        loop {
            let Exchange { decoder, feed, .. } = &mut self.exchange;
            let Some(feed) = feed.as_ref().filter(|_| !decoder.has_ended()) else {
                return Ok(false);
            };
            if !feed.is_asked() {
                return Ok(false);
            }
            match decoder.next(&mut self.input) {
                Ok(Next::Missing) => {}
                Ok(next) => {
                    let frame = match next {
                        Next::Frame(frame) => Some(Ok(frame)),
                        Next::End | Next::Missing => None,
                    };
                    feed.give(frame, decoder.has_ended());
                    self.caller.activity.note_request(decoder.has_ended());
                    continue;
                }
                Err(malformed) => {
                    feed.give(Some(Err(malformed.into())), true);
                    self.exchange.closes = true;
                    return Ok(false);
                }
            }
            if std::mem::take(&mut self.exchange.expects_continue) {
                self.output.bytes.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
            match self.poll_read(cx, BODY_BYTES)? {
                Poll::Pending => return Ok(true),
                Poll::Ready(0) => {
                    self.exchange.break_off();
                    return Ok(false);
                }
                Poll::Ready(_) => {}
            }
        }
    }

    /// Rests where the answer has to be waited for; ready if its request was asked for meanwhile. `waits` says that the peer
    /// is waited for already.
    fn poll_rest(&mut self, waits: bool, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.exchange.feed {
            _ if waits => Poll::Pending,
            Some(feed) if !self.exchange.decoder.has_ended() => match feed.rest(cx) {
                true => Poll::Pending,
                false => Poll::Ready(Ok(())),
            },
            _ => self.poll_gone(cx),
        }
    }

    /// Waits until the peer has left. What it sends behind its request is read only as far as there is room, and with some
    /// of it there, it is not looked any further.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.input.is_empty() {
            if ready!(self.poll_read(cx, INPUT_BYTES))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        Poll::Pending
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, bytes: usize) -> Poll<io::Result<usize>> {
        if self.input.capacity() - self.input.len() < bytes / 4 {
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

impl Exchange {
    /// Of nobody yet.
    fn none() -> Self {
        Self {
            asked: Asked {
                version: Version::HTTP_11,
                is_head: false,
                takes_trailers: false,
            },
            closes: false,
            expects_continue: false,
            decoder: Decoder::new(Length::Bytes(0)),
            feed: None,
            counted: None,
        }
    }

    /// Of a request that could not be read: where it ends is not known.
    fn refused() -> Self {
        Self {
            closes: true,
            decoder: Decoder::new(Length::Chunked),
            ..Self::none()
        }
    }

    /// The peer has closed its side before the end of the body.
    fn break_off(&mut self) {
        self.closes = true;
        if let Some(feed) = &self.feed {
            feed.give(Some(Err(Broken::Closed)), true);
        }
    }

    /// Whether nobody reads the request any more, of which more is to come than what is there.
    fn is_abandoned(&mut self, input: &mut BytesMut) -> bool {
        self.feed.as_ref().is_some_and(Feed::is_dropped) && !self.discard(input)
    }

    /// Passes over what is there of the request; whether that was all.
    fn discard(&mut self, input: &mut BytesMut) -> bool {
        while let Ok(Next::Frame(_)) = self.decoder.next(input) {}
        self.decoder.has_ended()
    }
}

/// The body that came whole with its head, if it did.
fn whole(decoder: &mut Decoder, input: &mut BytesMut) -> Option<RequestBody> {
    let left = decoder.left().filter(|left| *left > 0)?;
    if left > input.len() as u64 {
        return None;
    }
    match decoder.next(input) {
        Ok(Next::Frame(frame)) => frame.into_data().ok().map(|data| RequestBody::new(Full::new(data))),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
