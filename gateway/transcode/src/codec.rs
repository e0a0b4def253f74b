//! The codec: ProtoJSON to wire bytes and back. Bytes in, bytes out; nothing outside knows how.
//!
//! At load every message becomes a flat field plan (`plan`). A body then goes through a tokenizer (`token`) straight to
//! the wire (`read`), and an answer from the wire (`wire`) straight to JSON (`write`): one pass each, no tree of the
//! message, and no allocation but the output's and, where there are maps, one list of their keys.

mod error;
pub(crate) mod known;
mod message_set;
#[cfg(test)]
mod oracle;
mod plan;
mod read;
mod required;
pub(crate) mod scalar;
pub(crate) mod token;
pub(crate) mod wire;
pub(crate) mod write;

use bytes::Bytes;
use prost_reflect::{DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, MessageDescriptor, Value};

pub use error::{JsonError, Position, RenderError};
pub use wire::WireError;

use crate::edition::Beyond;
pub(crate) use plan::MessageId;
use plan::{Plans, Requires};
use read::{Claims, Problem, Reader};
use write::{Reason, Writer};

/// Turns JSON into wire bytes and back, by the plans of a schema.
#[derive(Debug)]
pub struct Codec {
    plans: Plans,
    read: ReadOptions,
    write: WriteOptions,
}

/// How JSON is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadOptions {
    /// Drops unknown fields and enum names instead of refusing them.
    pub unknown_ignored: bool,
    /// Reads the names of enum values in any case.
    pub enums_any_case: bool,
}

/// How JSON is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriteOptions {
    /// Leaves out fields without presence that have their default value, and empty lists and maps.
    pub defaults_omitted: bool,
    /// Writes enum values as numbers.
    pub enums_as_numbers: bool,
    /// Names fields as the schema does, not in lowerCamelCase.
    pub proto_names: bool,
    /// Writes 64-bit integers as numbers, which JavaScript does not read exactly.
    pub int64_as_number: bool,
    /// Refuses an `Any` of a type that the schema lacks, or that does not decode, instead of showing its bytes.
    pub unknown_any_refused: bool,
    /// Most bytes of one message; more are refused. Without it only the wire bounds them, and a byte of it can be
    /// hundreds in JSON: an element of two bytes shows every field that it leaves unset.
    pub bytes_max: Option<usize>,
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
    /// A whole message that nothing else has a part in.
    pub fn message(message: &'a MessageDescriptor) -> Self {
        Self {
            message,
            field: None,
            bound: &[],
            claims: &[],
            mask_field: None,
        }
    }
}

/// A field that is bound by something else than the body.
#[derive(Debug, Clone)]
pub struct Claim {
    /// From the request message downwards.
    pub path: Vec<FieldDescriptor>,
    /// Its value, if one equal value in the body is no contradiction.
    pub value: Option<Value>,
    /// Another value that says the same in the body: what the value is an alias of.
    pub stands_for: Option<Value>,
    /// What bound it: `path`, `query` or a header.
    pub source: &'static str,
    /// What the body says about the field, or about another member of its oneof, is dropped instead of refused.
    pub wins: bool,
}

impl Codec {
    /// Compiles the plans of every message.
    pub(crate) fn new(pool: &DescriptorPool, beyond: &Beyond, read: ReadOptions, write: WriteOptions) -> Self {
        Self {
            plans: Plans::compile(pool, beyond),
            read,
            write,
        }
    }

    /// Reads a JSON body into a message on the wire, merged with what is bound elsewhere.
    ///
    /// # Errors
    /// The first thing in the body that is wrong, with its field and its place.
    pub fn json_to_wire(&self, target: &Target<'_>, json: &[u8]) -> Result<Bytes, JsonError> {
        self.json_to_wire_with(self.read, target, json)
    }

    /// The same with other options than the schema's.
    ///
    /// # Errors
    /// The first thing in the body that is wrong, with its field and its place.
    pub fn json_to_wire_with(&self, read: ReadOptions, target: &Target<'_>, json: &[u8]) -> Result<Bytes, JsonError> {
        self.read(read, self.id(target.message), target, json)
    }

    /// The same of a message that was looked up.
    pub(crate) fn read(
        &self,
        read: ReadOptions,
        id: Option<MessageId>,
        target: &Target<'_>,
        json: &[u8],
    ) -> Result<Bytes, JsonError> {
        self.bind(read, id, target, json, 0)
            .map(Bytes::from)
            .map_err(|problem| JsonError {
                position: Position::at(json, problem.offset),
                field: problem.field(),
                problem: problem.text,
                missing: problem.missing.into(),
                hint: problem.hint.into(),
                relaxed_by: problem.relaxed_by,
            })
    }

    /// `depth` is how many messages are around the target.
    fn bind(
        &self,
        read: ReadOptions,
        id: Option<MessageId>,
        target: &Target<'_>,
        json: &[u8],
        depth: usize,
    ) -> Result<Vec<u8>, Box<Problem>> {
        let id = id.ok_or_else(|| foreign(target.message))?;
        let plan = self.plans.message(id);
        let index = |field: &FieldDescriptor| plan.by_number(field.number()).ok_or_else(|| foreign(target.message));
        let claims = Claims::new(target.claims);
        // Mostly the wire is shorter than its JSON, and never much longer: one allocation, as a rule.
        let out = Vec::with_capacity(json.len() + target.bound.len());
        let reader = Reader::new(&self.plans, read, json, out, depth)?;
        let read = match target.field {
            None => reader.whole(id, claims.as_ref())?,
            Some(field) => {
                let mask_field = target.mask_field.map(index).transpose()?;
                let mask_field = mask_field.map(|index| &plan.fields[index]);
                reader.field(plan, index(field)?, mask_field, claims.as_ref())?
            }
        };
        // Bytes one after the other are merged, by the rules of the wire; claims have made sure that they agree.
        let mut wire = read.wire;
        wire.extend_from_slice(target.bound);
        if (read.any_requires || plan.requires == Requires::Itself)
            && let Some(missing) = required::missing(&self.plans, id, &wire)
        {
            return Err(Problem::missing(missing));
        }
        Ok(wire)
    }

    /// The required fields that a message lacks: what is wrong, and their paths; `None` if it lacks none.
    pub(crate) fn missing(&self, id: MessageId, wire: &[u8]) -> Option<(String, Vec<String>)> {
        if self.plans.message(id).requires != Requires::Itself {
            return None;
        }
        let missing = required::missing(&self.plans, id, wire)?;
        Some((missing.to_string(), missing.paths))
    }

    /// Writes a message as JSON at the end of `out`; with a field, only that field's value.
    ///
    /// # Errors
    /// Bytes that are no such message, or a value that has no JSON form. `out` is then as it was.
    pub fn wire_to_json(
        &self,
        message: &MessageDescriptor,
        field: Option<&FieldDescriptor>,
        wire: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), RenderError> {
        self.wire_to_json_with(self.write, message, field, wire, out)
    }

    /// The same with other options than the schema's.
    ///
    /// # Errors
    /// Bytes that are no such message, or a value that has no JSON form. `out` is then as it was.
    pub fn wire_to_json_with(
        &self,
        write: WriteOptions,
        message: &MessageDescriptor,
        field: Option<&FieldDescriptor>,
        wire: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), RenderError> {
        let id = self.id(message).ok_or_else(|| RenderError::Decode {
            message: message.full_name().to_owned(),
            field: String::new(),
            source: WireError::Tag,
        })?;
        self.write(write, id, field, wire, out)
    }

    /// The same of a message that was looked up.
    pub(crate) fn write(
        &self,
        write: WriteOptions,
        id: MessageId,
        field: Option<&FieldDescriptor>,
        wire: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), RenderError> {
        let failed = |field: String, source: WireError| RenderError::Decode {
            message: self.plans.message(id).name.to_string(),
            field,
            source,
        };
        let index = field.map(|field| {
            let index = self.plans.message(id).by_number(field.number());
            index.ok_or_else(|| failed(String::new(), WireError::Tag))
        });
        let index = index.transpose()?;
        // One field is mostly a small part of its message.
        let wire_bytes = if index.is_some() { 0 } else { wire.len() };
        let mut writer = Writer::new(&self.plans, write, std::mem::take(out), wire_bytes);
        let written = match index {
            None => writer.whole(id, wire),
            Some(index) => writer.field(id, index, wire),
        };
        *out = writer.finish();
        written.map_err(|failure| match failure.reason {
            Reason::Wire(error) => failed(failure.field(), error),
            // A second pass has everything in order.
            Reason::Disorder => failed(failure.field(), WireError::Tag),
            Reason::TooLarge => RenderError::TooLarge {
                field: failure.field(),
                bytes_max: write.bytes_max.unwrap_or_default(),
            },
            Reason::NoForm(name) => RenderError::NoForm {
                message: name.to_owned(),
                field: failure.field(),
            },
        })
    }

    /// Reads a JSON text that stands elsewhere than in a body into a message, around which there are `depth` others.
    pub(crate) fn message_from_json(
        &self,
        message: &MessageDescriptor,
        json: &str,
        depth: usize,
    ) -> Result<DynamicMessage, String> {
        let target = Target::message(message);
        let read = self.bind(
            ReadOptions::default(),
            self.id(message),
            &target,
            json.as_bytes(),
            depth,
        );
        let wire = read.map_err(|problem| match problem.is_syntax {
            true => format!("not JSON: {}", problem.text),
            false => problem.text,
        })?;
        DynamicMessage::decode(message.clone(), wire.as_slice()).map_err(|error| error.to_string())
    }

    /// Whether a field of this enum may hold the number.
    pub(crate) fn takes(&self, kind: &EnumDescriptor, number: i32) -> bool {
        let plan = self.plans.find_enum(kind.full_name());
        plan.is_some_and(|id| self.plans.enumeration(id).takes(number))
    }

    /// A message among the plans; `None` if it is of another schema.
    pub(crate) fn id(&self, message: &MessageDescriptor) -> Option<MessageId> {
        self.plans.find(message.full_name())
    }
}

/// A descriptor of another schema: a mistake of the caller, which is refused like a body.
fn foreign(message: &MessageDescriptor) -> Box<Problem> {
    Problem::new(0, format!("{} is not of this schema", message.full_name()))
}
