//! The arrival of a request: nothing costs more than waiting until its first message is there, so that a call without
//! one is told so by the same words on every door, and gives way to others while it waits.

use std::time::Duration;

use tonic::Status;
use tonic::body::Body;

use super::deadline::Deadline;
use super::frame::First;
use super::refusal::Refusal;
use super::rules::Rule;

/// How long a stream without a deadline may take to its first message.
const FIRST_MESSAGE_MAX: Duration = Duration::from_secs(10);

/// Waits for the message of a method that takes one, and returns the body from its beginning. A method that takes a
/// stream of them has the body as it is: its client may wait for an answer first.
pub(crate) async fn whole(rule: &Rule, body: Body, limit: usize) -> Result<Body, Status> {
    if rule.client_streaming() {
        return Ok(body);
    }
    Ok(first_message(body, limit).await?.into_body())
}

/// Reads the first message under the call's deadline, or under one for a call that has none.
pub(crate) async fn first_message(body: Body, limit: usize) -> Result<First, Status> {
    let read = First::read(body, limit);
    if Deadline::current().is_some() {
        return read.await;
    }
    match tokio::time::timeout(FIRST_MESSAGE_MAX, read).await {
        Ok(first) => first,
        Err(_) => Err(Refusal::DeadlineExceeded.into()),
    }
}
