//! A panic in a call becomes INTERNAL. Without this layer hyper would reset the stream, or close an HTTP/1.1
//! connection without an answer.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt;
use tonic::Status;

use super::refusal::Refusal;

/// Runs a call; a panic ends it with INTERNAL. What it said is in the log by the panic hook, and not in the answer.
pub(crate) async fn guard<T>(call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    // What the call owned is dropped by the unwinding and seen by nobody again, so a broken invariant cannot leak.
    match AssertUnwindSafe(call).catch_unwind().await {
        Ok(outcome) => outcome,
        Err(_) => Err(Refusal::Panicked.into()),
    }
}

/// The same for one step that does not wait.
pub(crate) fn guard_step<T>(step: impl FnOnce() -> T) -> Result<T, Status> {
    catch_unwind(AssertUnwindSafe(step)).map_err(|_| Refusal::Panicked.into())
}
