//! What a call of the catalog can fail with.

use std::time::Duration;

use millrace_chassis::idempotency::ClaimError;
use millrace_chassis::page::PageError;
use millrace_chassis::shard::StoreError;
use millrace_chassis::status::{self, Fault, Kind, Violation};

/// What a call of the catalog can fail with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields of the request are wrong.
    #[error("{}", crate::field::summary(.0))]
    Invalid(Vec<Violation>),
    /// No such product.
    #[error("{name} does not exist")]
    NotFound {
        /// Name of the product.
        name: String,
        /// Where the request names it, if it names several.
        violations: Vec<Violation>,
    },
    /// The id is taken.
    #[error("{0} exists already: choose another product_id")]
    Exists(String),
    /// The product has changed since its etag was read.
    #[error("{0} has changed since its etag was read: read it again")]
    EtagMismatch(String),
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

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_) => Kind::Invalid,
            Self::NotFound { .. } => Kind::NotFound,
            Self::Exists(_) => Kind::AlreadyExists,
            Self::EtagMismatch(_) => Kind::Aborted,
            Self::Page(error) => error.kind(),
            Self::Claim(error) => error.kind(),
            Self::Store(error) => error.kind(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_FIELD",
            Self::NotFound { .. } => "NOT_FOUND",
            Self::Exists(_) => "ALREADY_EXISTS",
            Self::EtagMismatch(_) => "ETAG_MISMATCH",
            Self::Page(error) => error.reason(),
            Self::Claim(error) => error.reason(),
            Self::Store(error) => error.reason(),
        }
    }

    fn violations(&self) -> Vec<Violation> {
        match self {
            Self::Invalid(violations) | Self::NotFound { violations, .. } => violations.clone(),
            Self::Page(error) => error.violations(),
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
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
