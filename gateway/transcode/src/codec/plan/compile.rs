//! From descriptors to plans.

use std::collections::HashMap;

use prost_reflect::{
    Cardinality, DescriptorPool, EnumDescriptor, ExtensionDescriptor, FieldDescriptor, Kind as Type, MessageDescriptor,
    Syntax,
};

use super::names::{self, Names};
use super::{
    EnumId, EnumPlan, FieldPlan, Form, Kind, MessageId, MessagePlan, OneofPlan, Plans, Requires, Shape, requires,
};
use crate::codec::known;
use crate::codec::token::Expected;
use crate::codec::wire::{Tag, WireType};
use crate::codec::write::{Output, Words};
use crate::edition::Beyond;

/// Fields below this number, or below four times the number of fields, are found by one load.
const DENSE_NUMBERS: usize = 32;

impl Plans {
    /// Compiles every message and enum of a pool.
    pub(crate) fn compile(pool: &DescriptorPool, beyond: &Beyond) -> Self {
        let ids = Ids {
            beyond,
            messages: numbered(pool.all_messages().map(|message| message.full_name().to_owned())),
            enums: numbered(pool.all_enums().map(|kind| kind.full_name().to_owned())),
        };
        Self {
            messages: requires::spread(pool.all_messages().map(|message| ids.message(&message)).collect()),
            enums: pool
                .all_enums()
                .map(|kind| enumeration(&kind, beyond.closed_enums.get(kind.full_name()).copied()))
                .collect(),
            by_name: ids.messages,
            enums_by_name: ids.enums,
        }
    }
}

struct Ids<'b> {
    beyond: &'b Beyond,
    messages: HashMap<String, MessageId>,
    enums: HashMap<String, EnumId>,
}

fn numbered(names: impl Iterator<Item = String>) -> HashMap<String, u32> {
    names.zip(0..).collect()
}

/// What fields and extensions have in common.
struct Declared {
    number: u32,
    name: String,
    json_name: String,
    kind: Type,
    is_group: bool,
    is_list: bool,
    is_packed: bool,
    has_presence: bool,
    is_required: bool,
    is_extension: bool,
}

impl From<&FieldDescriptor> for Declared {
    fn from(field: &FieldDescriptor) -> Self {
        Self {
            number: field.number(),
            name: field.name().to_owned(),
            json_name: field.json_name().to_owned(),
            kind: field.kind(),
            is_group: field.is_group(),
            is_list: field.cardinality() == Cardinality::Repeated,
            is_packed: field.is_packed(),
            has_presence: field.supports_presence(),
            is_required: field.is_required(),
            is_extension: false,
        }
    }
}

impl From<&ExtensionDescriptor> for Declared {
    fn from(extension: &ExtensionDescriptor) -> Self {
        Self {
            number: extension.number(),
            name: extension.json_name().to_owned(),
            json_name: extension.json_name().to_owned(),
            kind: extension.kind(),
            is_group: extension.is_group(),
            is_list: extension.cardinality() == Cardinality::Repeated,
            is_packed: extension.is_packed(),
            has_presence: true,
            is_required: false,
            is_extension: true,
        }
    }
}

impl Ids<'_> {
    fn message(&self, message: &MessageDescriptor) -> MessagePlan {
        let fields = message.fields().map(|field| {
            let mut declared = Declared::from(&field);
            declared.has_presence &= !self.beyond.implicit_fields.contains(field.full_name());
            declared
        });
        let extensions = message.extensions().map(|extension| Declared::from(&extension));
        let mut fields: Vec<_> = fields.chain(extensions).map(|field| self.field(field)).collect();
        fields.sort_by_key(|field| field.number);
        let oneofs = oneofs(message, &mut fields);
        let json_names = fields
            .iter()
            .enumerate()
            .map(|(at, field)| (json_name(message, field), at));
        let proto_names = fields.iter().enumerate().map(|(at, field)| (field.name.clone(), at));
        MessagePlan {
            id: self.messages.get(message.full_name()).copied().unwrap_or_default(),
            name: message.full_name().into(),
            form: form(message),
            dense: dense(&fields),
            names: Names::new(json_names.chain(proto_names)),
            oneofs,
            requires: match fields.iter().any(|field| field.required) {
                true => Requires::Itself,
                false if message.full_name() == known::ANY => Requires::InAny,
                false => Requires::Nothing,
            },
            fields: fields.into(),
        }
    }

    fn field(&self, field: Declared) -> FieldPlan {
        let entry = match &field.kind {
            Type::Message(entry) if entry.is_map_entry() => Some(entry.clone()),
            _ => None,
        };
        let (kind, shape) = match &entry {
            Some(entry) => (
                self.kind(
                    &entry.map_entry_value_field().kind(),
                    entry.map_entry_value_field().is_group(),
                ),
                Shape::Map {
                    key: self.kind(&entry.map_entry_key_field().kind(), false),
                },
            ),
            None if field.is_list => (
                self.kind(&field.kind, field.is_group),
                Shape::Repeated {
                    packed: field.is_packed,
                },
            ),
            None => (self.kind(&field.kind, field.is_group), Shape::Single),
        };
        let implicit = shape == Shape::Single && !field.has_presence;
        FieldPlan {
            number: field.number,
            tag: Tag::new(field.number, super::wire_type(kind, shape)),
            kind,
            shape,
            implicit,
            shown_unset: (implicit || shape != Shape::Single) && !field.is_extension,
            required: field.is_required,
            oneof: None,
            expected: Expected::new(&key(&field.json_name)[1..]),
            json_key: Words::new(&key(&field.json_name)),
            proto_key: Words::new(&key(&field.name)),
            name: field.name.into(),
        }
    }

    fn kind(&self, kind: &Type, is_group: bool) -> Kind {
        match kind {
            Type::Int32 => Kind::Int32,
            Type::Sint32 => Kind::Sint32,
            Type::Uint32 => Kind::Uint32,
            Type::Fixed32 => Kind::Fixed32,
            Type::Sfixed32 => Kind::Sfixed32,
            Type::Int64 => Kind::Int64,
            Type::Sint64 => Kind::Sint64,
            Type::Uint64 => Kind::Uint64,
            Type::Fixed64 => Kind::Fixed64,
            Type::Sfixed64 => Kind::Sfixed64,
            Type::Float => Kind::Float,
            Type::Double => Kind::Double,
            Type::Bool => Kind::Bool,
            Type::String => Kind::String,
            Type::Bytes => Kind::Bytes,
            // The pool has every type that it mentions.
            Type::Enum(kind) => Kind::Enum(self.enums.get(kind.full_name()).copied().unwrap_or_default()),
            Type::Message(message) => {
                let id = self.messages.get(message.full_name()).copied().unwrap_or_default();
                if is_group { Kind::Group(id) } else { Kind::Message(id) }
            }
        }
    }
}

impl Kind {
    pub(crate) fn wire_type(self) -> WireType {
        match self {
            Self::Fixed32 | Self::Sfixed32 | Self::Float => WireType::Fixed32,
            Self::Fixed64 | Self::Sfixed64 | Self::Double => WireType::Fixed64,
            Self::String | Self::Bytes | Self::Message(_) => WireType::Length,
            Self::Group(_) => WireType::GroupStart,
            _ => WireType::Varint,
        }
    }
}

/// The name that JSON has for a field; extensions have theirs as they are.
fn json_name(message: &MessageDescriptor, field: &FieldPlan) -> Box<str> {
    match message.get_field(field.number) {
        Some(field) => field.json_name().into(),
        None => field.name.clone(),
    }
}

fn key(name: &str) -> Box<[u8]> {
    let mut key = Output::default();
    key.push(b',');
    key.put_string(name.as_bytes());
    key.push(b':');
    key.finish().into()
}

/// Sets `oneof` of the members. A oneof with one member (proto3 `optional`) excludes nothing.
fn oneofs(message: &MessageDescriptor, fields: &mut [FieldPlan]) -> Box<[OneofPlan]> {
    let mut oneofs = Vec::new();
    for oneof in message.oneofs().filter(|oneof| oneof.fields().len() > 1) {
        let mut members = Vec::new();
        for member in oneof.fields() {
            if let Ok(at) = fields.binary_search_by_key(&member.number(), |field| field.number) {
                fields[at].oneof = u16::try_from(oneofs.len()).ok();
                members.push(at as u16);
            }
        }
        oneofs.push(OneofPlan {
            name: oneof.name().into(),
            members: members.into(),
        });
    }
    oneofs.into()
}

fn dense(fields: &[FieldPlan]) -> Box<[u16]> {
    let highest = fields.last().map_or(0, |field| field.number as usize);
    let mut dense = vec![names::NONE; (highest + 1).min(DENSE_NUMBERS.max(fields.len() * 4))];
    for (at, field) in fields.iter().enumerate() {
        if let (Some(slot), Ok(at)) = (dense.get_mut(field.number as usize), u16::try_from(at)) {
            *slot = at;
        }
    }
    dense.into()
}

fn enumeration(kind: &EnumDescriptor, is_closed: Option<bool>) -> EnumPlan {
    let mut values = Vec::new();
    for value in kind.values() {
        let mut quoted = Output::default();
        quoted.put_string(value.name().as_bytes());
        values.push((value.number(), Words::new(&quoted.finish())));
    }
    // Stable: of two names for one number the first declared stays.
    values.sort_by_key(|(number, _)| *number);
    values.dedup_by_key(|(number, _)| *number);
    EnumPlan {
        name: kind.full_name().into(),
        values: values.into(),
        names: Names::new(kind.values().enumerate().map(|(at, value)| (value.name().into(), at))),
        numbers: kind.values().map(|value| value.number()).collect(),
        default: kind.default_value().number(),
        closed: is_closed.unwrap_or(kind.parent_file().syntax() == Syntax::Proto2),
        is_null: kind.full_name() == known::NULL,
    }
}

/// A well-known type's form, if the schema's type of that name has the well-known fields.
fn form(message: &MessageDescriptor) -> Form {
    let (form, expected): (Form, &[(u32, &str)]) = match message.full_name() {
        known::ANY => (Form::Any, &[(1, "string"), (2, "bytes")]),
        known::TIMESTAMP => (Form::Timestamp, &[(1, "int64"), (2, "int32")]),
        known::DURATION => (Form::Duration, &[(1, "int64"), (2, "int32")]),
        known::FIELD_MASK => (Form::FieldMask, &[(1, "[string]")]),
        known::EMPTY => (Form::Empty, &[]),
        known::LIST => (Form::List, &[(1, "[google.protobuf.Value]")]),
        known::STRUCT => (Form::Struct, &[(1, "{google.protobuf.Value}")]),
        known::VALUE => (
            Form::Value,
            &[
                (1, known::NULL),
                (2, "double"),
                (3, "string"),
                (4, "bool"),
                (5, known::STRUCT),
                (6, known::LIST),
            ],
        ),
        name if known::is_wrapper(name) => {
            let fields: Vec<_> = message.fields().collect();
            let is_wrapper = matches!(fields.as_slice(), [field] if field.number() == known::WRAPPED
                && !field.is_list() && !matches!(field.kind(), Type::Message(_) | Type::Enum(_)));
            return if is_wrapper { Form::Wrapper } else { Form::Plain };
        }
        _ if is_message_set(message) => return Form::MessageSet,
        _ => return Form::Plain,
    };
    let found = message.fields().map(|field| (field.number(), described(&field)));
    let is_well_known = found.eq(expected.iter().map(|(number, kind)| (*number, (*kind).to_owned())));
    if is_well_known { form } else { Form::Plain }
}

/// A message of extensions alone, in the wire format of times before `google.protobuf.Any`.
fn is_message_set(message: &MessageDescriptor) -> bool {
    let options = message.descriptor_proto().options.as_ref();
    options.is_some_and(|options| options.message_set_wire_format()) && message.fields().len() == 0
}

fn described(field: &FieldDescriptor) -> String {
    match field.kind() {
        Type::Message(entry) if field.is_map() => format!("{{{:?}}}", entry.map_entry_value_field().kind()),
        kind if field.is_list() => format!("[{kind:?}]"),
        kind => format!("{kind:?}"),
    }
}
