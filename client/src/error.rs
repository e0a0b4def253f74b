//! What a caller sees of a failed call: a predicate per kind, the reason from the error catalogue, and what it can do.

use std::fmt;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::channel::REQUEST_ID;

/// A failed call, or a client that could not be built.
///
/// It is opaque: ask it with the predicates, or by [`code`](Self::code) and [`reason`](Self::reason). It is made of a
/// [`Status`], so that `?` works on the answers of generated clients.
///
/// ```
/// use millrace_client::Error;
/// use millrace_client::catalog::v1::{GetProductRequest, Product};
/// use millrace_client::catalog::v1::catalog_service_client::CatalogServiceClient;
///
/// async fn find(
///     catalog: &mut CatalogServiceClient<millrace_client::Channel>,
///     name: &str,
/// ) -> Result<Option<Product>, Error> {
///     let request = GetProductRequest { name: name.into() };
///     match catalog.get_product(request).await.map_err(Error::from) {
///         Ok(answer) => Ok(Some(answer.into_inner())),
///         Err(error) if error.is_not_found() => Ok(None),
///         Err(error) => Err(error),
///     }
/// }
/// ```
pub struct Error(Box<Parts>);

struct Parts {
    status: Status,
    details: ErrorDetails,
}

impl Error {
    /// The named resource does not exist, or belongs to somebody else.
    pub fn is_not_found(&self) -> bool {
        self.code() == Code::NotFound
    }

    /// The resource exists already.
    pub fn is_already_exists(&self) -> bool {
        self.code() == Code::AlreadyExists
    }

    /// The request is wrong, and would be wrong again; [`violations`](Self::violations) says where.
    pub fn is_invalid(&self) -> bool {
        matches!(self.code(), Code::InvalidArgument | Code::OutOfRange)
    }

    /// The call carried no API key, or one that is unknown or revoked.
    pub fn is_unauthenticated(&self) -> bool {
        self.code() == Code::Unauthenticated
    }

    /// The API key does not allow the call.
    pub fn is_permission_denied(&self) -> bool {
        self.code() == Code::PermissionDenied
    }

    /// The server, or a part of it, could not be reached; a later call may succeed.
    pub fn is_unavailable(&self) -> bool {
        self.code() == Code::Unavailable
    }

    /// The time ran out. A change may or may not have been made.
    pub fn is_deadline_exceeded(&self) -> bool {
        self.code() == Code::DeadlineExceeded
    }

    /// The resource is not in the state that the call needs: somebody changed it first, or its state does not allow the
    /// call. Read it again.
    pub fn is_conflict(&self) -> bool {
        matches!(self.code(), Code::Aborted | Code::FailedPrecondition)
    }

    /// The gRPC code.
    pub fn code(&self) -> Code {
        self.0.status.code()
    }

    /// One sentence for people; programs use the reason.
    pub fn message(&self) -> &str {
        self.0.status.message()
    }

    /// The reason in the error catalogue without its prefix, as in `ORDER_STATE`; see
    /// [`Reason`](crate::api::v1::Reason). `None` if the failure is not the server's own.
    pub fn reason(&self) -> Option<&str> {
        self.0.details.error_info().map(|info| info.reason.as_str())
    }

    /// The fields at fault, each with what is wrong with it.
    pub fn violations(&self) -> impl Iterator<Item = (&str, &str)> {
        let request = self.0.details.bad_request();
        let violations = request.map_or(&[][..], |request| &request.field_violations);
        violations
            .iter()
            .map(|violation| (violation.field.as_str(), violation.description.as_str()))
    }

    /// The id under which the server's logs know the call.
    pub fn request_id(&self) -> Option<&str> {
        self.0.status.metadata().get(REQUEST_ID)?.to_str().ok()
    }

    /// How long to wait before the same call may succeed, if the server said so.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.details.retry_info()?.retry_delay
    }

    /// The status as it came.
    pub fn into_status(self) -> Status {
        self.0.status
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        Self(Box::new(Parts { status, details }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", kind_name(self.code()))?;
        if !self.message().is_empty() {
            write!(formatter, ": {}", self.message())?;
        }
        for (field, description) in self.violations() {
            write!(formatter, "; {field}: {description}")?;
        }
        match (self.reason(), self.request_id()) {
            (Some(reason), Some(id)) => write!(formatter, " ({reason}, request {id})"),
            (Some(reason), None) => write!(formatter, " ({reason})"),
            (None, Some(id)) => write!(formatter, " (request {id})"),
            (None, None) => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What `main` prints when it returns the error: the sentence helps there, not the nest of fields.
        write!(formatter, "{self}")
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.0.status)
    }
}

/// The code in words.
fn kind_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "ok",
        Code::Cancelled => "cancelled",
        Code::Unknown => "unknown error",
        Code::InvalidArgument => "invalid",
        Code::DeadlineExceeded => "deadline exceeded",
        Code::NotFound => "not found",
        Code::AlreadyExists => "already exists",
        Code::PermissionDenied => "permission denied",
        Code::ResourceExhausted => "limit reached",
        Code::FailedPrecondition => "failed precondition",
        Code::Aborted => "aborted",
        Code::OutOfRange => "out of range",
        Code::Unimplemented => "not implemented",
        Code::Internal => "internal error",
        Code::Unavailable => "unavailable",
        Code::DataLoss => "data loss",
        Code::Unauthenticated => "unauthenticated",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn each_code_answers_to_its_predicate_alone() {
        type Predicate = fn(&Error) -> bool;
        let predicates: [(Predicate, &[Code]); 8] = [
            (Error::is_not_found, &[Code::NotFound]),
            (Error::is_already_exists, &[Code::AlreadyExists]),
            (Error::is_invalid, &[Code::InvalidArgument, Code::OutOfRange]),
            (Error::is_unauthenticated, &[Code::Unauthenticated]),
            (Error::is_permission_denied, &[Code::PermissionDenied]),
            (Error::is_unavailable, &[Code::Unavailable]),
            (Error::is_deadline_exceeded, &[Code::DeadlineExceeded]),
            (Error::is_conflict, &[Code::Aborted, Code::FailedPrecondition]),
        ];
        for code in (0..17).map(Code::from_i32) {
            let error = Error::from(Status::new(code, ""));
            for (index, (predicate, codes)) in predicates.iter().enumerate() {
                assert_eq!(predicate(&error), codes.contains(&code), "{code:?}, predicate {index}");
            }
        }
    }

    #[test]
    fn tells_what_the_details_hold() {
        let mut details = ErrorDetails::with_error_info("INVALID_FIELD", "millrace", HashMap::new());
        details.add_bad_request_violation("order.lines[0].quantity", "must be 1 to 10,000");
        details.set_retry_info(Some(Duration::from_secs(2)));
        let mut status = Status::with_error_details(Code::InvalidArgument, "order is invalid", details);
        status.metadata_mut().insert(REQUEST_ID, "r-1".parse().unwrap());
        let error = Error::from(status);

        assert_eq!(error.reason(), Some("INVALID_FIELD"));
        let violations: Vec<_> = error.violations().collect();
        assert_eq!(violations, [("order.lines[0].quantity", "must be 1 to 10,000")]);
        assert_eq!(error.retry_after(), Some(Duration::from_secs(2)));
        assert_eq!(error.request_id(), Some("r-1"));
        assert_eq!(
            error.to_string(),
            "invalid: order is invalid; order.lines[0].quantity: must be 1 to 10,000 (INVALID_FIELD, request r-1)"
        );
    }

    #[test]
    fn a_bare_status_holds_nothing_more() {
        let error = Error::from(Status::unavailable("no route"));
        assert_eq!(
            (error.reason(), error.request_id(), error.retry_after()),
            (None, None, None)
        );
        assert_eq!(error.violations().count(), 0);
        assert_eq!(error.to_string(), "unavailable: no route");
    }
}
