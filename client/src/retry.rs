//! The one place that sends a call, and sends it again.
//!
//! Again only if the method allows it (`methods`), nothing of the answer has come, the server was unavailable rather
//! than unwilling, the budget has tokens left, and the wait ends before the deadline. The server's word on when to
//! retry goes before the client's own backoff.

mod budget;
mod outcome;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use tokio::time::{Instant, sleep};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceExt};

use crate::deadline::{self, GRPC_TIMEOUT};
use crate::random::Random;
use budget::Budget;
use outcome::Outcome;

/// A request that can be sent again is kept whole; a larger one is refused. It is what gRPC servers accept by default.
const REQUEST_BYTES_MAX: usize = 4 << 20;
/// The first wait is drawn from zero to this; each further one from twice the range before.
const BACKOFF_FIRST: Duration = Duration::from_millis(50);
/// The longest range that a wait is drawn from.
const BACKOFF_MAX: Duration = Duration::from_secs(1);
/// A server that asks for a longer wait than this gets no retry: its word is for the caller, in `Error::retry_after`.
const PUSHBACK_MAX: Duration = Duration::from_secs(30);
/// Says how often a call was sent before (gRFC A6).
const PREVIOUS_ATTEMPTS: &str = "grpc-previous-rpc-attempts";

/// What carries a request to the server.
pub(crate) type Connection = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

/// The rules of sending again, shared by all calls of a client.
#[derive(Debug)]
pub(crate) struct Retry {
    attempts_max: u32,
    budget: Budget,
    random: Arc<Random>,
}

impl Retry {
    /// At most this many attempts for each call, the first included.
    pub(crate) fn new(attempts_max: u32, random: Arc<Random>) -> Self {
        Self {
            attempts_max,
            budget: Budget::full(),
            random,
        }
    }

    /// Sends a call until its outcome is final.
    pub(crate) async fn send(
        &self,
        connection: &Connection,
        head: &Parts,
        message: &Bytes,
        deadline: Option<Instant>,
    ) -> Result<Response<Body>, Status> {
        let mut attempts = 0;
        loop {
            let mut request = Request::from_parts(head.clone(), Body::new(Full::new(message.clone())));
            if attempts > 0 {
                request
                    .headers_mut()
                    .insert(PREVIOUS_ATTEMPTS, HeaderValue::from(attempts));
            }
            let reply = send_once(connection, request, deadline).await;
            attempts += 1;
            let Some(wait) = self.wait(Outcome::of(&reply), attempts) else {
                return reply;
            };
            // The caller is better served by the failure than by a deadline that hides it.
            if deadline.is_some_and(|deadline| Instant::now() + wait >= deadline) {
                return reply;
            }
            sleep(wait).await;
        }
    }

    /// How long to wait before the next attempt; `None` if there is none.
    fn wait(&self, outcome: Outcome, attempts: u32) -> Option<Duration> {
        if outcome == Outcome::Final {
            self.budget.note_answer();
            return None;
        }
        // Every failure is noted, also one that is the call's last.
        let affordable = self.budget.note_failure();
        if !affordable || attempts >= self.attempts_max {
            return None;
        }
        match outcome {
            Outcome::Final | Outcome::UnavailableForGood => None,
            Outcome::UnavailableFor(wait) => (wait <= PUSHBACK_MAX).then_some(wait),
            Outcome::Unavailable => {
                let range = BACKOFF_FIRST
                    .saturating_mul(1 << (attempts - 1).min(16))
                    .min(BACKOFF_MAX);
                Some(range.mul_f64(self.random.fraction()))
            }
        }
    }
}

/// Sends a request as it is, with the time that is left.
pub(crate) async fn send_once(
    connection: &Connection,
    mut request: Request<Body>,
    deadline: Option<Instant>,
) -> Result<Response<Body>, Status> {
    if let Some(deadline) = deadline {
        let timeout = deadline::header(deadline, Instant::now()).ok_or_else(deadline::exceeded)?;
        request.headers_mut().insert(GRPC_TIMEOUT, timeout);
    }
    connection.clone().oneshot(request).await.map_err(no_answer)
}

/// Reads a whole request, so that it can be sent again.
pub(crate) async fn buffer(body: Body) -> Result<Bytes, Status> {
    match Limited::new(body, REQUEST_BYTES_MAX).collect().await {
        Ok(message) => Ok(message.to_bytes()),
        Err(error) => Err(match error.downcast::<Status>() {
            Ok(status) => *status,
            Err(_) => Status::resource_exhausted(format!("the request is larger than {REQUEST_BYTES_MAX} bytes")),
        }),
    }
}

/// The status of a request to which nothing was answered.
fn no_answer(error: BoxError) -> Status {
    let error = match error.downcast::<Status>() {
        Ok(status) => return *status,
        Err(error) => error,
    };
    // tonic watches the deadline too, by the header, and calls its end CANCELLED.
    if has_cause::<tonic::TimeoutExpired>(&*error) {
        return deadline::exceeded();
    }
    let cause = last_cause(&*error);
    let status = connection_lost(Status::from_error(error));
    match status.code() {
        Code::Unavailable => Status::unavailable(format!("no answer from the server: {cause}")),
        _ => status,
    }
}

/// Names what a broken connection or stream is for the caller, UNAVAILABLE, where tonic's mapping of HTTP/2 errors
/// would say UNKNOWN (a socket that was reset), INTERNAL (a server that went away) or CANCELLED (a stream that was).
pub(crate) fn connection_lost(status: Status) -> Status {
    match status.code() {
        Code::Unknown | Code::Internal | Code::Cancelled => {
            Status::unavailable(format!("the connection broke: {}", status.message()))
        }
        _ => status,
    }
}

fn has_cause<E: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| cause.is::<E>())
}

/// The innermost cause, which is the one that says what happened: `Connection refused`.
pub(crate) fn last_cause(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map_or_else(String::new, ToString::to_string)
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_drawn_from_the_whole_of_a_range_that_doubles_up_to_its_limit() {
        let random = Arc::new(Random::from_seed([7, 8]));
        for (attempts, range) in [(1, 50), (2, 100), (3, 200), (5, 800), (6, 1_000), (40, 1_000)] {
            let range = Duration::from_millis(range);
            let waits: Vec<_> = (0..200)
                .map(|_| {
                    let retry = Retry::new(u32::MAX, random.clone());
                    retry.wait(Outcome::Unavailable, attempts).unwrap()
                })
                .collect();
            assert!(waits.iter().all(|wait| *wait < range), "{attempts}");
            let share = |part: fn(&Duration, Duration) -> bool| waits.iter().filter(|wait| part(wait, range)).count();
            let (early, late) = (
                share(|wait, range| *wait < range / 4),
                share(|wait, range| *wait > range / 4 * 3),
            );
            assert!(early > 25 && late > 25, "{attempts}: {early} early, {late} late of 200");
        }
    }
}
