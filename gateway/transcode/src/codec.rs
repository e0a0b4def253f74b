//! The codec seam: ProtoJSON to wire bytes and back. Bytes in, bytes out; nothing outside knows how.
//!
//! Today both ways run over prost-reflect's `DynamicMessage`: JSON is parsed once by a strict reader of ours (`json`),
//! which knows where each value stands, and bound by descriptor (`read`); answers are decoded and written (`write`).
//! A compiled field plan replaces what is behind [`Codec`], and none of its callers.

pub(crate) mod json;
pub(crate) mod known;
pub(crate) mod mask;
pub(crate) mod read;
pub(crate) mod scalar;
pub(crate) mod write;

use bytes::Bytes;
use prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, MessageDescriptor, Value};

use crate::codec::read::Reader;

/// Turns JSON into wire bytes and back, by descriptor.
pub trait Codec: std::fmt::Debug + Send + Sync {
    /// Reads a JSON body into a message on the wire, merged with what is bound elsewhere.
    ///
    /// # Errors
    /// The first thing in the body that is wrong, with its place.
    fn json_to_wire(&self, target: &Target<'_>, json: &[u8]) -> Result<Bytes, JsonError>;

    /// Writes a message as JSON at the end of `out`; with a field, only that field's value.
    ///
    /// # Errors
    /// Bytes that are no such message, or a value that has no JSON form.
    fn wire_to_json(
        &self,
        message: &MessageDescriptor,
        field: Option<&FieldDescriptor>,
        wire: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), RenderError>;
}

/// Where a JSON body goes, and what it must agree with.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The message to make.
    pub message: &'a MessageDescriptor,
    /// The field that is the body; `None` if the body is the whole message.
    pub field: Option<&'a FieldDescriptor>,
    /// Wire bytes of the fields that path, query and headers bind.
    pub bound: &'a [u8],
    /// The same fields, one by one: the body may repeat them, not contradict them.
    pub claims: &'a [Claim],
    /// A field mask to fill with what the body names.
    pub mask_field: Option<&'a FieldDescriptor>,
}

impl<'a> Target<'a> {
    /// The claims that the body can touch. A query may bind many fields; beside `body: "f"` none of them is in `f`, and
    /// each field of the body is compared with what is left here.
    fn reachable_claims(&self) -> Vec<&'a Claim> {
        let reaches = |claim: &&Claim| match (self.field, claim.path.first()) {
            (Some(field), Some(first)) => {
                let oneof = field.containing_oneof();
                first == field || (oneof.is_some() && first.containing_oneof() == oneof)
            }
            _ => true,
        };
        self.claims.iter().filter(reaches).collect()
    }
}

/// A field that is bound by something else than the body.
#[derive(Debug, Clone)]
pub struct Claim {
    /// From the request message downwards.
    pub path: Vec<FieldDescriptor>,
    /// Its value, if one equal value in the body is no contradiction.
    pub value: Option<Value>,
    /// What bound it: `path`, `query` or a header.
    pub source: &'static str,
}

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
#[error("{problem} at line {}, column {} (byte {})", position.line, position.column, position.offset)]
pub struct JsonError {
    /// Path of the field, from the request message; empty for the body itself.
    pub field: String,
    /// What is wrong there.
    pub problem: String,
    /// Where.
    pub position: Position,
}

/// Why an answer has no JSON.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The bytes are no such message.
    #[error("the answer is not a valid {message}")]
    Decode {
        /// The expected message.
        message: String,
        /// What the decoder says.
        source: prost::DecodeError,
    },
    /// A value that ProtoJSON has no form for (a timestamp out of range, NaN in a `Value`).
    #[error("the answer holds a {message} without a JSON form")]
    NoForm {
        /// The message type of the value.
        message: String,
    },
}

/// The codec over prost-reflect.
#[derive(Debug)]
pub(crate) struct Dynamic {
    unknown_ignored: bool,
    defaults_omitted: bool,
}

impl Dynamic {
    pub(crate) fn new(unknown_ignored: bool, defaults_omitted: bool) -> Self {
        Self {
            unknown_ignored,
            defaults_omitted,
        }
    }
}

impl Codec for Dynamic {
    fn json_to_wire(&self, target: &Target<'_>, json: &[u8]) -> Result<Bytes, JsonError> {
        let locate = |problem: read::Problem| JsonError {
            position: Position::at(json, problem.offset),
            field: problem.field,
            problem: problem.text,
        };
        let body = json::parse(json).map_err(|error| locate(error.into()))?;
        let mut reader = Reader::new(self.unknown_ignored, target.reachable_claims());
        let mut message = DynamicMessage::new(target.message.clone());
        match target.field {
            Some(field) => reader.field(&mut message, field, &body).map_err(locate)?,
            None => reader.message(&mut message, &body).map_err(locate)?,
        }
        if let (Some(mask_field), Some(field)) = (target.mask_field, target.field)
            && let Some(mask) = mask::of_body(mask_field, field, &body, target.claims)
        {
            message.set_field(mask_field, mask);
        }
        // The bound fields merge into the body's: claims have made sure that they agree.
        message.merge(target.bound).map_err(|_| JsonError {
            field: String::new(),
            problem: "the bound fields do not merge".to_owned(),
            position: Position::at(json, 0),
        })?;
        Ok(message.encode_to_vec().into())
    }

    fn wire_to_json(
        &self,
        message: &MessageDescriptor,
        field: Option<&FieldDescriptor>,
        wire: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), RenderError> {
        let decoded = DynamicMessage::decode(message.clone(), wire).map_err(|source| RenderError::Decode {
            message: message.full_name().to_owned(),
            source,
        })?;
        let mut writer = write::Writer::new(out, self.defaults_omitted);
        match field {
            Some(field) => writer.response_field(&decoded, field),
            None => writer.message(&decoded),
        }
    }
}
