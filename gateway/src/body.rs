//! Bodies on the HTTP side, one type each way for every door. What is there as a whole is kept as it is: only what is
//! still on its way is in a box.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Full, StreamBody};
use tonic::Status;
use tracing::Span;

use crate::edge::Ended;
use crate::inner::ReplyBody;
use crate::rest::Held;

/// Any failure of a body, boxed.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a request: `request.map(RequestBody::new)` takes any `http_body::Body<Data = Bytes>`. From tonic's body and
/// into it there is a `From`.
#[derive(Debug)]
pub struct RequestBody(Content);

#[derive(Debug)]
enum Content {
    /// All of it; nothing if it was handed out.
    Whole(Bytes),
    /// tonic's own box, so that the gRPC doors pass it on without another.
    Streamed(tonic::body::Body),
}

impl RequestBody {
    /// Any body.
    pub fn new<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        match body.is_end_stream() {
            true => Self::empty(),
            false => tonic::body::Body::new(body).into(),
        }
    }

    /// No body at all.
    pub fn empty() -> Self {
        Self::whole(Bytes::new())
    }

    /// A body of which all is there.
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self(Content::Whole(bytes))
    }

    /// All of it, if that is there; else the body.
    #[cfg(feature = "standalone")]
    pub(crate) fn into_whole(self) -> Result<Bytes, Self> {
        match self.0 {
            Content::Whole(bytes) => Ok(bytes),
            streamed @ Content::Streamed(_) => Err(Self(streamed)),
        }
    }
}

impl Default for RequestBody {
    fn default() -> Self {
        Self::empty()
    }
}

impl From<tonic::body::Body> for RequestBody {
    fn from(body: tonic::body::Body) -> Self {
        Self(Content::Streamed(body))
    }
}

impl From<RequestBody> for tonic::body::Body {
    fn from(body: RequestBody) -> Self {
        match body.0 {
            Content::Whole(bytes) if bytes.is_empty() => Self::empty(),
            Content::Whole(bytes) => Self::new(Full::new(bytes)),
            Content::Streamed(body) => body,
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match &mut self.0 {
            Content::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Content::Streamed(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Content::Whole(bytes) => bytes.is_empty(),
            Content::Streamed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Streamed(body) => body.size_hint(),
        }
    }
}

/// A request as the edge layers and doors see it.
pub type HttpRequest = http::Request<RequestBody>;

/// A response as the edge layers and doors see it.
pub type HttpResponse = http::Response<ResponseBody>;

/// The body of a response, whichever door wrote it.
///
/// What must happen at the end of a call hangs on it (`hold` and `end_with`): a held value is dropped when the last frame
/// was handed out, or when the body is dropped before that.
pub struct ResponseBody {
    kind: Kind,
    span: Span,
    held: Held,
    ended: Option<Ended>,
}

enum Kind {
    /// A whole answer; `None` when it was handed out.
    Full(Option<Bytes>),
    /// The inner service's own body: the gRPC door. Boxed, since one of an upstream
    /// needs more room than all other answers.
    Grpc(Box<ReplyBody>),
    /// Any other stream: gRPC-Web, and server streams over REST.
    Stream(Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>),
}

impl ResponseBody {
    /// A whole answer.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self::of(Kind::Full((!bytes.is_empty()).then_some(bytes)))
    }

    /// A whole answer with trailers. It has no length: over HTTP/1.1 an answer with one has no trailers.
    pub(crate) fn with_trailers(bytes: impl Into<Bytes>, trailers: HeaderMap) -> Self {
        let frames = [Frame::data(bytes.into()), Frame::trailers(trailers)];
        Self::stream(StreamBody::new(futures_util::stream::iter(frames.map(Ok))))
    }

    /// No body at all.
    pub fn empty() -> Self {
        Self::of(Kind::Full(None))
    }

    /// The inner service's body, untouched.
    pub(crate) fn grpc(body: ReplyBody) -> Self {
        Self::of(Kind::Grpc(Box::new(body)))
    }

    /// A stream of chunks.
    pub fn stream<B>(body: B) -> Self
    where
        B: Body<Data = Bytes, Error = BoxError> + Send + 'static,
    {
        Self::of(Kind::Stream(Box::pin(body)))
    }

    /// Keeps what the request holds of the memory for bodies, until the answer has ended.
    pub(crate) fn hold(&mut self, held: Held) {
        self.held = held;
    }

    /// Keeps the end of the call, which comes after all else that is held.
    pub(crate) fn end_with(&mut self, ended: Ended) {
        self.ended = Some(ended);
    }

    /// Polls the body inside a span, so that what the handler of a stream logs carries the call's ids.
    pub(crate) fn within(&mut self, span: Span) {
        self.span = span;
    }

    /// Drops the content and keeps what is held: the answer to HEAD.
    pub(crate) fn discard(&mut self) {
        self.kind = Kind::Full(None);
    }

    fn of(kind: Kind) -> Self {
        Self {
            kind,
            span: Span::none(),
            held: Held::default(),
            ended: None,
        }
    }
}

impl Default for ResponseBody {
    fn default() -> Self {
        Self::empty()
    }
}

impl std::fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseBody")
            .field("size", &self.size_hint())
            .finish_non_exhaustive()
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let polled = {
            let _entered = this.span.enter();
            match &mut this.kind {
                Kind::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
                Kind::Grpc(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
                Kind::Stream(body) => body.as_mut().poll_frame(cx),
            }
        };
        // A server that sees the end in `is_end_stream` does not poll again, it drops the body: the same moment.
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            this.held = Held::default();
            this.ended = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Full(bytes) => bytes.is_none(),
            Kind::Grpc(body) => body.is_end_stream(),
            Kind::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Kind::Grpc(body) => body.size_hint(),
            Kind::Stream(body) => body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::rest::Memory;

    #[tokio::test]
    async fn a_held_value_goes_with_the_last_frame_or_with_the_body() {
        let memory = Memory::new(1);
        let hold = || {
            let mut held = Held::default();
            memory.take(1, &mut held).map(|()| held)
        };
        let mut body = ResponseBody::full("ab");
        body.hold(hold().unwrap());
        assert_eq!(body.size_hint().exact(), Some(2));
        assert!(body.frame().await.is_some());
        assert!(body.is_end_stream());
        assert!(hold().is_err());
        assert!(body.frame().await.is_none());
        assert!(hold().is_ok(), "released at the end");

        let mut dropped = ResponseBody::full("ab");
        dropped.hold(hold().unwrap());
        assert!(hold().is_err());
        drop(dropped);
        assert!(hold().is_ok(), "released by the drop");
    }

    #[test]
    fn an_empty_answer_has_ended_and_has_size_zero() {
        for body in [ResponseBody::empty(), ResponseBody::full(""), ResponseBody::default()] {
            assert!(body.is_end_stream());
            assert_eq!(body.size_hint().exact(), Some(0));
        }
    }
}
