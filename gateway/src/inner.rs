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
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use tonic::{Code, Status};
use tower::{Service, ServiceExt};

use crate::body::RequestBody;
use crate::call::{AnswersInStream, CallRecord};
use crate::error::Failure;
use crate::gateway::GrpcService;
use crate::reply::GRPC_STATUS;
use crate::upload::Uploads;

/// What answers the calls of all doors at once, without a turn to wait for.
pub(crate) trait Calls: Send + Sync {
    /// Answers a call.
    fn call(&self, request: http::Request<RequestBody>) -> Called;
}

/// The answer to a call, on its way.
pub(crate) type Called = BoxFuture<'static, Result<http::Response<tonic::body::Body>, Infallible>>;

impl<F: Fn(http::Request<RequestBody>) -> Called + Send + Sync> Calls for F {
    fn call(&self, request: http::Request<RequestBody>) -> Called {
        self(request)
    }
}

/// A tower service. Each call goes to a clone of its own, which is asked whether it is ready.
struct Tower(GrpcService);

impl Calls for Tower {
    fn call(&self, request: http::Request<RequestBody>) -> Called {
        let mut service = self.0.clone();
        match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(_) => service.call(request),
            // Asked again, by one whom it can wake.
            Poll::Pending => Box::pin(service.oneshot(request)),
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
    pub(crate) fn forward(&self, request: http::Request<RequestBody>) -> Reply {
        let record = CallRecord::of(request.extensions());
        let (head, body) = request.into_parts();
        let body = self.uploads.timed(&head.uri, body, record.started());
        let streams = self.uploads.is_answered_in_stream(&head.uri);
        self.send(http::Request::from_parts(head, body), &record, streams)
    }

    /// Calls it once; whether the RPC's server streams is the caller's to know.
    pub(crate) fn send(
        &self,
        mut request: http::Request<RequestBody>,
        record: &Arc<CallRecord>,
        streams: bool,
    ) -> Reply {
        if streams {
            request.extensions_mut().insert(AnswersInStream);
        }
        Reply {
            future: self.service.call(request),
            record: record.clone(),
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

/// The answer to one call.
pub(crate) struct Reply {
    future: Called,
    record: Arc<CallRecord>,
}

impl Future for Reply {
    type Output = Result<http::Response<ReplyBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.future.as_mut().poll(cx))?;
        // An error without a message has its status in the headers, and an empty body.
        let settled = record_code(response.headers(), &self.record).is_some();
        let record = self.record.clone();
        Poll::Ready(Ok(response.map(|body| ReplyBody {
            state: State::Open(body),
            record,
            settled,
            is_ok: false,
        })))
    }
}

/// The body of an answer, watched.
pub(crate) struct ReplyBody {
    state: State,
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

/// Writes the code of headers or trailers into the record; `None` if they have none.
fn record_code(headers: &HeaderMap, record: &CallRecord) -> Option<Code> {
    let code = Code::from_bytes(headers.get(&GRPC_STATUS)?.as_bytes());
    record.set_code(code);
    Some(code)
}
