//! The body of a client's stream: JSON in, one message after the other out. It is read as fast as the inner service
//! takes messages and no faster, so that a slow service slows the caller's upload; and no more of it is kept than one
//! element that is not whole yet.
//!
//! The answer may begin before the body has ended, over HTTP/1.1 as over HTTP/2. HTTP allows it (RFC 9110, 7.5), and
//! there is no better way: a service that answers each message as it comes would stop reading if nobody took its
//! answers, so to hold them back would need memory without bound.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::{Body, Frame};
use millrace_transcode::{self as route, Binder};
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

use crate::body::{BoxError, RequestBody};
use crate::call::CallRecord;
use crate::edge::Names;
use crate::error::Failure;
use crate::frame::put_frame;
use crate::gateway::Gateway;
use crate::guard::{Guard, UploadEnd};
use crate::metadata::AllowList;
use crate::rest::elements::{ElementError, Elements, Notation};
use crate::rest::headers::{become_inner, header_fields};
use crate::rest::memory::{Held, Memory};
use crate::rest::{Bound, Incoming, Matched, payload};

/// Messages that are there go inwards together, up to this size: an HTTP/2 peer has but a small budget for small
/// frames.
const CHUNK_BYTES: usize = 16 * 1024;

/// The types of a body of lines.
const LINES: [&str; 3] = ["application/x-ndjson", "application/ndjson", "application/jsonl"];

/// What a client's stream may take.
struct StreamBounds {
    /// Of one element.
    element_bytes_max: usize,
    /// From the first byte of an element to its last.
    element_time_max: Duration,
    /// Between two elements.
    silence_max: Duration,
    /// Where what is there of an element counts.
    memory: Memory,
    /// Of the call.
    record: Arc<CallRecord>,
}

impl<'i, 'c, 's> Matched<'i, 'c, 's> {
    /// Whether the body is a stream of messages. Without a body rule the one message is of path and query.
    pub(super) fn takes_stream(&self) -> bool {
        self.route.method().client_streaming() && *self.route.route().body() != route::Body::None
    }

    /// All that is known before the body is read; the request's headers become those of the inner call.
    fn prepared(&mut self, gateway: &Gateway) -> Result<(Notation, Binder, Option<Arc<AllowList>>), Failure> {
        let Incoming { request, names, record } = &mut *self.incoming;
        let notation = notation(request.headers(), *names, !request.body().is_end_stream())?;
        let fields = header_fields(request.headers(), *names, self.form)?;
        let binder = self
            .route
            .binder(gateway.shared_schema().clone(), request.uri().query(), &fields)
            .map_err(|error| Failure::unbindable(&error, record))?;
        let listed = become_inner(request.headers_mut(), self.deadline, record, gateway)?;
        Ok((notation, binder, listed))
    }

    /// Makes the stream of request messages; none of them is read yet.
    pub(super) async fn bound_stream(mut self, gateway: &Gateway) -> Result<Bound<'i, 'c, 's>, Failure> {
        let ends = self.ends();
        let takes_trailers = self.takes_trailers();
        self.route.set_alias(gateway.alias(self.incoming.request.headers()));
        let prepared = self.prepared(gateway);
        let Incoming { request, names, record } = &mut *self.incoming;
        let (names, version) = (*names, request.version());
        let body = std::mem::take(request.body_mut());
        let (notation, binder, listed) = match prepared {
            Ok(prepared) => prepared,
            Err(failure) => return Err(payload::refuse(failure, names, version, body).await),
        };
        let time_max = gateway.uploads().time_max();
        let own_max = self.route.method().settings().body_bytes_max;
        let bounds = StreamBounds {
            element_bytes_max: own_max.unwrap_or(gateway.body_bytes_max()),
            element_time_max: time_max,
            silence_max: gateway.stream_silence_max(),
            memory: gateway.body_memory().clone(),
            record: Arc::clone(record),
        };
        let (mut stream, end) = ClientStream::new(body, notation, binder, bounds);
        let begun = tokio::time::timeout(time_max.min(self.deadline.unwrap_or(Duration::MAX)), stream.begun());
        let begun = begun.await.unwrap_or_else(|_| Err(Failure::body_too_slow(time_max)));
        if let Err(failure) = begun {
            return Err(payload::refuse(failure, names, version, stream.into_left()).await);
        }
        *request.body_mut() = RequestBody::new(stream);
        let guard = Guard::until(ends).with_upload(end, version);
        Ok(self.into_bound(guard, listed, takes_trailers, Held::default()))
    }
}

/// The notation that the headers announce.
fn notation(headers: &HeaderMap, names: Names, has_body: bool) -> Result<Notation, Failure> {
    payload::refuse_compressed(headers, names)?;
    let types: Vec<_> = headers.get_all(header::CONTENT_TYPE).iter().collect();
    let all = |known: &[&str]| !types.is_empty() && types.iter().all(|sent| payload::is_utf8_of(known, sent));
    if all(&LINES) {
        Ok(Notation::Lines)
    } else if all(&payload::JSON) || !has_body {
        Ok(Notation::Array)
    } else {
        Err(Failure::unsupported_media(
            "the body must be an array as `Content-Type: application/json`, or lines as `application/x-ndjson`, \
             in UTF-8",
        ))
    }
}

/// The body as it goes inwards: frames of gRPC.
struct ClientStream {
    body: RequestBody,
    elements: Elements,
    binder: Binder,
    bounds: StreamBounds,
    held: Held,
    held_bytes: usize,
    /// Runs while the caller is waited for; with it, whether an element has begun.
    late: Option<(bool, Pin<Box<Sleep>>)>,
    state: State,
    /// Where the end is told; `None` once it is.
    end: Option<oneshot::Sender<UploadEnd>>,
}

enum State {
    Open,
    /// The caller sent the end of the body.
    Sent,
    /// Wrong, and to be broken off once the messages before had their turn to be sent.
    Failing(Failure),
    /// The same, after they had it.
    Breaking(Failure),
    Ended,
}

impl ClientStream {
    /// The stream, and where its end is told.
    fn new(
        body: RequestBody,
        notation: Notation,
        binder: Binder,
        bounds: StreamBounds,
    ) -> (Self, oneshot::Receiver<UploadEnd>) {
        let (end, told) = oneshot::channel();
        let stream = Self {
            elements: Elements::new(notation, bounds.element_bytes_max),
            body,
            binder,
            bounds,
            held: Held::default(),
            held_bytes: 0,
            late: None,
            state: State::Open,
            end: Some(end),
        };
        (stream, told)
    }

    /// Waits until it is known that the body is what its notation says: before that the inner service is not called.
    async fn begun(&mut self) -> Result<(), Failure> {
        std::future::poll_fn(|cx| self.poll_begun(cx)).await
    }

    /// The body as the caller sent it, if the stream is not to go inwards after all.
    fn into_left(mut self) -> RequestBody {
        self.end = None;
        std::mem::take(&mut self.body)
    }

    fn poll_begun(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        loop {
            match self.elements.has_begun() {
                Ok(true) => return Poll::Ready(Ok(())),
                Ok(false) if matches!(self.state, State::Sent) => return Poll::Ready(Ok(())),
                Ok(false) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
            if let Err(failure) = ready!(self.poll_chunk(cx)) {
                return Poll::Ready(Err(failure));
            }
        }
    }

    /// Takes the next bytes, or the end, from the caller.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Ok(chunk) = frame.into_data() {
                    self.elements.push(chunk);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Some(Err(_))) => {
                self.body = RequestBody::empty();
                Poll::Ready(Err(Failure::broken_body()))
            }
            Poll::Ready(None) => {
                self.state = State::Sent;
                Poll::Ready(Ok(()))
            }
            Poll::Pending => self.poll_late(cx).map(Err),
        }
    }

    /// Whether the caller has been waited for too long. White space is no sign of life.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        let has_begun = self.elements.partial_bytes() > 0;
        let longest = if has_begun {
            self.bounds.element_time_max
        } else {
            self.bounds.silence_max
        };
        if self.late.as_ref().is_none_or(|(begun, _)| *begun != has_begun) {
            self.late = Some((has_begun, Box::pin(sleep(longest))));
        }
        match &mut self.late {
            Some((_, late)) => late.as_mut().poll(cx).map(|()| Failure::element_too_slow(longest)),
            None => Poll::Pending,
        }
    }

    /// Puts the messages that are there into frames, up to a chunk.
    fn collect(&mut self, out: &mut BytesMut) -> Result<(), Failure> {
        while out.len() < CHUNK_BYTES {
            let element = match self.state {
                State::Sent => {
                    let element = self.elements.finish()?;
                    if element.is_none() {
                        self.state = State::Ended;
                    }
                    element
                }
                _ => self.elements.next()?,
            };
            let Some(element) = element else { break };
            self.late = None;
            let message = self.binder.bind(&element.json, element.number, element.start);
            let message = message.map_err(|error| Failure::unbindable(&error, &self.bounds.record))?;
            put_frame(out, &message);
        }
        self.account()
    }

    /// Takes memory for what is there of an element, and gives it back when it is whole.
    fn account(&mut self) -> Result<(), Failure> {
        let bytes = self.elements.partial_bytes();
        if bytes < self.held_bytes {
            (self.held, self.held_bytes) = (Held::default(), 0);
        }
        let taken = self.bounds.memory.take(bytes - self.held_bytes, &mut self.held);
        taken.map_err(|_| Failure::no_memory_for_body())?;
        self.held_bytes = bytes;
        Ok(())
    }

    /// Tells the end, and breaks off: the inner service must not take what came so far for all.
    fn fail(&mut self, failure: Failure) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let status = failure.to_status(self.bounds.record.error_domain());
        self.state = State::Ended;
        let left = std::mem::take(&mut self.body);
        if let Some(end) = self.end.take() {
            let left = (!left.is_end_stream() && !failure.is_too_slow()).then_some(left);
            // Nobody listens to a call that is over.
            let _ = end.send(UploadEnd::Failed(failure, left));
        }
        Poll::Ready(Some(Err(status.into())))
    }
}

impl Body for ClientStream {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        loop {
            match std::mem::replace(&mut this.state, State::Ended) {
                State::Ended => return Poll::Ready(None),
                State::Failing(failure) => {
                    // An HTTP/2 connection throws away what it holds of a body that fails: it gets one turn to send it.
                    this.state = State::Breaking(failure);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                State::Breaking(failure) => return this.fail(failure),
                open => this.state = open,
            }
            let mut out = BytesMut::new();
            if let Err(failure) = this.collect(&mut out) {
                this.state = State::Failing(failure);
            }
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(out.freeze()))));
            }
            if matches!(this.state, State::Open)
                && let Err(failure) = ready!(this.poll_chunk(cx))
            {
                this.state = State::Failing(failure);
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Ended)
    }
}

impl Drop for ClientStream {
    /// Gives back what the inner service did not want.
    fn drop(&mut self) {
        if let Some(end) = self.end.take()
            && !matches!(self.state, State::Ended | State::Sent)
        {
            let _ = end.send(UploadEnd::Left(std::mem::take(&mut self.body)));
        }
    }
}

impl From<ElementError> for Failure {
    fn from(error: ElementError) -> Self {
        match error {
            ElementError::Syntax { .. } => Self::invalid(format!("body: {error}"), &[]),
            ElementError::TooLarge { .. } => Self::too_large_because(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_content_type_names_the_notation() {
        let table: [(&[&str], Option<Notation>); 9] = [
            (&[], None),
            (&["application/json"], Some(Notation::Array)),
            (&["application/json; charset=utf-8"], Some(Notation::Array)),
            (&["application/x-ndjson"], Some(Notation::Lines)),
            (&["Application/JSONL; charset=utf-8"], Some(Notation::Lines)),
            (&["application/ndjson"], Some(Notation::Lines)),
            (&["application/x-ndjson; charset=utf-16"], None),
            (&["application/json", "application/x-ndjson"], None),
            (&["text/csv"], None),
        ];
        for (sent, expected) in table {
            let headers = sent.iter().map(|sent| HeaderValue::from_str(sent).unwrap());
            let headers = headers.map(|value| (header::CONTENT_TYPE, value)).collect();
            assert_eq!(notation(&headers, Names::of(&headers), true).ok(), expected, "{sent:?}");
        }
        let none = HeaderMap::new();
        assert_eq!(notation(&none, Names::of(&none), false).ok(), Some(Notation::Array));
    }
}
