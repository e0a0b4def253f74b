//! What a call of ordering can fail with.

use std::time::Duration;

use millrace_chassis::idempotency::ClaimError;
use millrace_chassis::page::PageError;
use millrace_chassis::shard::scope::HoldsStoreError;
use millrace_chassis::shard::{StoreError, UserId};
use millrace_chassis::status::{self, Fault, Kind, Violation};
use millrace_proto::ordering::v1::OrderState;
use tonic::Code;

use crate::money::SumError;
use crate::paging::OpenError;

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
    /// The page token cannot be used.
    #[error(transparent)]
    Page(#[from] PageError),
    /// The request id was used before with another body.
    #[error("request_id was used before with another body: draw a new one")]
    RequestIdReused,
    /// The first call with the request id has not ended yet.
    #[error("the first call with this request_id is still under way: send the request again")]
    InProgress,
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
        Self::NotFound(format!("users/{user}"))
    }
}

impl From<ClaimError> for Error {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::Reused => Self::RequestIdReused,
            ClaimError::InProgress => Self::InProgress,
            ClaimError::Store(error) => Self::Store(error),
        }
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Size(violation) => Self::Invalid(vec![violation]),
            OpenError::Token(error) => Self::Page(error),
        }
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
            _ => None,
        }
    }
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_) | Self::Amount(_) | Self::Page(_) | Self::RequestIdReused => Kind::Invalid,
            Self::NotFound(_) | Self::UnknownProducts(_) => Kind::NotFound,
            Self::State { .. } => Kind::FailedPrecondition,
            Self::EtagMismatch(_) | Self::InProgress => Kind::Aborted,
            Self::Catalog(status) => match status.code() {
                Code::DeadlineExceeded => Kind::DeadlineExceeded,
                Code::Unavailable | Code::ResourceExhausted | Code::Aborted => Kind::Unavailable,
                _ => Kind::Internal,
            },
            Self::Store(error) => error.kind(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_FIELD",
            Self::Amount(_) => "AMOUNT_INVALID",
            Self::Page(_) => "PAGE_TOKEN_INVALID",
            Self::RequestIdReused => "IDEMPOTENCY_KEY_REUSED",
            Self::NotFound(_) | Self::UnknownProducts(_) => "NOT_FOUND",
            Self::State { .. } => "ORDER_STATE",
            Self::EtagMismatch(_) => "ETAG_MISMATCH",
            Self::InProgress => "IN_PROGRESS",
            Self::Catalog(_) => match self.kind() {
                Kind::DeadlineExceeded => "DEADLINE_EXCEEDED",
                Kind::Unavailable => "STORE_UNAVAILABLE",
                _ => "INTERNAL",
            },
            Self::Store(error) => error.reason(),
        }
    }

    fn violations(&self) -> Vec<Violation> {
        match self {
            Self::Invalid(violations) | Self::UnknownProducts(violations) => violations.clone(),
            Self::Amount(error) => vec![Violation::new(error.field(), error.to_string())],
            Self::Page(_) => vec![Violation::new("page_token", "start again without a page token")],
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::InProgress => Some(Duration::from_millis(100)),
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
