//! What refuses a request, and the setting that would allow it.

use super::{rejected, split};
use crate::bind::{BindError, HeaderFields};
use crate::schema::{RouteError, Schema};
use crate::status;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// HTTP status of the answer.
    pub http_status: u16,
    /// gRPC code of the answer.
    pub code: i32,
    /// What is wrong.
    pub message: String,
    /// The field that is wrong, if it is one.
    pub field: Option<String>,
    /// The setting that would allow it.
    pub relaxed_by: Option<String>,
}

/// The refusal alone: what a call finds, and nothing about other routes.
pub(crate) fn refusal(
    schema: &Schema,
    method: &str,
    path_and_query: &str,
    headers: &HeaderFields<'_>,
    body: &[u8],
) -> Option<Refusal> {
    let (path, query) = split(path_and_query);
    match schema.find(method, path) {
        Err(error) => Some(no_route(schema, method, path, error)),
        Ok(matched) => matched.bind(query, body, headers).err().map(Refusal::of),
    }
}

/// What refuses a path, and what would allow it.
pub(super) fn no_route(schema: &Schema, method: &str, path: &str, error: RouteError) -> Refusal {
    let http_status = match error {
        RouteError::NotFound { .. } => 404,
        RouteError::MethodNotAllowed { .. } => 405,
        RouteError::BadPath => 400,
    };
    let message = match &error {
        RouteError::MethodNotAllowed { allow } => format!("{error}; allowed: {allow}"),
        RouteError::NotFound {
            did_you_mean: Some(near),
        } => format!("{error}; did you mean `{near}`?"),
        _ => error.to_string(),
    };
    let is_unfound = http_status == 404;
    let without_slash = path
        .strip_suffix('/')
        .filter(|shorter| schema.find(method, shorter).is_ok());
    let by_name = || path.strip_prefix('/').and_then(|name| schema.method(name));
    let relaxed_by = if !is_unfound {
        None
    } else if without_slash.is_some() {
        Some("path.trailing_slash = \"strip\"")
    } else if rejected::fits_with_empty_segments(schema, method, path) {
        Some("path.empty_segments")
    } else if method == "POST" && by_name().is_some() {
        Some("rpc_paths")
    } else {
        None
    };
    Refusal {
        http_status,
        code: status::code_of_refusal(http_status),
        message,
        field: None,
        relaxed_by: relaxed_by.map(str::to_owned),
    }
}

impl Refusal {
    pub(super) fn of(error: BindError) -> Self {
        Self {
            http_status: error.http_status.unwrap_or_else(|| status::http_status(error.code)),
            code: error.code,
            message: error.message,
            field: error.violations.into_iter().next().map(|(field, _)| field),
            relaxed_by: error.relaxed_by.map(str::to_owned),
        }
    }
}
