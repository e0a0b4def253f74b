//! What a call of identity can fail with.

use std::time::Duration;

use millrace_chassis::idempotency::ClaimError;
use millrace_chassis::page::PageError;
use millrace_chassis::shard::StoreError;
use millrace_chassis::shard::scope::HoldsStoreError;
use millrace_chassis::status::{self, Fault, Kind, Violation};

/// What a call of identity can fail with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields of the request are wrong.
    #[error("{}", crate::field::summary(.0))]
    Invalid(Vec<Violation>),
    /// No such user or key.
    #[error("{0} does not exist")]
    NotFound(String),
    /// Another user has the address.
    #[error("a user with the e-mail {0} exists already")]
    EmailTaken(String),
    /// The user has changed since the etag was read, or while the call was under way.
    #[error("{0} has changed since it was read: read it again")]
    EtagMismatch(String),
    /// The call was overtaken: its reservation of an address lapsed.
    #[error("the e-mail was reserved by another call until now: send the request again")]
    Lapsed,
    /// Only an operator makes an operator's key.
    #[error("only an operator may create an operator's key")]
    OperatorKey,
    /// The page size or the page token cannot be used.
    #[error(transparent)]
    Page(#[from] PageError),
    /// The request id cannot be claimed.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Vec<Violation>> for Error {
    fn from(violations: Vec<Violation>) -> Self {
        Self::Invalid(violations)
    }
}

impl HoldsStoreError for Error {
    fn store(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            Self::Claim(error) => error.store(),
            _ => None,
        }
    }
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_) => Kind::Invalid,
            Self::NotFound(_) => Kind::NotFound,
            Self::EmailTaken(_) => Kind::AlreadyExists,
            Self::EtagMismatch(_) | Self::Lapsed => Kind::Aborted,
            Self::OperatorKey => Kind::PermissionDenied,
            Self::Page(error) => error.kind(),
            Self::Claim(error) => error.kind(),
            Self::Store(error) => error.kind(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_FIELD",
            Self::NotFound(_) => "NOT_FOUND",
            Self::EmailTaken(_) => "ALREADY_EXISTS",
            Self::EtagMismatch(_) => "ETAG_MISMATCH",
            Self::Lapsed => "IN_PROGRESS",
            Self::OperatorKey => "PERMISSION_DENIED",
            Self::Page(error) => error.reason(),
            Self::Claim(error) => error.reason(),
            Self::Store(error) => error.reason(),
        }
    }

    fn violations(&self) -> Vec<Violation> {
        match self {
            Self::Invalid(violations) => violations.clone(),
            Self::Page(error) => error.violations(),
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Lapsed => Some(Duration::from_millis(100)),
            Self::Claim(error) => error.retry_after(),
            Self::Store(error) => error.retry_after(),
            _ => None,
        }
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        status::status(&error)
    }
}
