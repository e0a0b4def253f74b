//! Tells from the outcome of one attempt whether another may follow, and when. Pure.

use std::time::Duration;

use http::{HeaderMap, Response, StatusCode};
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// The header by which a server says when to come again, or, with a negative number, not to (gRFC A6).
const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// What an attempt says about another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// An answer, good or bad, that another attempt would not change.
    Final,
    /// The server, or the way to it, was not available before any part of the answer.
    Unavailable,
    /// The same, and the server says how long to wait.
    UnavailableFor(Duration),
    /// The same, and the server asks not to be called again.
    UnavailableForGood,
}

impl Outcome {
    /// Reads the outcome of an attempt.
    pub(crate) fn of(reply: &Result<Response<Body>, Status>) -> Self {
        match reply {
            // The server's metadata is in the status; one that never left this machine has none.
            Err(status) => Self::of_status(status, &status.metadata().clone().into_headers()),
            Ok(response) => match Status::from_header_map(response.headers()) {
                Some(status) => Self::of_status(&status, response.headers()),
                None if is_proxy_failure(response.status()) => Self::Unavailable,
                None => Self::Final,
            },
        }
    }

    fn of_status(status: &Status, headers: &HeaderMap) -> Self {
        if status.code() != Code::Unavailable {
            return Self::Final;
        }
        let delay = status.get_details_retry_info().and_then(|info| info.retry_delay);
        match (headers.get(PUSHBACK), delay) {
            (Some(pushback), _) => match pushback.to_str().ok().and_then(|text| text.parse().ok()) {
                Some(millis) => Self::UnavailableFor(Duration::from_millis(millis)),
                None => Self::UnavailableForGood,
            },
            (None, Some(delay)) => Self::UnavailableFor(delay),
            (None, None) => Self::Unavailable,
        }
    }
}

/// Whether a proxy answered in the server's place that it cannot reach it (gRPC's table of HTTP codes).
fn is_proxy_failure(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    fn response(code: Code, delay: Option<Duration>, pushback: Option<&'static str>) -> Response<Body> {
        let mut details = ErrorDetails::new();
        if let Some(delay) = delay {
            details.set_retry_info(Some(delay));
        }
        let mut status = Status::with_error_details(code, "", details);
        if let Some(pushback) = pushback {
            status.metadata_mut().insert(PUSHBACK, pushback.parse().unwrap());
        }
        status.into_http()
    }

    #[test]
    fn only_unavailability_calls_for_another_attempt_and_the_server_says_when() {
        let second = Some(Duration::from_secs(1));
        let cases = [
            (Code::Ok, None, None, Outcome::Final),
            (Code::Internal, None, None, Outcome::Final),
            (Code::DeadlineExceeded, None, None, Outcome::Final),
            // The caller's own quota: waiting is for the caller to decide.
            (Code::ResourceExhausted, second, None, Outcome::Final),
            (Code::Unavailable, None, None, Outcome::Unavailable),
            (
                Code::Unavailable,
                second,
                None,
                Outcome::UnavailableFor(Duration::from_secs(1)),
            ),
            (
                Code::Unavailable,
                None,
                Some("250"),
                Outcome::UnavailableFor(Duration::from_millis(250)),
            ),
            (
                Code::Unavailable,
                second,
                Some("0"),
                Outcome::UnavailableFor(Duration::ZERO),
            ),
            (Code::Unavailable, second, Some("-1"), Outcome::UnavailableForGood),
            (Code::Unavailable, None, Some("soon"), Outcome::UnavailableForGood),
        ];
        for (code, delay, pushback, expected) in cases {
            let reply = Ok(response(code, delay, pushback));
            assert_eq!(Outcome::of(&reply), expected, "{code:?} {delay:?} {pushback:?}");
        }
        assert_eq!(Outcome::of(&Err(Status::unavailable("no route"))), Outcome::Unavailable);
        assert_eq!(Outcome::of(&Err(Status::cancelled(""))), Outcome::Final);
    }

    #[test]
    fn a_proxy_without_its_server_is_unavailable() {
        for (code, expected) in [
            (200, Outcome::Final),
            (404, Outcome::Final),
            (503, Outcome::Unavailable),
        ] {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::from_u16(code).unwrap();
            assert_eq!(Outcome::of(&Ok(response)), expected, "{code}");
        }
    }
}
