//! The SSE `id` of an answer: a text or a whole number of its own, read off the wire without the rest of it. It is asked for
//! at every message of a stream.

use prost_reflect::{FieldDescriptor, Kind};

use crate::codec::wire::{self, DEPTH_MAX, WireType};
use crate::codec::write::{DECIMAL_BYTES, decimal};

/// The longest id: it comes back in a header.
const ID_BYTES_MAX: usize = 4 << 10;

/// The field of an answer that is its id. All that is to be known of it is looked up once.
#[derive(Debug, Clone)]
pub(crate) struct EventId {
    field: FieldDescriptor,
    /// `None` if no value of it can be an id: of a list, a message, anything but text and whole numbers.
    plan: Option<Plan>,
}

#[derive(Debug, Clone)]
struct Plan {
    number: u32,
    wire_type: WireType,
    value: Value,
    /// Numbers of the fields of which one takes the place of another.
    oneof: Vec<u32>,
    /// Whether a field that is not there is 0.
    is_zero_if_absent: bool,
}

/// What stands behind the tag.
#[derive(Debug, Clone, Copy)]
enum Value {
    Text,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Sfixed32,
    Fixed64,
    Sfixed64,
}

impl EventId {
    pub(crate) fn new(field: FieldDescriptor) -> Self {
        let of_kind = value_of(&field.kind()).filter(|_| !field.is_list());
        let plan = of_kind.map(|(wire_type, value)| Plan {
            number: field.number(),
            wire_type,
            value,
            oneof: field
                .containing_oneof()
                .iter()
                .flat_map(|oneof| oneof.fields())
                .map(|field| field.number())
                .collect(),
            is_zero_if_absent: wire_type != WireType::Length && !field.supports_presence(),
        });
        Self { field, plan }
    }

    pub(crate) fn field(&self) -> &FieldDescriptor {
        &self.field
    }

    /// Writes the id of an answer into `id`, in the place of what it has. False if the field is not there, though absence can
    /// be told from a default, or cannot be an id: a text that would end its line (WHATWG HTML, 9.2.6), one of over
    /// 4 KiB, or an empty one, which would reset the client's. Then `id` is empty.
    pub(crate) fn put(&self, message: &[u8], id: &mut Vec<u8>) -> bool {
        id.clear();
        self.plan.as_ref().is_some_and(|plan| plan.put(message, id).is_some())
    }
}

impl Plan {
    fn put(&self, message: &[u8], id: &mut Vec<u8>) -> Option<()> {
        let (mut rest, mut last) = (message, None);
        while !rest.is_empty() {
            let (number, wire_type) = wire::tag(&mut rest).ok()?;
            let value = wire::skip(&mut rest, number, wire_type, DEPTH_MAX).ok()?;
            if number == self.number && wire_type == self.wire_type {
                last = Some(value);
            } else if last.is_some() && self.oneof.contains(&number) {
                last = None;
            }
        }
        match last {
            Some(value) => self.value.put(value, id),
            None if self.is_zero_if_absent => {
                id.push(b'0');
                Some(())
            }
            None => None,
        }
    }
}

impl Value {
    /// Writes it as text. Of more bits than the type has the lower ones count, as in every parser.
    fn put(self, mut value: &[u8], id: &mut Vec<u8>) -> Option<()> {
        let value = &mut value;
        let signed = |number: i64| (number < 0, number.unsigned_abs());
        let (is_negative, magnitude) = match self {
            Self::Text => {
                let text = std::str::from_utf8(value).ok()?;
                let is_line = (1..=ID_BYTES_MAX).contains(&text.len()) && !text.contains(['\0', '\r', '\n']);
                return is_line.then(|| id.extend_from_slice(text.as_bytes()));
            }
            Self::Int32 => signed(i64::from(wire::varint(value).ok()? as i32)),
            Self::Int64 => signed(wire::varint(value).ok()? as i64),
            Self::Uint32 => (false, u64::from(wire::varint(value).ok()? as u32)),
            Self::Uint64 => (false, wire::varint(value).ok()?),
            Self::Sint32 => signed(i64::from(wire::unzigzag32(wire::varint(value).ok()? as u32))),
            Self::Sint64 => signed(wire::unzigzag64(wire::varint(value).ok()?)),
            Self::Fixed32 => (false, u64::from(u32::from_le_bytes(wire::fixed(value).ok()?))),
            Self::Sfixed32 => signed(i64::from(i32::from_le_bytes(wire::fixed(value).ok()?))),
            Self::Fixed64 => (false, u64::from_le_bytes(wire::fixed(value).ok()?)),
            Self::Sfixed64 => signed(i64::from_le_bytes(wire::fixed(value).ok()?)),
        };
        if is_negative {
            id.push(b'-');
        }
        let mut digits = [0; DECIMAL_BYTES];
        let length = decimal(magnitude, &mut digits);
        id.extend_from_slice(&digits[..length]);
        Some(())
    }
}

fn value_of(kind: &Kind) -> Option<(WireType, Value)> {
    Some(match kind {
        Kind::String => (WireType::Length, Value::Text),
        Kind::Int32 => (WireType::Varint, Value::Int32),
        Kind::Int64 => (WireType::Varint, Value::Int64),
        Kind::Uint32 => (WireType::Varint, Value::Uint32),
        Kind::Uint64 => (WireType::Varint, Value::Uint64),
        Kind::Sint32 => (WireType::Varint, Value::Sint32),
        Kind::Sint64 => (WireType::Varint, Value::Sint64),
        Kind::Fixed32 => (WireType::Fixed32, Value::Fixed32),
        Kind::Sfixed32 => (WireType::Fixed32, Value::Sfixed32),
        Kind::Fixed64 => (WireType::Fixed64, Value::Fixed64),
        Kind::Sfixed64 => (WireType::Fixed64, Value::Sfixed64),
        Kind::Bool | Kind::Float | Kind::Double | Kind::Bytes | Kind::Message(_) | Kind::Enum(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use prost_reflect::DescriptorPool;

    use super::*;

    #[test]
    fn an_id_is_a_text_or_a_whole_number_of_the_answer() {
        let source = r#"
            syntax = "proto3";
            message M {
                string s = 1; int32 i32 = 2; int64 i64 = 3; uint32 u32 = 4; uint64 u64 = 5; sint32 s32 = 6; sint64 s64 = 7;
                fixed32 f32 = 8; sfixed32 sf32 = 9; fixed64 f64 = 10; sfixed64 sf64 = 11; bool b = 12; bytes by = 13;
                repeated int32 list = 14; M m = 15; optional int32 maybe = 16; oneof o { string one = 17; bool other = 18; }
            }"#;
        let message = compiled(source).get_message_by_name("M").unwrap();
        let all = |bytes: usize| vec![0xff; bytes];
        let varint = |tag: u8| [vec![tag], all(9), vec![1]].concat();
        let table: [(&str, Vec<u8>, Option<&str>); 30] = [
            ("s", b"\x0a\x03a\"b".to_vec(), Some("a\"b")),
            ("s", "\n\u{2}\u{e9}".as_bytes().to_vec(), Some("\u{e9}")),
            ("s", b"\x0a\x01a\x0a\x01b".to_vec(), Some("b")),
            ("s", b"\x0a\x00".to_vec(), None),
            ("s", Vec::new(), None),
            ("s", b"\x0a\x03a\nb".to_vec(), None),
            ("s", b"\x0a\x01\xff".to_vec(), None),
            // Of another wire type, and so unknown.
            ("s", b"\x08\x01".to_vec(), None),
            ("i32", varint(0x10), Some("-1")),
            ("i32", Vec::new(), Some("0")),
            ("i64", varint(0x18), Some("-1")),
            ("u32", varint(0x20), Some("4294967295")),
            ("u64", varint(0x28), Some("18446744073709551615")),
            ("s32", b"\x30\x03".to_vec(), Some("-2")),
            ("s64", b"\x38\x03".to_vec(), Some("-2")),
            ("f32", [vec![0x45], all(4)].concat(), Some("4294967295")),
            ("sf32", [vec![0x4d], all(4)].concat(), Some("-1")),
            ("f64", [vec![0x51], all(8)].concat(), Some("18446744073709551615")),
            ("sf64", [vec![0x59], all(8)].concat(), Some("-1")),
            ("b", b"\x60\x01".to_vec(), None),
            ("by", b"\x6a\x01x".to_vec(), None),
            ("list", b"\x72\x01\x05".to_vec(), None),
            ("m", b"\x7a\x00".to_vec(), None),
            // One in a message of the answer's is not its own.
            ("i32", b"\x7a\x02\x10\x05".to_vec(), Some("0")),
            ("maybe", b"\x80\x01\x00".to_vec(), Some("0")),
            ("maybe", Vec::new(), None),
            ("one", b"\x8a\x01\x01x".to_vec(), Some("x")),
            ("one", b"\x8a\x01\x01x\x90\x01\x01".to_vec(), None),
            ("one", b"\x90\x01\x01\x8a\x01\x01x".to_vec(), Some("x")),
            ("i64", b"\x18\x05\xff".to_vec(), None),
        ];
        for (name, answer, expected) in table {
            let field = message.get_field_by_name(name).unwrap();
            assert_eq!(of(field, &answer).as_deref(), expected, "{name} {answer:?}");
        }
    }

    #[test]
    fn a_declared_default_is_no_id() {
        let source = r#"syntax = "proto2"; message M { optional int32 number = 1 [default = 7]; }"#;
        let field = compiled(source).get_message_by_name("M").unwrap().get_field(1).unwrap();
        assert_eq!(of(field.clone(), b""), None);
        assert_eq!(of(field, b"\x08\x07").as_deref(), Some("7"));
    }

    fn of(field: FieldDescriptor, message: &[u8]) -> Option<String> {
        let mut id = b"the one before".to_vec();
        let is_there = EventId::new(field).put(message, &mut id);
        is_there.then(|| String::from_utf8(id).unwrap())
    }

    fn compiled(source: &str) -> DescriptorPool {
        let file = protox::file::File::from_source("m.proto", source).unwrap();
        let mut pool = DescriptorPool::new();
        pool.add_file_descriptor_proto(file.file_descriptor_proto().clone())
            .unwrap();
        pool
    }
}
