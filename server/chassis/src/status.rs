//! The only place where a failure becomes a `tonic::Status`. Domain code says which kind of failure it is and why;
//! this file adds `google.rpc` details (AIP-193): `ErrorInfo`, `BadRequest`, `RetryInfo`.

use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

/// The domain of every reason of ours, as the error catalogue declares it.
pub const DOMAIN: &str = "millrace";

/// More violations than this help nobody.
const VIOLATIONS_MAX: usize = 20;
/// Bound of the encoded details: they travel base64-encoded in a header, and peers cut headers at 8 KiB.
const DETAILS_BYTES_MAX: usize = 4 << 10;
/// Bound of a message, of a violation's field and of its description, in bytes.
const TEXT_BYTES_MAX: usize = 512;
/// What a caller is told to wait when the fault itself does not know better.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(1);

/// The kind of a failure, one for each gRPC code that the platform uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request is wrong whatever the state of the system.
    Invalid,
    /// The named resource does not exist, or is not the caller's.
    NotFound,
    /// The resource exists already.
    AlreadyExists,
    /// The state of the system does not allow the call.
    FailedPrecondition,
    /// Another change came first; read again and retry.
    Aborted,
    /// The caller may not make this call.
    PermissionDenied,
    /// The caller is not known.
    Unauthenticated,
    /// A limit is reached.
    Exhausted,
    /// A part of the system cannot be reached; retry later.
    Unavailable,
    /// The deadline passed.
    DeadlineExceeded,
    /// A defect of the server.
    Internal,
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field, in proto names, as in `order.lines[2].quantity`.
    pub field: String,
    /// What is wrong and what would be right.
    pub description: String,
}

impl Violation {
    /// A violation of one field.
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            description: description.into(),
        }
    }
}

/// A failure that a caller can tell apart. Its `Display` is the message that the caller reads: no SQL, no secrets.
pub trait Fault: std::error::Error {
    /// The kind, which decides the gRPC code.
    fn kind(&self) -> Kind;

    /// A reason of the error catalogue without its prefix, as in `NOT_FOUND`.
    fn reason(&self) -> &'static str;

    /// The fields at fault.
    fn violations(&self) -> Vec<Violation> {
        Vec::new()
    }

    /// When a retry may help.
    fn retry_after(&self) -> Option<Duration> {
        None
    }

    /// Whether the log says it already.
    fn is_logged(&self) -> bool {
        false
    }
}

impl Kind {
    /// Returns the gRPC code.
    pub fn code(self) -> Code {
        match self {
            Self::Invalid => Code::InvalidArgument,
            Self::NotFound => Code::NotFound,
            Self::AlreadyExists => Code::AlreadyExists,
            Self::FailedPrecondition => Code::FailedPrecondition,
            Self::Aborted => Code::Aborted,
            Self::PermissionDenied => Code::PermissionDenied,
            Self::Unauthenticated => Code::Unauthenticated,
            Self::Exhausted => Code::ResourceExhausted,
            Self::Unavailable => Code::Unavailable,
            Self::DeadlineExceeded => Code::DeadlineExceeded,
            Self::Internal => Code::Internal,
        }
    }
}

/// Makes the status that a caller sees of a fault. A defect is logged here with its sources, and only here; the caller
/// learns no more than that it is one.
pub fn status(fault: &(impl Fault + ?Sized)) -> Status {
    match fault.kind() {
        Kind::Internal if fault.is_logged() => {}
        Kind::Internal => tracing::error!(fault = %fault, causes = %causes(fault), "a defect ended a call"),
        // One without a source is a refusal at a limit, of which there may be many: its call's own line says enough.
        Kind::Unavailable if fault.source().is_some() => {
            tracing::warn!(fault = %fault, causes = %causes(fault), "a call found a part unavailable");
        }
        _ => {}
    }
    let retry_after = fault
        .retry_after()
        .or_else(|| (fault.kind() == Kind::Unavailable).then_some(RETRY_AFTER_DEFAULT));
    compose(
        fault.kind(),
        fault.reason(),
        &fault.to_string(),
        &fault.violations(),
        retry_after,
    )
}

/// Makes the status of one wrong field, which is what most validation ends in.
pub fn invalid(violation: Violation) -> Status {
    let message = format!("{}: {}", violation.field, violation.description);
    compose(Kind::Invalid, "INVALID_FIELD", &message, &[violation], None)
}

/// A status for a part of the system that is not there, or not yet.
pub fn unavailable(message: &str) -> Status {
    compose(Kind::Unavailable, "OVERLOADED", message, &[], Some(RETRY_AFTER_DEFAULT))
}

/// A status for an RPC that this server does not have. The catalogue has no reason for it: the code says all.
pub fn unimplemented(message: impl Into<String>) -> Status {
    Status::unimplemented(message)
}

fn compose(kind: Kind, reason: &str, message: &str, violations: &[Violation], retry_after: Option<Duration>) -> Status {
    let message = cut(message);
    let mut kept = violations.len().min(VIOLATIONS_MAX);
    loop {
        let mut details = ErrorDetails::new();
        details.set_error_info(reason, DOMAIN, HashMap::new());
        if kept > 0 {
            let fields: Vec<_> = violations[..kept]
                .iter()
                .map(|violation| FieldViolation::new(cut(&violation.field), cut(&violation.description)))
                .collect();
            details.set_bad_request(fields);
        }
        if retry_after.is_some() {
            details.set_retry_info(retry_after);
        }
        let status = Status::with_error_details(kind.code(), message, details);
        if status.details().len() <= DETAILS_BYTES_MAX || kept == 0 {
            return status;
        }
        kept -= 1;
    }
}

/// Cuts a text at [`TEXT_BYTES_MAX`], between characters.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
}

/// The sources of an error in one line, outermost first: a JSON log line shows of an error only its own words.
pub(crate) fn causes(error: &(impl Error + ?Sized)) -> String {
    let mut line = String::new();
    let mut source = error.source();
    while let Some(cause) = source {
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the shelf is empty")]
    struct Shelf {
        kind: Kind,
        violations: Vec<Violation>,
    }

    impl Fault for Shelf {
        fn kind(&self) -> Kind {
            self.kind
        }
        fn reason(&self) -> &'static str {
            "NOT_FOUND"
        }
        fn violations(&self) -> Vec<Violation> {
            self.violations.clone()
        }
    }

    fn shelf(kind: Kind, violations: Vec<Violation>) -> Status {
        status(&Shelf { kind, violations })
    }

    #[test]
    fn every_kind_has_its_code() {
        let codes = [
            (Kind::Invalid, 3),
            (Kind::DeadlineExceeded, 4),
            (Kind::NotFound, 5),
            (Kind::AlreadyExists, 6),
            (Kind::PermissionDenied, 7),
            (Kind::Exhausted, 8),
            (Kind::FailedPrecondition, 9),
            (Kind::Aborted, 10),
            (Kind::Internal, 13),
            (Kind::Unavailable, 14),
            (Kind::Unauthenticated, 16),
        ];
        for (kind, code) in codes {
            assert_eq!(shelf(kind, vec![]).code() as i32, code, "{kind:?}");
        }
    }

    #[test]
    fn details_carry_reason_violations_and_delay() {
        let details = shelf(Kind::Unavailable, vec![Violation::new("order.lines[2]", "is gone")]).get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("NOT_FOUND", "millrace"));
        assert_eq!(
            details.bad_request().unwrap().field_violations[0].field,
            "order.lines[2]"
        );
        assert_eq!(details.retry_info().unwrap().retry_delay, Some(RETRY_AFTER_DEFAULT));
        // Only an unavailable part gets a delay by itself.
        assert!(shelf(Kind::NotFound, vec![]).get_error_details().retry_info().is_none());
    }

    #[test]
    fn details_are_bounded() {
        let short = vec![Violation::new("f", "d"); 50];
        let details = shelf(Kind::Invalid, short).get_error_details();
        assert_eq!(details.bad_request().unwrap().field_violations.len(), VIOLATIONS_MAX);

        let long = vec![Violation::new("é".repeat(4_000), "ß".repeat(4_000)); 50];
        let status = shelf(Kind::Invalid, long);
        assert!(
            status.details().len() <= DETAILS_BYTES_MAX,
            "{}",
            status.details().len()
        );
        assert!(
            !status
                .get_error_details()
                .bad_request()
                .unwrap()
                .field_violations
                .is_empty()
        );
    }
}
