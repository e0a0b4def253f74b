//! The inner gRPC service as every door calls it: its code is written into the call's record as it passes, and a panic
//! inside a body becomes trailers with INTERNAL, so that a stream never just breaks off.

use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tonic::{Code, Status};
use tower::Service;
use tower::util::Oneshot;

use crate::body::RequestBody;
use crate::call::{AnswersInStream, CallRecord};
use crate::error::Failure;
use crate::gateway::GrpcService;
use crate::reply::GRPC_STATUS;
use crate::upload::Uploads;

/// The inner service. Each call goes to a clone of its own, which is asked whether it is ready: a door never waits for
/// another call's turn.
#[derive(Clone)]
pub(crate) struct Inner {
    /// Shared, so that a clone of the doors (there is one for each request) copies nothing.
    service: Arc<GrpcService>,
    uploads: Uploads,
}

impl Inner {
    pub(crate) fn new(service: GrpcService, uploads: Uploads) -> Self {
        Self {
            service: Arc::new(service),
            uploads,
        }
    }

    /// Calls it once, with a body that is still on its way.
    pub(crate) fn forward(&self, request: http::Request<RequestBody>) -> Reply {
        let started = CallRecord::of(request.extensions()).started();
        let (head, body) = request.into_parts();
        let body = self.uploads.timed(&head.uri, body, started);
        let streams = self.uploads.is_answered_in_stream(&head.uri);
        self.send(http::Request::from_parts(head, body), streams)
    }

    /// Calls it once; whether the RPC's server streams is the caller's to know.
    pub(crate) fn send(&self, mut request: http::Request<RequestBody>, streams: bool) -> Reply {
        let record = CallRecord::of(request.extensions());
        if streams {
            request.extensions_mut().insert(AnswersInStream);
        }
        Reply {
            future: tower::ServiceExt::oneshot(GrpcService::clone(&self.service), request),
            record: Some(record),
        }
    }
}

/// For tonic-web, which wants a service.
impl Service<http::Request<RequestBody>> for Inner {
    type Response = http::Response<ReplyBody>;
    type Error = Infallible;
    type Future = Reply;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<RequestBody>) -> Reply {
        self.forward(request)
    }
}

pin_project! {
    /// The answer to one call.
    pub(crate) struct Reply {
        #[pin]
        future: Oneshot<GrpcService, http::Request<RequestBody>>,
        record: Option<Arc<CallRecord>>,
    }
}

impl Future for Reply {
    type Output = Result<http::Response<ReplyBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.future.poll(cx))?;
        let record = this.record.take().unwrap_or_else(|| CallRecord::new("", ""));
        // An error without a message has its status in the headers, and an empty body.
        let settled = record_code(response.headers(), &record);
        Poll::Ready(Ok(response.map(|body| ReplyBody {
            state: State::Open(body),
            record,
            settled,
        })))
    }
}

/// The body of an answer, watched.
pub(crate) struct ReplyBody {
    state: State,
    record: Arc<CallRecord>,
    /// Whether the record has the call's code.
    settled: bool,
}

enum State {
    Open(tonic::body::Body),
    Ended,
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let State::Open(body) = &mut this.state else {
            return Poll::Ready(None);
        };
        // A body that panicked is dropped, so that nothing sees the state in which it was left.
        let Ok(polled) = catch_unwind(AssertUnwindSafe(|| Pin::new(body).poll_frame(cx))) else {
            tracing::error!(request_id = this.record.request_id(), "the body of an answer panicked");
            this.state = State::Ended;
            this.settled = true;
            this.record.set_code(Code::Internal);
            let trailers = Failure::panicked().trailers(this.record.error_domain());
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        };
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    this.settled |= record_code(trailers, &this.record);
                }
            }
            Poll::Ready(Some(Err(status))) => {
                this.settled = true;
                this.record.set_code(status.code());
                this.state = State::Ended;
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
        match &self.state {
            State::Open(body) => body.is_end_stream(),
            State::Ended => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Open(body) => body.size_hint(),
            State::Ended => SizeHint::with_exact(0),
        }
    }
}

/// Writes the code of headers or trailers into the record; false if they have none.
fn record_code(headers: &HeaderMap, record: &CallRecord) -> bool {
    let Some(code) = headers.get(&GRPC_STATUS) else {
        return false;
    };
    record.set_code(Code::from_bytes(code.as_bytes()));
    true
}
