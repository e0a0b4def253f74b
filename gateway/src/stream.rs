//! The REST answer to a server stream, in the form that `Accept` chose. The HTTP status is sent with the first message
//! or the end, so that a failure before it is a real status; what fails later never looks complete. Messages are pulled
//! only as fast as the caller reads, and all that are there go into one chunk.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use http_body::{Body, Frame};
use millrace_transcode::Renderer;
use tokio::time::{Instant, Sleep};
use tonic::Code;

use crate::accept::Media;
use crate::answer::Answers;
use crate::body::{BoxError, HttpResponse, ResponseBody};
use crate::call::CallRecord;
use crate::error::Failure;
use crate::gateway::Gateway;
use crate::metadata::{self, HeaderNames};
use crate::reply::{Messages, Next};
use crate::rest::{Held, Memory, Replies};

mod array;
mod ndjson;
mod sse;

/// Messages are collected into one chunk until it has this size; a larger one is a chunk of its own. A kilobyte less
/// than two frames of HTTP/2, so that a chunk of short messages is not cut in three.
const CHUNK_BYTES: usize = 31 * 1024;

/// Room behind that for the last message, if it is short.
const LAST_BYTES: usize = 4 * 1024;

/// A way to write messages one after another.
pub(crate) trait Form: Send {
    /// Writes what stands before a message; `id` is what the message says its place in the stream is.
    fn before(&mut self, out: &mut Vec<u8>, id: Option<&[u8]>);

    /// Writes what stands after a message.
    fn after(&mut self, out: &mut Vec<u8>);

    /// Writes the end of a stream that ended with OK.
    fn end(&mut self, out: &mut Vec<u8>);

    /// Writes the failure of a stream that had begun; `status` is a `google.rpc.Status` as JSON. False if the form has
    /// no words for it: the body then breaks off.
    fn failure(&mut self, out: &mut Vec<u8>, status: &[u8]) -> bool;

    /// Whether the form's callers come again by themselves and go on where a stream ended, but only after a success of
    /// HTTP: a stream that the server cuts before its first message then begins all the same, and fails.
    fn comes_again(&self) -> bool {
        false
    }

    /// Whether messages are written with their places in the stream.
    fn takes_ids(&self) -> bool {
        false
    }

    /// How long a stream may be silent.
    fn silence_max(&self) -> Option<Duration> {
        None
    }

    /// Writes what shows that a silent stream is alive.
    fn alive(&mut self, _: &mut Vec<u8>) {}
}

/// A stream that failed in a form that cannot say so: the connection or the HTTP/2 stream is reset.
#[derive(Debug, thiserror::Error)]
#[error("the stream ended with {code:?} after its first message")]
struct BrokenOff {
    code: Code,
}

/// Waits for the first message, then streams.
pub(crate) async fn response(
    mut replies: Replies<'_, '_>,
    media: Media,
    gateway: &Gateway,
) -> Result<HttpResponse, Failure> {
    let form: Box<dyn Form> = match media {
        Media::EventStream => Box::<sse::EventStream>::default(),
        Media::Ndjson => Box::new(ndjson::Ndjson),
        Media::Json | Media::Problem => Box::<array::Array>::default(),
    };
    // A silent stream whose form has a heartbeat is begun by the first one, or proxies and browsers would give it up. The
    // metadata of a head that comes later is not told.
    let first = match form.silence_max() {
        Some(silence) => tokio::time::timeout(silence, replies.messages.next()).await.ok(),
        None => Some(replies.messages.next().await),
    };
    let mut body = Stream {
        silence: form.silence_max().map(|silence| Silence::new(silence, first.is_none())),
        ready: Vec::new(),
        was_full: false,
        held: Held::default(),
        memory: gateway.answer_memory().clone(),
        form,
        messages: replies.messages,
        renderer: replies.route.renderer(gateway.shared_schema().clone()),
        id: Vec::new(),
        answers: gateway.answers(),
        record: replies.record,
        trailers: replies.takes_trailers.then(HeaderMap::new),
        names: replies.names,
        state: State::Open,
    };
    match first {
        // An `EventSource` comes again after an end, but never after a status that is no success.
        Some(Next::Failed(failure)) if body.form.comes_again() && body.answers.is_cut(&failure) => body.fail(&failure),
        Some(Next::Failed(failure)) => {
            body.messages.read_on().await;
            return Err(failure);
        }
        Some(Next::Message(message)) => {
            body.message(&message)?;
            body.count()?;
        }
        Some(Next::End(trailers)) => body.end(&trailers),
        None => {}
    }
    let mut headers = head(media, &body.messages.take_metadata(), body.names);
    if body.trailers.is_some() {
        // What is there already may be all, and then the trailers are known.
        std::future::poll_fn(|cx| {
            body.collect(cx);
            body.count_or_fail();
            Poll::Ready(())
        })
        .await;
        let known = body.trailers.iter().flat_map(HeaderMap::keys);
        metadata::announce(known.chain(gateway.response_trailers()), &mut headers);
    }
    let mut response = http::Response::new(ResponseBody::stream(body));
    *response.headers_mut() = headers;
    Ok(response)
}

fn head(media: Media, metadata: &HeaderMap, names: HeaderNames) -> HeaderMap {
    let mut headers = HeaderMap::new();
    metadata::to_headers(metadata, names.of_head(), &mut headers);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media.content_type()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // For nginx, which else collects the answer before it passes it on.
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    headers.append(header::VARY, HeaderValue::from_static("accept"));
    headers
}

/// The body. Dropping it drops the inner stream: a caller who went away costs nothing more.
struct Stream {
    messages: Messages,
    form: Box<dyn Form>,
    renderer: Renderer,
    /// Where the id of a message is written; kept for its memory.
    id: Vec<u8>,
    /// Written, and not sent yet.
    ready: Vec<u8>,
    /// Whether the chunk before was full: the next is given all its room at once, instead of growing there.
    was_full: bool,
    /// What that holds of the memory for answers: it is asked for only when the caller has room for a first byte.
    held: Held,
    memory: Memory,
    answers: Answers,
    record: Arc<CallRecord>,
    silence: Option<Silence>,
    /// Metadata that came at the end; `None` if the caller reads no trailers.
    trailers: Option<HeaderMap>,
    /// What they are called outside.
    names: HeaderNames,
    state: State,
}

enum State {
    Open,
    Ended,
    /// Ended, and to be broken off once what was written is sent.
    Broken(Code),
    /// The same, after the server had its turn to send.
    Breaking(Code),
}

impl Stream {
    /// Writes whatever is there, at most a chunk.
    fn collect(&mut self, cx: &mut Context<'_>) {
        while matches!(self.state, State::Open) && self.ready.len() < CHUNK_BYTES {
            let Poll::Ready(next) = self.messages.poll_next(cx) else {
                return;
            };
            let written = match next {
                Next::Message(message) => self.message(&message),
                Next::Failed(failure) => Err(failure),
                Next::End(trailers) => {
                    self.end(&trailers);
                    Ok(())
                }
            };
            if let Err(failure) = written {
                self.fail(&failure);
            }
        }
    }

    fn message(&mut self, message: &[u8]) -> Result<(), Failure> {
        let start = self.ready.len();
        if start == 0 && self.was_full {
            self.ready.reserve(CHUNK_BYTES + LAST_BYTES);
        }
        let has_id = self.form.takes_ids() && self.renderer.put_sse_id(message, &mut self.id);
        self.form.before(&mut self.ready, has_id.then_some(&self.id[..]));
        if let Err(error) = self.renderer.render(message, &mut self.ready) {
            self.ready.truncate(start);
            return Err(Failure::bad_reply(error.to_string()));
        }
        self.form.after(&mut self.ready);
        Ok(())
    }

    /// Takes memory for what is written.
    fn count(&mut self) -> Result<(), Failure> {
        let counted = self.memory.count(&mut self.ready, &mut self.held);
        counted.map_err(|_| Failure::no_memory_for_answer())
    }

    /// The same; a stream for which there is none ends, without what is written. To wait would be no better: it would
    /// be for as long as those who do not read are let.
    fn count_or_fail(&mut self) {
        if let Err(failure) = self.count() {
            self.ready = Vec::new();
            self.held = Held::default();
            self.fail(&failure);
        }
    }

    fn end(&mut self, trailers: &HeaderMap) {
        self.form.end(&mut self.ready);
        self.keep(trailers);
        self.state = State::Ended;
    }

    fn keep(&mut self, trailers: &HeaderMap) {
        if let Some(kept) = &mut self.trailers {
            metadata::to_headers(trailers, self.names.of_trailers(), kept);
        }
    }

    /// Keeps what a failure says in headers, which have their names already.
    fn keep_said(&mut self, failure: &Failure) {
        // What it says of the connection could only be said in a head.
        let said = failure.headers.iter().filter(|(name, _)| *name != header::CONNECTION);
        if let Some(kept) = &mut self.trailers {
            for (name, value) in said {
                kept.append(name, value.clone());
            }
        }
    }

    fn fail(&mut self, failure: &Failure) {
        let code = failure.code();
        self.record.set_code(code);
        let is_said = self.form.failure(&mut self.ready, &self.answers.status_json(failure));
        self.keep_said(failure);
        self.state = if is_said { State::Ended } else { State::Broken(code) };
    }

    /// Writes a sign of life if the stream has been silent for too long.
    fn heartbeat(&mut self, cx: &mut Context<'_>) {
        let Some(silence) = &mut self.silence else {
            return;
        };
        if !self.ready.is_empty() {
            silence.reset();
        } else if matches!(self.state, State::Open) && silence.poll_over(cx) {
            self.form.alive(&mut self.ready);
        }
    }
}

impl Body for Stream {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        this.collect(cx);
        this.heartbeat(cx);
        this.count_or_fail();
        if !this.ready.is_empty() {
            let held = std::mem::take(&mut this.held);
            this.was_full = this.ready.len() >= CHUNK_BYTES;
            return Poll::Ready(Some(Ok(Frame::data(held.by(std::mem::take(&mut this.ready))))));
        }
        match this.state {
            State::Open => Poll::Pending,
            State::Ended => {
                let trailers = this.trailers.take().filter(|trailers| !trailers.is_empty());
                Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
            }
            State::Broken(code) => {
                // Over HTTP/2 what is held is thrown away when a body fails: it gets one turn to flush the status and the
                // messages, or the caller would see a connection that closed without a word.
                this.state = State::Breaking(code);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            State::Breaking(code) => {
                this.state = State::Ended;
                this.trailers = None;
                Poll::Ready(Some(Err(Box::new(BrokenOff { code }))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let has_trailers = self.trailers.as_ref().is_some_and(|trailers| !trailers.is_empty());
        self.ready.is_empty() && !has_trailers && matches!(self.state, State::Ended)
    }
}

/// Measures how long a stream has been silent.
struct Silence {
    longest: Duration,
    sleep: Pin<Box<Sleep>>,
}

impl Silence {
    fn new(longest: Duration, is_over: bool) -> Self {
        let first = if is_over { Duration::ZERO } else { longest };
        Self {
            longest,
            sleep: Box::pin(tokio::time::sleep(first)),
        }
    }

    fn reset(&mut self) {
        self.sleep.as_mut().reset(Instant::now() + self.longest);
    }

    /// Whether it lasted too long; it starts anew then.
    fn poll_over(&mut self, cx: &mut Context<'_>) -> bool {
        let is_over = self.sleep.as_mut().poll(cx).is_ready();
        if is_over {
            self.reset();
        }
        is_over
    }
}
