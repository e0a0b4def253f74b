//! Field plans: what the descriptors say about each message, flat, so that a body or an answer is gone through without
//! another look at a descriptor. Made once, at load, by `compile`.
//!
//! Messages and enums are numbered, and name each other by those numbers. Extensions are fields whose name is
//! `[full.name]`.

mod bits;
mod compile;
mod names;
mod requires;

use std::collections::HashMap;

pub(crate) use bits::Bits;
use names::Names;

use crate::codec::token::Expected;
use crate::codec::wire::{Tag, WireType};
use crate::codec::write::Words;

/// Index of a message in [`Plans`].
pub(crate) type MessageId = u32;
/// Index of an enum in [`Plans`].
pub(crate) type EnumId = u32;

/// All messages and enums of a schema.
#[derive(Debug, Default)]
pub(crate) struct Plans {
    messages: Vec<MessagePlan>,
    enums: Vec<EnumPlan>,
    by_name: HashMap<String, MessageId>,
    enums_by_name: HashMap<String, EnumId>,
}

/// One message.
#[derive(Debug)]
pub(crate) struct MessagePlan {
    pub(crate) id: MessageId,
    pub(crate) name: Box<str>,
    pub(crate) form: Form,
    /// By number.
    pub(crate) fields: Box<[FieldPlan]>,
    /// Index into `fields` by number, for the numbers below its length; [`names::NONE`] where there is none.
    dense: Box<[u16]>,
    names: Names,
    pub(crate) oneofs: Box<[OneofPlan]>,
    /// Whether a message of this type may lack a field that must be there.
    pub(crate) requires: Requires,
}

/// Whether required fields can be missing in a message, or in those in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Requires {
    Nothing,
    /// In what an `Any` holds.
    InAny,
    /// By its own type, or those of its fields.
    Itself,
}

/// A oneof with more than one member.
#[derive(Debug)]
pub(crate) struct OneofPlan {
    pub(crate) name: Box<str>,
    /// Indices of fields.
    pub(crate) members: Box<[u16]>,
}

/// One field.
#[derive(Debug)]
pub(crate) struct FieldPlan {
    pub(crate) number: u32,
    /// As we write it.
    pub(crate) tag: Tag,
    pub(crate) kind: Kind,
    pub(crate) shape: Shape,
    /// Without presence: the default value is no value.
    pub(crate) implicit: bool,
    /// Written as JSON even if it has no value, unless defaults are left out.
    pub(crate) shown_unset: bool,
    pub(crate) required: bool,
    /// Index into `oneofs`.
    pub(crate) oneof: Option<u16>,
    /// The name in the schema, as error paths say it.
    pub(crate) name: Box<str>,
    /// The JSON name, as the reader expects it.
    pub(crate) expected: Expected,
    /// `,"jsonName":`, to be written.
    pub(crate) json_key: Words,
    /// `,"proto_name":`
    pub(crate) proto_key: Words,
}

/// How many values a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Single,
    Repeated {
        packed: bool,
    },
    /// The kind of the field is the kind of the map's values.
    Map {
        key: Kind,
    },
}

/// The type of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Int32,
    Sint32,
    Uint32,
    Fixed32,
    Sfixed32,
    Int64,
    Sint64,
    Uint64,
    Fixed64,
    Sfixed64,
    Float,
    Double,
    Bool,
    String,
    Bytes,
    Enum(EnumId),
    Message(MessageId),
    /// A message between tags of its own.
    Group(MessageId),
}

/// How a message looks in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// An object of its fields.
    Plain,
    /// The same of extensions alone, each of them an item on the wire.
    MessageSet,
    Any,
    Timestamp,
    Duration,
    FieldMask,
    Struct,
    Value,
    List,
    /// An object of its fields, of which there are none; well-known all the same.
    Empty,
    Wrapper,
}

/// One enum.
#[derive(Debug)]
pub(crate) struct EnumPlan {
    pub(crate) name: Box<str>,
    /// By number: the name in quotes. Of two names for one number the first declared.
    values: Box<[(i32, Words)]>,
    names: Names,
    numbers: Box<[i32]>,
    pub(crate) default: i32,
    /// Has no other values than it declares.
    pub(crate) closed: bool,
    /// `google.protobuf.NullValue`.
    pub(crate) is_null: bool,
}

impl Plans {
    pub(crate) fn message(&self, id: MessageId) -> &MessagePlan {
        &self.messages[id as usize]
    }

    pub(crate) fn enumeration(&self, id: EnumId) -> &EnumPlan {
        &self.enums[id as usize]
    }

    /// The message `full_name`.
    pub(crate) fn find(&self, full_name: &str) -> Option<MessageId> {
        self.by_name.get(full_name).copied()
    }

    /// The enum `full_name`.
    pub(crate) fn find_enum(&self, full_name: &str) -> Option<EnumId> {
        self.enums_by_name.get(full_name).copied()
    }

    /// Whether null is a value of this kind, not the absence of one.
    pub(crate) fn takes_null(&self, kind: Kind) -> bool {
        match kind {
            Kind::Message(id) => self.message(id).form == Form::Value,
            Kind::Enum(id) => self.enumeration(id).is_null,
            _ => false,
        }
    }
}

impl MessagePlan {
    /// Index of the field with this number.
    #[inline]
    pub(crate) fn by_number(&self, number: u32) -> Option<usize> {
        match self.dense.get(number as usize) {
            Some(&index) if index != names::NONE => Some(usize::from(index)),
            Some(_) => None,
            None => self.fields.binary_search_by_key(&number, |field| field.number).ok(),
        }
    }

    /// Index of the field with this JSON name or proto name.
    #[inline]
    pub(crate) fn by_name(&self, name: &[u8]) -> Option<usize> {
        self.names.find(name)
    }

    /// Whether it has a form of its own; in an `Any` that form stands under `value`.
    pub(crate) fn is_known(&self) -> bool {
        !matches!(self.form, Form::Plain | Form::MessageSet)
    }

    /// Names of the fields, as JSON writes them.
    pub(crate) fn json_names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(FieldPlan::json_name)
    }
}

impl FieldPlan {
    /// The wire type of our tag.
    #[inline]
    pub(crate) fn wire_type(&self) -> WireType {
        self.tag.wire_type
    }

    /// As JSON escapes it.
    pub(crate) fn json_name(&self) -> &str {
        self.expected.name()
    }
}

#[inline]
fn wire_type(kind: Kind, shape: Shape) -> WireType {
    match shape {
        Shape::Single | Shape::Repeated { packed: false } => kind.wire_type(),
        Shape::Repeated { packed: true } | Shape::Map { .. } => WireType::Length,
    }
}

impl EnumPlan {
    /// The name of a number, in quotes.
    pub(crate) fn quoted(&self, number: i32) -> Option<&Words> {
        // Most enums count from zero without a gap.
        if let Some((found, text)) = usize::try_from(number).ok().and_then(|at| self.values.get(at))
            && *found == number
        {
            return Some(text);
        }
        let at = self.values.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        Some(&self.values[at].1)
    }

    /// The number of a name.
    #[inline]
    pub(crate) fn number(&self, name: &[u8]) -> Option<i32> {
        self.names.find(name).map(|at| self.numbers[at])
    }

    /// The number of a name whose letters may be in any case; of two such names the first declared.
    #[cold]
    pub(crate) fn number_in_any_case(&self, name: &str) -> Option<i32> {
        self.names.find_in_any_case(name).map(|at| self.numbers[at])
    }

    /// Whether the number may stand in a field: a closed enum has no others than it declares.
    pub(crate) fn takes(&self, number: i32) -> bool {
        !self.closed || self.quoted(number).is_some()
    }

    /// Names of the values.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.all()
    }
}
