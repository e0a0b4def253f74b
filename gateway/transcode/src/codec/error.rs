//! Why a body is refused, and why an answer has no JSON.

use super::wire::WireError;

/// A place in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// In bytes, from 1.
    pub column: usize,
    /// In bytes from the start of the body.
    pub offset: usize,
}

impl Position {
    /// The same place, counted from where something larger begins in which this text begins at `start`.
    pub(crate) fn counted_from(self, start: Self) -> Self {
        Self {
            line: start.line + self.line - 1,
            column: if self.line == 1 {
                start.column + self.column - 1
            } else {
                self.column
            },
            offset: start.offset + self.offset,
        }
    }

    pub(crate) fn at(body: &[u8], offset: usize) -> Self {
        let before = &body[..offset.min(body.len())];
        let line_start = before
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |newline| newline + 1);
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Self {
            line,
            column: before.len() - line_start + 1,
            offset: before.len(),
        }
    }
}

/// Why a JSON body is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at line {}, column {} (byte {}){hint}", position.line, position.column, position.offset)]
pub struct JsonError {
    /// Path of the field, from the request message; empty for the body itself.
    pub field: String,
    /// What is wrong there.
    pub problem: String,
    /// Paths of the required fields that are missing, if that is what is wrong; of very many the first.
    pub missing: Box<[String]>,
    /// What was probably meant, as in "; did you mean `title`?"; may be empty.
    pub hint: Box<str>,
    /// Where.
    pub position: Position,
    /// The setting that allows it, if one does.
    pub relaxed_by: Option<&'static str>,
}

/// Why an answer has no JSON.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The bytes are no such message.
    #[error("the answer is not a valid {message}")]
    Decode {
        /// The expected message.
        message: String,
        /// Path of the field that is wrong; empty for the message itself.
        field: String,
        /// What is wrong.
        source: WireError,
    },
    /// The JSON would be larger than it may be.
    #[error("the answer has more than {bytes_max} bytes as JSON")]
    TooLarge {
        /// Path of the field where it became so.
        field: String,
        /// The bound.
        bytes_max: usize,
    },
    /// A value that ProtoJSON has no form for (a timestamp out of range, NaN in a `Value`).
    #[error("the answer holds a {message} without a JSON form")]
    NoForm {
        /// The message type of the value.
        message: String,
        /// Path of the field.
        field: String,
    },
}
