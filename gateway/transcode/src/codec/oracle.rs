//! The codec against prost-reflect, which does the same over a tree: random messages both ways, in order and scattered,
//! and bytes that are no message at all. Only tests know this file.

use std::sync::OnceLock;

use proptest::prelude::*;
use prost::Message;
use prost_reflect::{DeserializeOptions, DynamicMessage, Kind, MapKey, MessageDescriptor, SerializeOptions, Value};

use super::{ReadOptions, Target, WriteOptions};
use crate::codec::known;
use crate::fixture;
use crate::schema::Schema;

const TWO: &str = r#"
    syntax = "proto2"; package two;
    enum E { A = 1; B = 2; C = -3; }
    message M {
      optional int32 i32 = 1; optional sint32 s32 = 2; optional uint32 u32 = 3; optional fixed32 f32 = 4;
      optional sfixed32 sf32 = 5; optional int64 i64 = 6; optional sint64 s64 = 7; optional uint64 u64 = 8;
      optional fixed64 f64 = 9; optional sfixed64 sf64 = 10; optional float f = 11; optional double d = 12;
      optional bool b = 13; optional string s = 14; optional bytes by = 15; optional E e = 16; optional M m = 17;
      optional group G = 18 { optional int32 x = 1; optional M m = 2; }
      repeated group H = 19 { optional string y = 1; }
      repeated sint64 r_s64 = 20 [packed = true]; repeated fixed32 r_f32 = 21; repeated E r_e = 22 [packed = true];
      repeated double r_d = 23 [packed = true]; repeated bool r_b = 24; repeated bytes r_by = 25; repeated M r_m = 3000;
      map<string, E> m_e = 31; map<int64, double> m_i64 = 32; map<sint32, bytes> m_s32 = 33; map<uint64, M> m_u64 = 34;
      map<fixed32, string> m_f32 = 35; map<sfixed64, bool> m_sf64 = 36; map<bool, sint32> m_b = 37;
      oneof o { string o_s = 41; M o_m = 42; E o_e = 43; int64 o_i = 44; }
      extensions 1000 to 2000;
    }
    extend M { optional string extra = 1001; repeated int32 numbers = 1000 [packed = true]; }
"#;

struct Case {
    schema: Schema,
    message: MessageDescriptor,
}

fn cases() -> &'static [Case; 2] {
    static CASES: OnceLock<[Case; 2]> = OnceLock::new();
    let case = |descriptors: &[u8], name: &str| {
        let schema = Schema::builder().descriptors(descriptors).build().unwrap();
        let message = schema.pool().get_message_by_name(name).unwrap();
        Case { schema, message }
    };
    CASES.get_or_init(|| {
        [
            case(fixture::shapes(), "shapes.v1.SinkMessage"),
            case(&fixture::source(TWO), "two.M"),
        ]
    })
}

/// Choices, from the bytes that proptest gives and shrinks.
struct Choices<'b>(std::slice::Iter<'b, u8>);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        self.0.next().copied().unwrap_or_default()
    }

    fn wide(&mut self) -> u64 {
        match self.byte() % 4 {
            0 => u64::from(self.byte()),
            1 => u64::MAX - u64::from(self.byte()),
            2 => 1 << (self.byte() % 64),
            _ => u64::from_le_bytes(std::array::from_fn(|_| self.byte())),
        }
    }

    fn text(&mut self) -> String {
        const LETTERS: [&str; 12] = [
            "a",
            "\"",
            "\\",
            "\n",
            "\u{1f600}",
            "\u{2028}",
            "\u{7f}",
            "é",
            "/",
            "0",
            " ",
            "ab\u{3}cdefgh",
        ];
        let length = self.byte() % 12;
        (0..length)
            .map(|_| LETTERS[usize::from(self.byte()) % LETTERS.len()])
            .collect()
    }

    fn message(&mut self, kind: &MessageDescriptor, depth: usize) -> DynamicMessage {
        let mut message = DynamicMessage::new(kind.clone());
        match kind.full_name() {
            known::TIMESTAMP | known::DURATION => {
                message.set_field_by_number(1, Value::I64(i64::from(self.byte()) << (self.byte() % 28)));
                message.set_field_by_number(
                    2,
                    Value::I32(i32::from(self.byte() % 100) * 10_i32.pow(u32::from(self.byte() % 8))),
                );
            }
            known::FIELD_MASK => {
                let paths = ["a", "foo_bar", "a.b_c.d"]
                    .into_iter()
                    .take(usize::from(self.byte() % 4));
                message.set_field_by_number(
                    1,
                    Value::List(paths.map(|path| Value::String(path.to_owned())).collect()),
                );
            }
            known::ANY => {
                let name = ["shapes.v1.Shelf", known::DURATION, known::STRUCT][usize::from(self.byte() % 3)];
                let inner = kind.parent_pool().get_message_by_name(name).unwrap();
                let inner = self.message(&inner, depth + 1);
                message.set_field_by_number(1, Value::String(format!("type.googleapis.com/{name}")));
                message.set_field_by_number(2, Value::Bytes(inner.encode_to_vec().into()));
            }
            // Their infinity is null here.
            "google.protobuf.DoubleValue" => {
                message.set_field_by_number(1, Value::F64(f64::from(self.byte()) / 4.0));
            }
            known::VALUE => {
                let number = 1 + u32::from(self.byte() % if depth > 4 { 4 } else { 6 });
                let field = kind.get_field(number).unwrap();
                let value = match number {
                    2 => Value::F64(f64::from(self.byte()) / 4.0),
                    _ => self.value(&field.kind(), depth),
                };
                message.set_field(&field, value);
            }
            _ => self.fields(&mut message, kind, depth),
        }
        message
    }

    fn fields(&mut self, message: &mut DynamicMessage, kind: &MessageDescriptor, depth: usize) {
        for field in kind.fields() {
            if self.byte() % 4 < 2 || depth > 3 && matches!(field.kind(), Kind::Message(_)) {
                continue;
            }
            let count = self.byte() % 4;
            let value = match field.kind() {
                Kind::Message(entry) if field.is_map() => {
                    let (key, value) = (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
                    let entries = (0..count).map(|_| (self.key(&key), self.value(&value, depth + 1)));
                    Value::Map(entries.collect())
                }
                kind if field.is_list() => Value::List((0..count).map(|_| self.value(&kind, depth + 1)).collect()),
                kind => self.value(&kind, depth + 1),
            };
            message.set_field(&field, value);
        }
        for extension in kind.extensions() {
            if self.byte() < 128 {
                continue;
            }
            let value = match extension.is_list() {
                true => Value::List(vec![self.value(&extension.kind(), depth)]),
                false => self.value(&extension.kind(), depth),
            };
            message.set_extension(&extension, value);
        }
    }

    fn key(&mut self, kind: &Kind) -> MapKey {
        self.value(kind, 0).into_map_key().unwrap()
    }

    fn value(&mut self, kind: &Kind, depth: usize) -> Value {
        const FLOATS: [f64; 10] = [
            0.0,
            1.0,
            -1.5,
            0.1,
            1e22,
            1e-7,
            f64::INFINITY,
            f64::NEG_INFINITY,
            16_777_216.0,
            3.4e38,
        ];
        match kind {
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(self.wide() as i32),
            Kind::Uint32 | Kind::Fixed32 => Value::U32(self.wide() as u32),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(self.wide() as i64),
            Kind::Uint64 | Kind::Fixed64 => Value::U64(self.wide()),
            Kind::Float => Value::F32(FLOATS[usize::from(self.byte()) % FLOATS.len()] as f32),
            Kind::Double => Value::F64(FLOATS[usize::from(self.byte()) % FLOATS.len()]),
            Kind::Bool => Value::Bool(self.byte() > 99),
            Kind::String => Value::String(self.text()),
            Kind::Bytes => Value::Bytes(self.text().into_bytes().into()),
            Kind::Enum(kind) => {
                let values: Vec<_> = kind.values().collect();
                Value::EnumNumber(values[usize::from(self.byte()) % values.len()].number())
            }
            Kind::Message(kind) => Value::Message(self.message(kind, depth + 1)),
        }
    }
}

fn ours(case: &Case, wire: &[u8], options: WriteOptions) -> Result<serde_json::Value, String> {
    let mut out = b"before".to_vec();
    let written = case
        .schema
        .codec()
        .wire_to_json_with(options, &case.message, None, wire, &mut out);
    written.map_err(|error| format!("{error:?}"))?;
    Ok(serde_json::from_slice(&out[6..]).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&out))))
}

fn theirs(message: &DynamicMessage, options: WriteOptions) -> Option<serde_json::Value> {
    let options = SerializeOptions::new()
        .skip_default_fields(options.defaults_omitted)
        .use_enum_numbers(options.enums_as_numbers)
        .use_proto_field_name(options.proto_names)
        .stringify_64_bit_integers(!options.int64_as_number);
    // By text: a value would widen 32-bit floats.
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::new(&mut text);
    message.serialize_with_options(&mut serializer, &options).ok()?;
    Some(serde_json::from_slice(&text).unwrap())
}

/// `0` and `0.0` are one number.
fn whole_numbers(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        Json::Number(number) if number.is_f64() => match number.as_f64() {
            Some(float) if float.fract() == 0.0 && float.abs() < 9e15 => Json::from(float as i64),
            _ => Json::Number(number),
        },
        Json::Array(elements) => elements.into_iter().map(whole_numbers).collect(),
        Json::Object(members) => members
            .into_iter()
            .map(|(key, value)| (key, whole_numbers(value)))
            .collect(),
        other => other,
    }
}

fn options(bits: u8) -> WriteOptions {
    WriteOptions {
        defaults_omitted: bits & 1 != 0,
        enums_as_numbers: bits & 2 != 0,
        proto_names: bits & 4 != 0,
        int64_as_number: bits & 8 != 0,
        ..WriteOptions::default()
    }
}

fn decoded(case: &Case, wire: &[u8]) -> DynamicMessage {
    DynamicMessage::decode(case.message.clone(), wire).unwrap()
}

/// The same up to what the wire does not carry.
fn assert_same(case: &Case, found: &[u8], expected: &DynamicMessage) {
    let expected = decoded(case, &expected.encode_to_vec());
    // Any holds bytes, whose order is free: compare what they say.
    let options = options(1);
    assert_eq!(theirs(&decoded(case, found), options), theirs(&expected, options));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn messages_there_and_back(bytes in proptest::collection::vec(any::<u8>(), 0..600), bits in 0_u8..16) {
        for case in cases() {
            let message = Choices(bytes.iter()).message(&case.message, 0);
            let json = ours(case, &message.encode_to_vec(), options(bits)).unwrap();
            if bits & 1 != 0 || case.message.full_name() == "two.M" {
                prop_assert_eq!(whole_numbers(json.clone()), whole_numbers(theirs(&message, options(bits)).unwrap()));
            }
            // What we write we read, and so do they.
            let text = serde_json::to_vec(&json).unwrap();
            let wire = case.schema.codec().json_to_wire(&Target::message(&case.message), &text).unwrap();
            assert_same(case, &wire, &message);
        }
    }

    /// Two messages one after the other are one, merged: fields come again, lists are scattered, oneofs are replaced.
    #[test]
    fn scattered_messages(bytes in proptest::collection::vec(any::<u8>(), 0..600), cut in any::<u8>()) {
        for case in cases() {
            let mut choices = Choices(bytes.iter());
            let one = choices.message(&case.message, 0).encode_to_vec();
            let two = choices.message(&case.message, 0).encode_to_vec();
            let three = Choices(bytes[usize::from(cut) % (bytes.len() + 1)..].iter()).message(&case.message, 0).encode_to_vec();
            let wire = [one, b"\xfa\x7f\x01x".to_vec(), two, three].concat();
            // The type of one Any with the bytes of another is nothing that they show.
            let Some(expected) = theirs(&decoded(case, &wire), options(1)) else { continue };
            prop_assert_eq!(whole_numbers(ours(case, &wire, options(1)).unwrap()), whole_numbers(expected));
        }
    }

    /// Whatever bytes an upstream sends: JSON or an error, and what was there before stays.
    #[test]
    fn broken_messages(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        faults in proptest::collection::vec((any::<u16>(), any::<u8>()), 0..6),
        length in any::<u16>(),
    ) {
        for case in cases() {
            let mut wire = Choices(bytes.iter()).message(&case.message, 0).encode_to_vec();
            for (at, byte) in &faults {
                let length = wire.len();
                if let Some(slot) = wire.get_mut(usize::from(*at) % length.max(1)) {
                    *slot = *byte;
                }
            }
            wire.truncate(usize::from(length) % (wire.len() + 1) + wire.len() / 2);
            for wire in [wire.as_slice(), bytes.as_slice()] {
                let _ = ours(case, wire, options(0));
                for field in case.message.fields() {
                    let mut out = Vec::new();
                    let _ = case.schema.codec().wire_to_json(&case.message, Some(&field), wire, &mut out);
                    let is_json = serde_json::from_slice::<serde_json::Value>(&out).is_ok();
                    prop_assert!(out.is_empty() || is_json, "{}: {}", field.name(), String::from_utf8_lossy(&out));
                }
            }
        }
    }

    /// Whatever text a caller sends: a message or a refusal; where both read it, it is the same message.
    #[test]
    fn broken_texts(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        faults in proptest::collection::vec((any::<u16>(), proptest::sample::select(&b"{}[]:,\"\\0-e.ntau@ \x80\xff"[..])), 0..4),
        length in any::<u16>(),
    ) {
        for case in cases() {
            let message = Choices(bytes.iter()).message(&case.message, 0);
            let mut text = serde_json::to_vec(&theirs(&message, options(1)).unwrap()).unwrap();
            for (at, byte) in &faults {
                let length = text.len();
                text[usize::from(*at) % length] = *byte;
            }
            text.truncate(usize::from(length) % (text.len() + 1) + text.len() / 2);
            for unknown_ignored in [false, true] {
                let read = ReadOptions { unknown_ignored, ..ReadOptions::default() };
                let target = Target::message(&case.message);
                let Ok(wire) = case.schema.codec().json_to_wire_with(read, &target, &text) else { continue };
                let mut json = serde_json::Deserializer::from_slice(&text);
                let options = DeserializeOptions::new().deny_unknown_fields(!unknown_ignored);
                if let Ok(expected) = DynamicMessage::deserialize_with_options(case.message.clone(), &mut json, &options) {
                    assert_same(case, &wire, &expected);
                }
            }
        }
    }
}
