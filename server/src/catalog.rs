//! The catalog: products and their prices. Its rows are in the global database; it knows nothing of users or orders.

mod import;
mod product;
mod rpc;
mod schema;
mod store;
#[cfg(test)]
mod tests;

use std::time::Duration;

use millrace_chassis::idempotency::ClaimError;
use millrace_chassis::page::PageError;
use millrace_chassis::shard::StoreError;
use millrace_chassis::status::{self, Fault, Kind, Violation};
use millrace_chassis::{Module, Platform};
use millrace_proto::catalog::v1::catalog_service_server::CatalogServiceServer;

use crate::paging::OpenError;

pub(crate) use import::import;

/// Returns the catalog as a module of the platform.
pub fn module(platform: &Platform) -> Module {
    Module::new("catalog", millrace_proto::FILE_DESCRIPTOR_SET)
        .service(CatalogServiceServer::new(rpc::Catalog::new(platform)))
        .global_schema(schema::GLOBAL)
}

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
    /// The page token cannot be used.
    #[error(transparent)]
    Page(#[from] PageError),
    /// The request id was used before with another body.
    #[error("request_id was used before with another body: draw a new one")]
    RequestIdReused,
    /// The first call with the request id has not ended yet.
    #[error("the first call with this request_id is still under way: send the request again")]
    InProgress,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
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

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_) | Self::Page(_) | Self::RequestIdReused => Kind::Invalid,
            Self::NotFound { .. } => Kind::NotFound,
            Self::Exists(_) => Kind::AlreadyExists,
            Self::EtagMismatch(_) | Self::InProgress => Kind::Aborted,
            Self::Store(error) => error.kind(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_FIELD",
            Self::Page(_) => "PAGE_TOKEN_INVALID",
            Self::RequestIdReused => "IDEMPOTENCY_KEY_REUSED",
            Self::NotFound { .. } => "NOT_FOUND",
            Self::Exists(_) => "ALREADY_EXISTS",
            Self::EtagMismatch(_) => "ETAG_MISMATCH",
            Self::InProgress => "IN_PROGRESS",
            Self::Store(error) => error.reason(),
        }
    }

    fn violations(&self) -> Vec<Violation> {
        match self {
            Self::Invalid(violations) | Self::NotFound { violations, .. } => violations.clone(),
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
