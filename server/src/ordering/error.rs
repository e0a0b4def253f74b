//! What a call of ordering can fail with.

use std::time::Duration;

use millrace_chassis::idempotency::ClaimError;
use millrace_chassis::name;
use millrace_chassis::page::PageError;
use millrace_chassis::shard::scope::HoldsStoreError;
use millrace_chassis::shard::{StoreError, UserId};
use millrace_chassis::status::{self, Fault, Kind, Violation};
use millrace_proto::ordering::v1::OrderState;
use tonic::Code;

use crate::money::SumError;

/// What a call of ordering can fail with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields of the request are wrong.
    #[error("{}", crate::field::summary(.0))]
    Invalid(Vec<Violation>),
    /// The amounts do not add up.
    #[error(transparent)]
    Amount(#[from] SumError),
    /// No such user or order.
    #[error("{0} does not exist")]
    NotFound(String),
    /// Products of the order do not exist.
    #[error("{}", crate::field::summary(.0))]
    UnknownProducts(Vec<Violation>),
    /// The order's state does not allow the change.
    #[error("{name} is {}: it cannot be cancelled any more", state.as_str_name().trim_start_matches("ORDER_STATE_"))]
    State {
        /// Name of the order.
        name: String,
        /// Its state.
        state: OrderState,
    },
    /// The order has changed since its etag was read.
    #[error("{0} has changed since its etag was read: read it again")]
    EtagMismatch(String),
    /// The page size or the page token cannot be used.
    #[error(transparent)]
    Page(#[from] PageError),
    /// The request id cannot be claimed.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// The catalog did not answer.
    #[error("the catalog cannot give prices now")]
    Catalog(#[source] Box<tonic::Status>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Error {
    /// The user does not exist.
    pub(super) fn no_user(user: UserId) -> Self {
        Self::NotFound(name::of_user(user.get()))
    }
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
            Self::Invalid(_) | Self::Amount(_) => Kind::Invalid,
            Self::NotFound(_) | Self::UnknownProducts(_) => Kind::NotFound,
            Self::State { .. } => Kind::FailedPrecondition,
            Self::EtagMismatch(_) => Kind::Aborted,
            Self::Catalog(status) => match status.code() {
                Code::DeadlineExceeded => Kind::DeadlineExceeded,
                Code::Unavailable | Code::ResourceExhausted | Code::Aborted => Kind::Unavailable,
                _ => Kind::Internal,
            },
            Self::Page(error) => error.kind(),
            Self::Claim(error) => error.kind(),
            Self::Store(error) => error.kind(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_FIELD",
            Self::Amount(_) => "AMOUNT_INVALID",
            Self::NotFound(_) | Self::UnknownProducts(_) => "NOT_FOUND",
            Self::State { .. } => "ORDER_STATE",
            Self::EtagMismatch(_) => "ETAG_MISMATCH",
            Self::Catalog(_) => match self.kind() {
                Kind::DeadlineExceeded => "DEADLINE_EXCEEDED",
                Kind::Unavailable => "STORE_UNAVAILABLE",
                _ => "INTERNAL",
            },
            Self::Page(error) => error.reason(),
            Self::Claim(error) => error.reason(),
            Self::Store(error) => error.reason(),
        }
    }

    fn violations(&self) -> Vec<Violation> {
        match self {
            Self::Invalid(violations) | Self::UnknownProducts(violations) => violations.clone(),
            Self::Amount(error) => vec![Violation::new(error.field(), error.to_string())],
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
