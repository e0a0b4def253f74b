//! Catches a panic in the answer's making. Panics inside a body are caught where that body is made (`inner.rs`).

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::call::CallRecord;

pin_project! {
    /// A future whose panic is its end: `None`.
    pub(super) struct Catching<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future> Catching<F> {
    pub(super) fn new(future: F) -> Self {
        Self { future }
    }
}

impl<F: Future> Future for Catching<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.project().future;
        // Nothing of the call is looked at again after a panic but its record, which is made of atomics.
        match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(polled) => polled.map(Some),
            Err(_) => Poll::Ready(None),
        }
    }
}

/// The message of the panic is in the log by the panic hook, never in the answer.
pub(super) fn log(record: &CallRecord) {
    tracing::error!(
        request_id = record.request_id(),
        rpc.method = record.rpc_method(),
        "a call panicked"
    );
}
