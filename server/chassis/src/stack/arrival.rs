//! The arrival of a request: nothing costs more than waiting until its first message is there, so that a call without
//! one is told so by the same words on every door, and gives way to others while it waits.

use std::future::Future;
use std::time::Duration;

use tonic::Status;
use tonic::body::Body;

use super::deadline::Deadline;
use super::frame::First;
use super::refusal::Refusal;
use super::rules::Rule;

/// How long a stream without a deadline may take to its first message.
const FIRST_MESSAGE_MAX: Duration = Duration::from_secs(10);

/// What is there of a request once it has begun.
pub(crate) enum Begun {
    /// The message of a method that takes one; its end is still to come.
    Message(First),
    /// The body of a method that takes a stream, as it is: its client may wait for an answer first.
    Stream(Body),
}

/// Waits for the message of a method that takes one.
pub(crate) async fn begun(rule: &Rule, body: Body, limit: usize) -> Result<Begun, Status> {
    if rule.client_streaming() {
        return Ok(Begun::Stream(body));
    }
    Ok(Begun::Message(first_message(body, limit).await?))
}

/// Waits for the end of a request with one message, and returns the body from its beginning.
pub(crate) async fn ended(begun: Begun) -> Result<Body, Status> {
    match begun {
        Begun::Message(first) => in_time(first.alone()).await,
        Begun::Stream(body) => Ok(body),
    }
}

/// Reads the first message.
pub(crate) async fn first_message(body: Body, limit: usize) -> Result<First, Status> {
    in_time(First::read(body, limit)).await
}

/// Reads under the call's deadline, or under one for a call that has none.
async fn in_time<T>(read: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    if Deadline::current().is_some() {
        return read.await;
    }
    match tokio::time::timeout(FIRST_MESSAGE_MAX, read).await {
        Ok(read) => read,
        Err(_) => Err(Refusal::DeadlineExceeded.into()),
    }
}
