//! The answer of the inner service, message by message. Its head is waited for with the first of them: some servers send it
//! only then, gRPC's own in Python among them.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use base64::Engine;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body::Body;
use percent_encoding::percent_decode;
use tonic::Code;

use crate::answer::GRPC;
use crate::error::Failure;
use crate::frame::Frames;
use crate::guard::Guard;
use crate::inner::{Reply, ReplyBody};
use crate::metadata::{HeaderNames, LENIENT};

/// The code with which a call ended.
pub(crate) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// The answer to one call, its head first, then its messages.
pub(crate) struct Messages {
    /// Until the head is there.
    called: Option<Reply>,
    /// From then on.
    body: Option<ReplyBody>,
    metadata: HeaderMap,
    frames: Frames,
    /// Set when the answer was over with its headers.
    over: bool,
    guard: Guard,
    names: HeaderNames,
}

/// What comes next.
pub(crate) enum Next {
    /// A message on the wire.
    Message(Bytes),
    /// The call ended with OK; these are its trailers.
    End(HeaderMap),
    /// The call ended otherwise.
    Failed(Failure),
}

impl Messages {
    /// Of a call that was made. `guard` may end it before the answer does; `names` says what the metadata of a failure is
    /// called.
    pub(crate) fn of(called: Reply, guard: Guard, names: HeaderNames) -> Self {
        Self {
            called: Some(called),
            body: None,
            metadata: HeaderMap::new(),
            frames: Frames::default(),
            over: false,
            guard,
            names,
        }
    }

    /// The metadata of the head, which is there with the first message.
    pub(crate) fn take_metadata(&mut self) -> HeaderMap {
        std::mem::take(&mut self.metadata)
    }

    /// Takes the head of the answer, unless the call has failed already.
    fn begin(&mut self, response: Response<ReplyBody>) -> Result<(), Failure> {
        let (head, body) = response.into_parts();
        // Mostly the status comes after the messages.
        let ended = body.has_status().then(|| ending(&head.headers, self.names)).flatten();
        match ended {
            Some(ended) => {
                ended?;
                self.over = true;
            }
            None if head.status != StatusCode::OK => return Err(Failure::foreign_answer(head.status)),
            None if !is_grpc(&head.headers) => {
                let message = "the upstream's answer is not gRPC: its content type is another";
                return Err(Failure::bad_upstream(None, message));
            }
            None => {}
        }
        self.body = Some(body);
        self.metadata = head.headers;
        Ok(())
    }

    /// The next message or the end; after the end it is not to be polled again.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        // What came with the last message was there before anything that ends the call now.
        if let Ok(Some(message)) = self.frames.next() {
            return Poll::Ready(Next::Message(message));
        }
        if let Poll::Ready(failure) = self.guard.poll_failure(cx) {
            return Poll::Ready(Next::Failed(failure));
        }
        let next = ready!(self.poll_reply(cx));
        // The inner service may just have read what is wrong with the body, and this be what it says to that.
        if matches!(next, Next::Message(_)) {
            return Poll::Ready(next);
        }
        Poll::Ready(match self.guard.poll_failure(cx) {
            Poll::Ready(failure) => Next::Failed(failure),
            Poll::Pending => next,
        })
    }

    fn poll_reply(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        if let Some(called) = &mut self.called {
            let Ok(response) = ready!(Pin::new(called).poll(cx));
            self.called = None;
            if let Err(failure) = self.begin(response) {
                return Poll::Ready(Next::Failed(failure));
            }
        }
        if self.over {
            return Poll::Ready(Next::End(HeaderMap::new()));
        }
        loop {
            match self.frames.next() {
                Ok(Some(message)) => return Poll::Ready(Next::Message(message)),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Next::Failed(Failure::bad_reply(error.to_string()))),
            }
            let polled = self.body.as_mut().map(|body| Pin::new(body).poll_frame(cx));
            let frame = match ready!(polled.unwrap_or(Poll::Ready(None))) {
                Some(Ok(frame)) => frame,
                Some(Err(status)) => {
                    let (code, details) = (status.code() as i32, status.details());
                    let failure = Failure::of_call(code, status.message(), details);
                    return Poll::Ready(Next::Failed(failure));
                }
                None => {
                    let message = "the upstream's answer ended without a status";
                    return Poll::Ready(Next::Failed(Failure::bad_upstream(
                        Some(StatusCode::BAD_GATEWAY),
                        message,
                    )));
                }
            };
            match frame.into_data() {
                Ok(chunk) => self.frames.push(chunk),
                Err(frame) => {
                    if let Ok(trailers) = frame.into_trailers() {
                        return Poll::Ready(self.ended(trailers));
                    }
                }
            }
        }
    }

    /// See [`Messages::poll_next`]; dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Next {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// For a call that failed before its answer began: see [`Guard::read_on`].
    pub(crate) async fn read_on(&mut self) {
        self.guard.read_on().await;
    }

    fn ended(&mut self, trailers: HeaderMap) -> Next {
        let ended = match &self.body {
            Some(body) if body.has_ended_well() => Some(Ok(())),
            _ => ending(&trailers, self.names),
        };
        match ended {
            None => Next::Failed(Failure::bad_upstream(
                Some(StatusCode::BAD_GATEWAY),
                "the upstream's answer ended without a status",
            )),
            Some(Err(failure)) => Next::Failed(failure),
            Some(Ok(())) => match self.frames.finish() {
                Ok(()) => Next::End(trailers),
                Err(error) => Next::Failed(Failure::bad_reply(error.to_string())),
            },
        }
    }
}

/// What headers or trailers say about the call's end; `None` if nothing.
///
/// Not by `tonic::Status::from_header_map`, which panics on details that are not base64: an upstream may send anything.
fn ending(headers: &HeaderMap, names: HeaderNames) -> Option<Result<(), Failure>> {
    let code = headers
        .get(&GRPC_STATUS)?
        .to_str()
        .ok()
        .and_then(|code| code.parse().ok());
    let code = code.unwrap_or(Code::Unknown as i32);
    if code == Code::Ok as i32 {
        return Some(Ok(()));
    }
    let message = headers.get("grpc-message").map_or(&b""[..], HeaderValue::as_bytes);
    let message = percent_decode(message).decode_utf8_lossy();
    let details = headers
        .get("grpc-status-details-bin")
        .map(|details| LENIENT.decode(details));
    if let Some(Err(error)) = &details {
        tracing::warn!(%error, "the details of an error are not base64, and are left out");
    }
    let details = details.and_then(Result::ok).unwrap_or_default();
    let failure = Failure::of_call(code, &message, &details);
    Some(Err(failure.with_metadata(headers, names)))
}

/// Whether an answer has gRPC's content type, with whatever encoding of messages.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(GRPC.as_bytes()))
}
