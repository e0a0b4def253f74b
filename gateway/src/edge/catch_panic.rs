//! Turns a panic in the answer's making into INTERNAL, in the shape of the door by which the call came. Panics inside a
//! body are caught where that body is made (`inner.rs`).

use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::answer::{Answers, Shape};
use crate::body::{HttpRequest, HttpResponse};
use crate::call::CallRecord;
use crate::error::Failure;

/// Catches panics.
#[derive(Clone)]
pub(crate) struct CatchPanicLayer {
    answers: Answers,
}

impl CatchPanicLayer {
    pub(crate) fn new(answers: Answers) -> Self {
        Self { answers }
    }
}

impl<S> Layer<S> for CatchPanicLayer {
    type Service = CatchPanic<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CatchPanic {
            inner,
            answers: self.answers.clone(),
        }
    }
}

/// The service of [`CatchPanicLayer`].
#[derive(Clone)]
pub(crate) struct CatchPanic<S> {
    inner: S,
    answers: Answers,
}

impl<S> Service<HttpRequest> for CatchPanic<S>
where
    S: Service<HttpRequest, Response = HttpResponse, Error = Infallible>,
{
    type Response = HttpResponse;
    type Error = Infallible;
    type Future = Catching<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: HttpRequest) -> Self::Future {
        let shape = Shape::of(&request);
        let record = CallRecord::of(request.extensions());
        // Nothing of the call is looked at again after a panic but its record, which is made of atomics.
        let future = catch_unwind(AssertUnwindSafe(|| self.inner.call(request))).ok();
        Catching {
            future,
            answers: self.answers.clone(),
            shape,
            record,
        }
    }
}

pin_project! {
    /// The call; `None` if it panicked before there was a future.
    pub(crate) struct Catching<F> {
        #[pin]
        future: Option<F>,
        answers: Answers,
        shape: Shape,
        record: Arc<CallRecord>,
    }
}

impl<F: Future<Output = Result<HttpResponse, Infallible>>> Future for Catching<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = this
            .future
            .as_pin_mut()
            .and_then(|future| catch_unwind(AssertUnwindSafe(|| future.poll(cx))).ok());
        if let Some(polled) = polled {
            return polled;
        }
        // The message of the panic is in the log by the panic hook, never in the answer.
        tracing::error!(
            request_id = this.record.request_id(),
            rpc.method = this.record.rpc_method(),
            "a call panicked"
        );
        Poll::Ready(Ok(this.answers.answer(this.shape, &Failure::panicked(), this.record)))
    }
}
