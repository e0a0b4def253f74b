//! The SSE `id` of an answer: a text or a whole number of its own, read off the wire without the rest of it. It is asked for
//! at every message of a stream.

use prost_reflect::{FieldDescriptor, Kind};

use crate::codec::wire::{self, DEPTH_MAX, WireType};

/// The value of a field of an answer as an id. `None` if it is not there, though absence can be told from a default, or
/// cannot be an id: a list, a message, anything but text and whole numbers, a text that would end its line (WHATWG HTML,
/// 9.2.6), or an empty one, which would reset the client's.
pub(crate) fn of(field: &FieldDescriptor, message: &[u8]) -> Option<String> {
    let wanted = wire_type(&field.kind()).filter(|_| !field.is_list())?;
    let oneof = field.containing_oneof();
    let is_rival = |number| {
        let mut members = oneof.iter().flat_map(|oneof| oneof.fields());
        members.any(|member| member.number() == number)
    };
    let (mut rest, mut last) = (message, None);
    while !rest.is_empty() {
        let (number, wire_type) = wire::tag(&mut rest).ok()?;
        let value = wire::skip(&mut rest, number, wire_type, DEPTH_MAX).ok()?;
        if number == field.number() && wire_type == wanted {
            last = Some(value);
        } else if last.is_some() && is_rival(number) {
            last = None;
        }
    }
    let text = match last {
        Some(value) => text(&field.kind(), value)?,
        None if field.supports_presence() || wanted == WireType::Length => return None,
        None => "0".to_owned(),
    };
    Some(text).filter(|text| !text.is_empty() && !text.contains(['\0', '\r', '\n']))
}

fn wire_type(kind: &Kind) -> Option<WireType> {
    match kind {
        Kind::String => Some(WireType::Length),
        Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 | Kind::Sint32 | Kind::Sint64 => Some(WireType::Varint),
        Kind::Fixed32 | Kind::Sfixed32 => Some(WireType::Fixed32),
        Kind::Fixed64 | Kind::Sfixed64 => Some(WireType::Fixed64),
        Kind::Bool | Kind::Float | Kind::Double | Kind::Bytes | Kind::Message(_) | Kind::Enum(_) => None,
    }
}

/// What stands behind the tag, as text. Of more bits than the type has the lower ones count, as in every parser.
fn text(kind: &Kind, mut value: &[u8]) -> Option<String> {
    let value = &mut value;
    Some(match kind {
        Kind::String => std::str::from_utf8(value).ok()?.to_owned(),
        Kind::Int32 => (wire::varint(value).ok()? as i32).to_string(),
        Kind::Int64 => (wire::varint(value).ok()? as i64).to_string(),
        Kind::Uint32 => (wire::varint(value).ok()? as u32).to_string(),
        Kind::Uint64 => wire::varint(value).ok()?.to_string(),
        Kind::Sint32 => wire::unzigzag32(wire::varint(value).ok()? as u32).to_string(),
        Kind::Sint64 => wire::unzigzag64(wire::varint(value).ok()?).to_string(),
        Kind::Fixed32 => u32::from_le_bytes(wire::fixed(value).ok()?).to_string(),
        Kind::Sfixed32 => i32::from_le_bytes(wire::fixed(value).ok()?).to_string(),
        Kind::Fixed64 => u64::from_le_bytes(wire::fixed(value).ok()?).to_string(),
        Kind::Sfixed64 => i64::from_le_bytes(wire::fixed(value).ok()?).to_string(),
        _ => return None,
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
            assert_eq!(of(&field, &answer).as_deref(), expected, "{name} {answer:?}");
        }
    }

    #[test]
    fn a_declared_default_is_no_id() {
        let source = r#"syntax = "proto2"; message M { optional int32 number = 1 [default = 7]; }"#;
        let field = compiled(source).get_message_by_name("M").unwrap().get_field(1).unwrap();
        assert_eq!(of(&field, b""), None);
        assert_eq!(of(&field, b"\x08\x07").as_deref(), Some("7"));
    }

    fn compiled(source: &str) -> DescriptorPool {
        let file = protox::file::File::from_source("m.proto", source).unwrap();
        let mut pool = DescriptorPool::new();
        pool.add_file_descriptor_proto(file.file_descriptor_proto().clone())
            .unwrap();
        pool
    }
}
