//! A panic in a call becomes INTERNAL. Without this layer hyper would reset the stream, or close an HTTP/1.1
//! connection without an answer.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt;
use tonic::Status;

use super::refusal::Refusal;

/// Runs a call; a panic ends it with INTERNAL.
pub(crate) async fn guard<T>(method: &str, call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    // What the call owned is dropped by the unwinding and seen by nobody again, so a broken invariant cannot leak.
    match AssertUnwindSafe(call).catch_unwind().await {
        Ok(outcome) => outcome,
        Err(payload) => Err(report(method, payload.as_ref())),
    }
}

/// The same for one step that does not wait.
pub(crate) fn guard_step<T>(method: &str, step: impl FnOnce() -> T) -> Result<T, Status> {
    catch_unwind(AssertUnwindSafe(step)).map_err(|payload| report(method, payload.as_ref()))
}

fn report(method: &str, payload: &(dyn Any + Send)) -> Status {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without text");
    tracing::error!(rpc.method = method, panic = text, "a call panicked");
    Refusal::Panicked.into()
}
