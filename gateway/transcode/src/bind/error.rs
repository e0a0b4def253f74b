//! Why a request does not bind, as callers are told.

use crate::codec::{JsonError, Position};
use crate::echo;

/// gRPC code of everything that a binding refuses.
pub const INVALID_ARGUMENT: i32 = 3;

/// What kind of mistake a request has, for whoever counts them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BindReason {
    /// A query parameter that is no field of the request; its name.
    UnknownParameter(Box<str>),
    /// Whatever the message says.
    Other,
}

/// Why a request does not bind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BindError {
    /// gRPC code.
    pub code: i32,
    /// HTTP status, where it is not the one of the code.
    pub http_status: Option<u16>,
    /// For people: the field and what is wrong.
    pub message: String,
    /// Field path and description.
    pub violations: Vec<(String, String)>,
    /// Where in the body, if it is the body.
    pub position: Option<Position>,
    /// The setting that allows it, if one does.
    pub relaxed_by: Option<&'static str>,
    /// What kind of mistake it is.
    pub reason: BindReason,
}

impl BindError {
    pub(crate) fn field(field: impl Into<String>, description: impl Into<String>) -> Self {
        let field = echo::within(field.into(), echo::PATH_BYTES_MAX);
        let description = echo::within(description.into(), echo::MESSAGE_BYTES_MAX / 2);
        Self {
            code: INVALID_ARGUMENT,
            http_status: None,
            message: format!("{field}: {description}"),
            violations: vec![(field, description)],
            position: None,
            relaxed_by: None,
            reason: BindReason::Other,
        }
    }

    /// Names the setting that allows it.
    pub(crate) fn relaxed_by(self, setting: &'static str) -> Self {
        Self {
            relaxed_by: Some(setting),
            ..self
        }
    }

    /// Says that the value came from a header: the caller did not name the field.
    pub(super) fn of_header(self, name: &str) -> Self {
        match self.violations.into_iter().next() {
            Some((field, description)) => Self::field(field, format!("{name}: {description}")),
            None => Self::whole(format!("{name}: {}", self.message)),
        }
    }

    /// Required fields are missing, each of which is told about.
    pub(super) fn missing(message: String, paths: Vec<String>) -> Self {
        let violation = |path| (path, "a required field is missing".to_owned());
        Self {
            violations: paths.into_iter().map(violation).collect(),
            ..Self::whole(message)
        }
    }

    /// Says in which element of a streamed body it is, from 0.
    pub(crate) fn of_element(mut self, number: u64) -> Self {
        self.message = format!("element {number}: {}", self.message);
        for (field, _) in &mut self.violations {
            *field = format!("[{number}].{field}");
        }
        self
    }

    pub(crate) fn whole(message: impl Into<String>) -> Self {
        Self {
            code: INVALID_ARGUMENT,
            http_status: None,
            message: echo::within(message.into(), echo::MESSAGE_BYTES_MAX),
            violations: Vec::new(),
            position: None,
            relaxed_by: None,
            reason: BindReason::Other,
        }
    }
}

impl From<JsonError> for BindError {
    fn from(error: JsonError) -> Self {
        if !error.missing.is_empty() {
            return Self::missing(error.problem, error.missing.into_vec());
        }
        let violations = match error.field.as_str() {
            "" => Vec::new(),
            field => vec![(field.to_owned(), format!("{}{}", error.problem, error.hint))],
        };
        let message = match error.field.as_str() {
            "" => format!("body: {error}"),
            field => format!("{field}: {error}"),
        };
        Self {
            code: INVALID_ARGUMENT,
            http_status: None,
            message: echo::within(message, echo::MESSAGE_BYTES_MAX),
            violations,
            position: Some(error.position),
            relaxed_by: error.relaxed_by,
            reason: BindReason::Other,
        }
    }
}
