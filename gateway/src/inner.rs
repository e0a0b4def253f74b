//! The inner gRPC service as every door calls it: its code is written into the call's record as it passes, and a panic
//! inside a body becomes trailers with INTERNAL, so that a stream never just breaks off.

use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, header};
use http_body::{Body, Frame, SizeHint};
use tonic::{Code, Status};
use tower::{Service, ServiceExt};

use crate::answer::GRPC;
use crate::body::{HttpRequest, RequestBody};
use crate::call::{AnswersInStream, CallRecord};
use crate::deadline::GRPC_TIMEOUT;
use crate::error::Failure;
use crate::gateway::GrpcService;
use crate::metadata::{self, AllowList};
use crate::reply::GRPC_STATUS;
use crate::upload::Uploads;

/// A call on its way to the inner service.
pub(crate) struct InnerCall {
    /// Without what is the same in all calls: a content type that it does not say is gRPC's.
    pub(crate) request: HttpRequest,
    /// Which of the headers go inwards, if not all of them; `grpc-timeout` does, listed or not. To take the others out
    /// would cost more than to pass over them where the headers are read.
    pub(crate) listed: Option<Arc<AllowList>>,
    pub(crate) record: Arc<CallRecord>,
    /// Whether what the record adds to the headers is still to be said. A tower service gets it among them.
    pub(crate) adds: bool,
    /// Whether the RPC's server streams, and so the call may last. Whoever is inside knows no schema.
    pub(crate) streams: bool,
}

impl InnerCall {
    /// A call as the tower service of an upstream gets it.
    #[cfg(feature = "standalone")]
    pub(crate) fn of(request: http::Request<tonic::body::Body>) -> Self {
        let extensions = request.extensions();
        Self {
            record: CallRecord::of(extensions),
            streams: extensions.get::<AnswersInStream>().is_some(),
            request: request.map(RequestBody::from),
            listed: None,
            adds: false,
        }
    }

    /// The same for a tower service, which knows of the call what is in its request.
    fn into_request(self) -> http::Request<tonic::body::Body> {
        let mut request = self.request.map(tonic::body::Body::from);
        let headers = request.headers_mut();
        if let Some(list) = self.listed {
            metadata::remove(headers, |name, _| !list.lists(name) && *name != GRPC_TIMEOUT);
        }
        if !headers.contains_key(header::CONTENT_TYPE) {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(GRPC));
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
        }
        if self.streams {
            request.extensions_mut().insert(AnswersInStream);
        }
        if !self.adds {
            return request;
        }
        let (mut head, body) = request.into_parts();
        self.record.say(&mut head.headers, &mut head.extensions);
        http::Request::from_parts(head, body)
    }
}

/// What answers the calls of all doors at once, without a turn to wait for.
pub(crate) trait Calls: Send + Sync {
    /// Answers a call.
    fn call(&self, call: InnerCall) -> Called;
}

/// The answer to a call, on its way.
pub(crate) enum Called {
    Tower(BoxFuture<'static, Result<http::Response<tonic::body::Body>, Infallible>>),
    #[cfg(feature = "standalone")]
    Upstream(BoxFuture<'static, http::Response<InnerBody>>),
}

impl Future for Called {
    type Output = http::Response<InnerBody>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Tower(future) => {
                let Ok(response) = ready!(future.as_mut().poll(cx));
                Poll::Ready(response.map(InnerBody::Tonic))
            }
            #[cfg(feature = "standalone")]
            Self::Upstream(future) => future.as_mut().poll(cx),
        }
    }
}

/// The body of an answer.
#[cfg_attr(
    feature = "standalone",
    expect(clippy::large_enum_variant, reason = "a box for each call is what this is to save")
)]
pub(crate) enum InnerBody {
    Tonic(tonic::body::Body),
    #[cfg(feature = "standalone")]
    Upstream(crate::upstream::AnswerBody),
}

impl Default for InnerBody {
    fn default() -> Self {
        Self::Tonic(tonic::body::Body::empty())
    }
}

#[cfg(feature = "standalone")]
impl From<InnerBody> for tonic::body::Body {
    fn from(body: InnerBody) -> Self {
        match body {
            InnerBody::Tonic(body) => body,
            InnerBody::Upstream(body) => Self::new(body),
        }
    }
}

impl Body for InnerBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self.get_mut() {
            Self::Tonic(body) => Pin::new(body).poll_frame(cx),
            #[cfg(feature = "standalone")]
            Self::Upstream(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Tonic(body) => body.is_end_stream(),
            #[cfg(feature = "standalone")]
            Self::Upstream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Tonic(body) => body.size_hint(),
            #[cfg(feature = "standalone")]
            Self::Upstream(body) => body.size_hint(),
        }
    }
}

impl<F: Fn(InnerCall) -> Called + Send + Sync> Calls for F {
    fn call(&self, call: InnerCall) -> Called {
        self(call)
    }
}

/// A tower service. Each call goes to a clone of its own, which is asked whether it is ready.
struct Tower(GrpcService);

impl Calls for Tower {
    fn call(&self, call: InnerCall) -> Called {
        let request = call.into_request();
        let mut service = self.0.clone();
        match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(_) => Called::Tower(service.call(request)),
            // Asked again, by one whom it can wake.
            Poll::Pending => Called::Tower(Box::pin(service.oneshot(request))),
        }
    }
}

/// The inner service; a clone shares it.
#[derive(Clone)]
pub(crate) struct Inner {
    service: Arc<dyn Calls>,
    uploads: Uploads,
}

impl Inner {
    pub(crate) fn new(service: GrpcService, uploads: Uploads) -> Self {
        Self::direct(Arc::new(Tower(service)), uploads)
    }

    /// A service that is no tower service: those box each call once more than it needs.
    pub(crate) fn direct(service: Arc<dyn Calls>, uploads: Uploads) -> Self {
        Self { service, uploads }
    }

    /// Calls it once, with a body that is still on its way.
    pub(crate) fn forward(&self, request: HttpRequest, record: &Arc<CallRecord>) -> Reply {
        let (head, body) = request.into_parts();
        let body = self.uploads.timed(&head.uri, body, record.started());
        let streams = self.uploads.is_answered_in_stream(&head.uri);
        self.send(InnerCall {
            request: http::Request::from_parts(head, body),
            listed: None,
            record: record.clone(),
            adds: true,
            streams,
        })
    }

    /// Calls it once.
    pub(crate) fn send(&self, call: InnerCall) -> Reply {
        let record = call.record.clone();
        Reply {
            future: self.service.call(call),
            record,
        }
    }
}

/// For tonic-web, which wants a service.
impl Service<http::Request<tonic::body::Body>> for Inner {
    type Response = http::Response<ReplyBody>;
    type Error = Infallible;
    type Future = Reply;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Reply {
        let record = CallRecord::of(request.extensions());
        self.forward(request.map(RequestBody::from), &record)
    }
}

/// The answer to one call.
pub(crate) struct Reply {
    future: Called,
    record: Arc<CallRecord>,
}

impl Future for Reply {
    type Output = Result<http::Response<ReplyBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(Pin::new(&mut self.future).poll(cx));
        // An error without a message has its status in the headers, and an empty body.
        let settled = record_code(response.headers(), &self.record).is_some();
        let record = self.record.clone();
        Poll::Ready(Ok(response.map(|body| ReplyBody {
            body: Some(body),
            record,
            settled,
            is_ok: false,
        })))
    }
}

/// The body of an answer, watched.
pub(crate) struct ReplyBody {
    /// `None` once it has ended otherwise than by itself.
    body: Option<InnerBody>,
    record: Arc<CallRecord>,
    /// Whether the record has the call's code.
    settled: bool,
    /// Whether the code is OK, as trailers said it.
    is_ok: bool,
}

impl ReplyBody {
    /// Whether the call's code is known: at the start, whether the head of the answer has it.
    pub(crate) fn has_status(&self) -> bool {
        self.settled
    }

    /// Whether trailers were there that said OK.
    pub(crate) fn has_ended_well(&self) -> bool {
        self.is_ok
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let Some(body) = &mut this.body else {
            return Poll::Ready(None);
        };
        // A body that panicked is dropped, so that nothing sees the state in which it was left.
        let Ok(polled) = catch_unwind(AssertUnwindSafe(|| Pin::new(body).poll_frame(cx))) else {
            tracing::error!(request_id = this.record.request_id(), "the body of an answer panicked");
            this.body = None;
            this.settled = true;
            this.record.set_code(Code::Internal);
            let trailers = Failure::panicked().trailers(this.record.error_domain());
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        };
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(code) = frame
                    .trailers_ref()
                    .and_then(|trailers| record_code(trailers, &this.record))
                {
                    this.settled = true;
                    this.is_ok = code == Code::Ok;
                }
            }
            Poll::Ready(Some(Err(status))) => {
                this.settled = true;
                this.record.set_code(status.code());
                this.body = None;
            }
            Poll::Ready(None) if !this.settled => {
                this.settled = true;
                this.record.set_code(Code::Unavailable);
            }
            Poll::Ready(None) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.body.as_ref().map(Body::size_hint);
        left.unwrap_or_else(|| SizeHint::with_exact(0))
    }
}

/// Writes the code of headers or trailers into the record; `None` if they have none.
fn record_code(headers: &HeaderMap, record: &CallRecord) -> Option<Code> {
    let code = Code::from_bytes(headers.get(&GRPC_STATUS)?.as_bytes());
    record.set_code(code);
    Some(code)
}

#[cfg(all(test, feature = "standalone"))]
mod tests {
    use super::*;
    use crate::call::{Added, TRACEPARENT, X_FORWARDED_FOR, X_REQUEST_ID};

    #[test]
    fn a_tower_service_is_told_what_goes_in_and_an_upstream_behind_it_says_it_once() {
        let value = HeaderValue::from_static;
        let added = Added {
            request_id: true,
            traceparent: true,
            forwarded_for: Some(value("::1")),
            ..Added::default()
        };
        let (method, uri) = (http::Method::GET, http::Uri::from_static("/v1"));
        let record = CallRecord::opened(value("r"), value("t"), method, uri, None, added);
        let mut request = HttpRequest::default();
        for name in [
            header::ACCEPT,
            header::CONTENT_TYPE,
            header::ACCEPT_LANGUAGE,
            GRPC_TIMEOUT,
        ] {
            request.headers_mut().insert(name, value("1"));
        }
        let call = InnerCall {
            request,
            listed: Some(Arc::new(AllowList::with(&[]))),
            record: record.clone(),
            adds: true,
            streams: true,
        };
        let told = call.into_request();
        let expected = [
            (header::ACCEPT_LANGUAGE, value("1")),
            (GRPC_TIMEOUT, value("1")),
            (header::CONTENT_TYPE, value(GRPC)),
            (header::TE, value("trailers")),
            (X_REQUEST_ID, value("r")),
            (TRACEPARENT, value("t")),
            (X_FORWARDED_FOR, value("::1")),
        ];
        assert_eq!(*told.headers(), HeaderMap::from_iter(expected));
        let behind = InnerCall::of(told);
        assert!(Arc::ptr_eq(&behind.record, &record) && behind.streams);
        assert!(behind.listed.is_none() && !behind.adds);
    }
}
