//! What the stack itself refuses, in one list.

use std::time::Duration;

use http::{HeaderValue, Response};
use tonic::Status;
use tonic::body::Body;

use crate::status::{self, Fault, Kind, Violation};

/// Why the stack refuses a call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("header `grpc-timeout` is malformed: expected 1 to 8 digits and one of H, M, S, m, u, n, as in `500m`")]
    MalformedTimeout,
    #[error("the deadline passed before the call ended")]
    DeadlineExceeded,
    #[error("the server is at its limit of calls in progress")]
    Overloaded,
    #[error(
        "callers without a key have as many streams open as they may, from your address or together; close one or send a key"
    )]
    TooManyKeyless,
    #[error("the server is shutting down; call again, from the last message on")]
    Draining,
    #[error("the stream reached its longest life; call again, from the last message on")]
    LifeOver,
    #[error("no credential: send an API key as `authorization: Bearer mr_...` or `x-api-key: mr_...`")]
    NoCredential,
    #[error("the credential {0}")]
    BadCredential(&'static str),
    #[error("the credential was revoked while the stream was open")]
    Revoked,
    #[error("only an operator may make this call")]
    OperatorsOnly,
    #[error("users/{0} does not exist, or is not the caller")]
    NotTheCaller(String),
    #[error("the request names no user: {}: {}", .0.field, .0.description)]
    NoUser(Violation),
    #[error("the request is not a valid message of its type")]
    Unreadable,
    #[error("the call takes one message, and the request has more after it")]
    MoreThanOneMessage,
    #[error("the message has {0} bytes; the limit is {1}")]
    TooLarge(usize, usize),
    #[error("a defect of the server ended the call")]
    Panicked,
}

impl Fault for Refusal {
    fn kind(&self) -> Kind {
        match self {
            Self::MalformedTimeout | Self::NoUser(_) | Self::Unreadable | Self::MoreThanOneMessage => Kind::Invalid,
            Self::DeadlineExceeded => Kind::DeadlineExceeded,
            Self::Overloaded | Self::Draining | Self::LifeOver => Kind::Unavailable,
            Self::NoCredential | Self::BadCredential(_) | Self::Revoked => Kind::Unauthenticated,
            Self::OperatorsOnly => Kind::PermissionDenied,
            Self::NotTheCaller(_) => Kind::NotFound,
            Self::TooLarge(..) | Self::TooManyKeyless => Kind::Exhausted,
            Self::Panicked => Kind::Internal,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::MalformedTimeout | Self::NoUser(_) | Self::Unreadable | Self::MoreThanOneMessage => "INVALID_FIELD",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::Overloaded | Self::TooManyKeyless => "OVERLOADED",
            Self::Draining | Self::LifeOver => "STREAM_CUT",
            Self::NoCredential | Self::BadCredential(_) | Self::Revoked => "UNAUTHENTICATED",
            Self::OperatorsOnly => "PERMISSION_DENIED",
            Self::NotTheCaller(_) => "NOT_FOUND",
            Self::TooLarge(..) => "TOO_LARGE",
            Self::Panicked => "INTERNAL",
        }
    }

    fn violations(&self) -> Vec<Violation> {
        match self {
            Self::MalformedTimeout => vec![Violation::new("grpc-timeout", self.to_string())],
            Self::NoUser(violation) => vec![violation.clone()],
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        matches!(
            self,
            Self::Overloaded | Self::TooManyKeyless | Self::Draining | Self::LifeOver
        )
        .then_some(Duration::from_secs(1))
    }

    fn is_logged(&self) -> bool {
        // By the panic hook, which knows where it happened.
        matches!(self, Self::Panicked)
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        status::status(&refusal)
    }
}

impl From<Refusal> for Response<Body> {
    fn from(refusal: Refusal) -> Self {
        Status::from(refusal).into_http()
    }
}

/// How tonic-prost words a request that prost cannot decode, as it stands in the header.
const UNDECODABLE: &[u8] = b"failed%20to%20decode%20Protobuf%20message";

/// A request that cannot be decoded is the caller's mistake, but tonic calls it INTERNAL.
pub(crate) fn blame_caller_for_undecodable(response: Response<Body>) -> Response<Body> {
    let headers = response.headers();
    let internal = headers.get(Status::GRPC_STATUS) == Some(&HeaderValue::from_static("13"));
    let message = headers.get(Status::GRPC_MESSAGE).map(HeaderValue::as_bytes);
    if internal && message.is_some_and(|message| message.starts_with(UNDECODABLE)) {
        return Refusal::Unreadable.into();
    }
    response
}
