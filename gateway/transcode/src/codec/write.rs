//! A dynamic message as ProtoJSON. The same message is always the same bytes: fields by number, map entries by key.

use prost_reflect::{
    DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage, Value,
};

use crate::codec::{RenderError, known, scalar};

/// Writes JSON at the end of a buffer.
pub(crate) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    defaults_omitted: bool,
}

impl<'o> Writer<'o> {
    pub(crate) fn new(out: &'o mut Vec<u8>, defaults_omitted: bool) -> Self {
        Self { out, defaults_omitted }
    }

    fn put(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// `"key":`, after a comma if it is not the first.
    fn key(&mut self, first: &mut bool, key: &str) {
        if !std::mem::take(first) {
            self.put(",");
        }
        self.string(key);
        self.put(":");
    }

    fn string(&mut self, text: &str) {
        self.put("\"");
        let mut run = 0;
        for (at, letter) in text.char_indices() {
            // U+2028 and U+2029 are legal in JSON, but end a line in old JavaScript.
            let escape = match letter {
                '"' => "\\\"".to_owned(),
                '\\' => "\\\\".to_owned(),
                '\n' => "\\n".to_owned(),
                '\r' => "\\r".to_owned(),
                '\t' => "\\t".to_owned(),
                '\0'..='\u{1f}' | '\u{7f}' | '\u{2028}' | '\u{2029}' => format!("\\u{:04x}", u32::from(letter)),
                _ => continue,
            };
            self.put(&text[run..at]);
            self.put(&escape);
            run = at + letter.len_utf8();
        }
        self.put(&text[run..]);
        self.put("\"");
    }

    /// The value of one field instead of the whole message; what is unset shows as the empty value of its type.
    pub(crate) fn response_field(
        &mut self,
        message: &DynamicMessage,
        field: &FieldDescriptor,
    ) -> Result<(), RenderError> {
        let unset = match field.kind() {
            Kind::Message(_) if field.is_list() || field.is_map() || message.has_field(field) => None,
            Kind::Message(kind) if kind.full_name() == known::LIST => Some("[]"),
            Kind::Message(kind) if kind.full_name() == known::VALUE || known::is_text(kind.full_name()) => Some("null"),
            Kind::Message(_) => Some("{}"),
            _ => None,
        };
        match unset {
            Some(text) => {
                self.put(text);
                Ok(())
            }
            None => self.field_value(&field.kind(), &message.get_field(field)),
        }
    }

    pub(crate) fn message(&mut self, message: &DynamicMessage) -> Result<(), RenderError> {
        let kind = message.descriptor();
        if known::is_known(kind.full_name()) {
            return self.known(&kind, message);
        }
        self.put("{");
        let mut first = true;
        self.fields(message, &kind, &mut first)?;
        self.put("}");
        Ok(())
    }

    fn fields(
        &mut self,
        message: &DynamicMessage,
        kind: &MessageDescriptor,
        first: &mut bool,
    ) -> Result<(), RenderError> {
        for field in kind.fields() {
            let is_shown = message.has_field(&field) || !(self.defaults_omitted || field.supports_presence());
            if is_shown {
                self.key(first, field.json_name());
                self.field_value(&field.kind(), &message.get_field(&field))?;
            }
        }
        for (extension, value) in message.extensions() {
            self.key(first, extension.json_name());
            self.field_value(&extension.kind(), value)?;
        }
        Ok(())
    }

    fn field_value(&mut self, kind: &Kind, value: &Value) -> Result<(), RenderError> {
        match value {
            Value::List(elements) => {
                self.put("[");
                for (index, element) in elements.iter().enumerate() {
                    if index > 0 {
                        self.put(",");
                    }
                    self.single(kind, element)?;
                }
                self.put("]");
                Ok(())
            }
            Value::Map(entries) => {
                let value_kind = match kind {
                    Kind::Message(entry) if entry.is_map_entry() => entry.map_entry_value_field().kind(),
                    other => other.clone(),
                };
                let mut sorted: Vec<_> = entries.iter().collect();
                sorted.sort_by_key(|(key, _)| *key);
                self.put("{");
                let mut first = true;
                for (key, value) in sorted {
                    self.key(&mut first, &key_text(key));
                    self.single(&value_kind, value)?;
                }
                self.put("}");
                Ok(())
            }
            single => self.single(kind, single),
        }
    }

    fn single(&mut self, kind: &Kind, value: &Value) -> Result<(), RenderError> {
        match value {
            Value::Bool(value) => self.put(if *value { "true" } else { "false" }),
            Value::I32(value) => self.put(&value.to_string()),
            Value::U32(value) => self.put(&value.to_string()),
            // 64 bits do not fit the numbers of JavaScript.
            Value::I64(value) => self.put(&format!("\"{value}\"")),
            Value::U64(value) => self.put(&format!("\"{value}\"")),
            Value::F32(value) => self.float(f64::from(*value), serde_json::to_string(value)),
            Value::F64(value) => self.float(*value, serde_json::to_string(value)),
            Value::String(text) => self.string(text),
            Value::Bytes(bytes) => self.put(&format!("\"{}\"", scalar::base64(bytes))),
            Value::EnumNumber(number) => match kind {
                Kind::Enum(kind) => self.enum_value(kind, *number),
                _ => self.put(&number.to_string()),
            },
            Value::Message(message) => return self.message(message),
            // Neither holds the other or itself.
            Value::List(_) | Value::Map(_) => {}
        }
        Ok(())
    }

    fn float(&mut self, value: f64, text: Result<String, serde_json::Error>) {
        match text {
            Ok(text) if value.is_finite() => self.put(text.strip_suffix(".0").unwrap_or(&text)),
            _ if value.is_nan() => self.put("\"NaN\""),
            _ if value > 0.0 => self.put("\"Infinity\""),
            _ => self.put("\"-Infinity\""),
        }
    }

    fn enum_value(&mut self, kind: &EnumDescriptor, number: i32) {
        if kind.full_name() == known::NULL {
            return self.put("null");
        }
        match kind.get_value(number) {
            Some(value) => self.string(value.name()),
            None => self.put(&number.to_string()),
        }
    }

    fn known(&mut self, kind: &MessageDescriptor, message: &DynamicMessage) -> Result<(), RenderError> {
        let name = kind.full_name();
        let no_form = || RenderError::NoForm {
            message: name.to_owned(),
        };
        match name {
            known::TIMESTAMP | known::DURATION => {
                let (seconds, nanos) = (i64_of(message, known::SECONDS), i32_of(message, known::NANOS));
                let format = if name == known::TIMESTAMP {
                    known::format_timestamp
                } else {
                    known::format_duration
                };
                let text = format(seconds, nanos).ok_or_else(no_form)?;
                self.string(&text);
            }
            known::FIELD_MASK => {
                let paths = message.get_field_by_number(known::PATHS);
                let paths = paths.as_ref().and_then(|paths| paths.as_list()).unwrap_or_default();
                let camel = paths
                    .iter()
                    .map(|path| known::to_camel(path.as_str()?))
                    .collect::<Option<Vec<_>>>();
                self.string(&camel.ok_or_else(no_form)?.join(","));
            }
            known::EMPTY => self.put("{}"),
            known::ANY => return self.any(message),
            known::VALUE => return self.json_value(message),
            // Struct and ListValue have one field, which is the value; so have the wrappers.
            _ => {
                let field = kind.get_field(known::WRAPPED).ok_or_else(no_form)?;
                return self.field_value(&field.kind(), &message.get_field(&field));
            }
        }
        Ok(())
    }

    fn json_value(&mut self, message: &DynamicMessage) -> Result<(), RenderError> {
        let Some((field, value)) = message.fields().next() else {
            self.put("null");
            return Ok(());
        };
        match value {
            Value::EnumNumber(_) => self.put("null"),
            // JSON has no other numbers, and a string would be another value.
            Value::F64(number) if !number.is_finite() => {
                return Err(RenderError::NoForm {
                    message: known::VALUE.to_owned(),
                });
            }
            value => return self.field_value(&field.kind(), value),
        }
        Ok(())
    }

    /// An Any of a type that the schema lacks, or that does not decode, is shown as it is: its bytes in base64.
    fn any(&mut self, message: &DynamicMessage) -> Result<(), RenderError> {
        let type_url = message.get_field_by_number(known::TYPE_URL);
        let type_url = type_url.as_ref().and_then(|url| url.as_str()).unwrap_or_default();
        let bytes = message.get_field_by_number(known::ANY_VALUE);
        let bytes = bytes
            .as_ref()
            .and_then(|bytes| bytes.as_bytes())
            .cloned()
            .unwrap_or_default();
        if type_url.is_empty() && bytes.is_empty() {
            self.put("{}");
            return Ok(());
        }
        let name = type_url.rsplit_once('/').map_or("", |(_, name)| name);
        let kind = message.descriptor().parent_pool().get_message_by_name(name);
        let payload = kind.and_then(|kind| DynamicMessage::decode(kind, bytes.clone()).ok());

        let mut first = true;
        self.put("{");
        self.key(&mut first, "@type");
        self.string(type_url);
        match &payload {
            Some(payload) if known::is_known(name) => {
                self.key(&mut first, "value");
                self.message(payload)?;
            }
            Some(payload) => self.fields(payload, &payload.descriptor(), &mut first)?,
            None => {
                self.key(&mut first, "value");
                self.string(&scalar::base64(&bytes));
            }
        }
        self.put("}");
        Ok(())
    }
}

fn i64_of(message: &DynamicMessage, number: u32) -> i64 {
    message
        .get_field_by_number(number)
        .and_then(|value| value.as_i64())
        .unwrap_or_default()
}

fn i32_of(message: &DynamicMessage, number: u32) -> i32 {
    message
        .get_field_by_number(number)
        .and_then(|value| value.as_i32())
        .unwrap_or_default()
}

fn key_text(key: &MapKey) -> String {
    match key {
        MapKey::Bool(key) => key.to_string(),
        MapKey::I32(key) => key.to_string(),
        MapKey::I64(key) => key.to_string(),
        MapKey::U32(key) => key.to_string(),
        MapKey::U64(key) => key.to_string(),
        MapKey::String(key) => key.clone(),
    }
}

#[cfg(test)]
mod tests {
    use crate::codec::RenderError;
    use crate::fixture::{load, load_with, rule};
    use crate::load::Options;
    use crate::schema::Schema;

    fn rendered(schema: &Schema, wire: &[u8]) -> Result<String, RenderError> {
        let mut out = Vec::new();
        schema.find("GET", "/sink").unwrap().render(wire, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn sparse() -> Schema {
        let rules = vec![rule("Shapes.Sink", "GET /sink", "")];
        load_with(Options {
            rules,
            json_defaults_omitted: true,
            ..Options::default()
        })
        .unwrap()
    }

    #[test]
    fn defaults_are_shown_and_unset_messages_are_not() {
        let schema = load(vec![rule("Shapes.Sink", "GET /sink", "")]).unwrap();
        let expected = concat!(
            r#"{"i32":0,"i64":"0","u32":0,"u64":"0","f32":0,"f64":0,"b":false,"s":"","by":"","k":"KIND_UNSPECIFIED","#,
            r#""rS":[],"rI32":[],"rK":[],"rM":[],"mSs":{},"mI32s":{},"mBs":{},"mSm":{},"Fancy":"","null":null,"rVa":[]}"#,
        );
        assert_eq!(rendered(&schema, b"").unwrap(), expected);
        assert_eq!(rendered(&sparse(), b"").unwrap(), "{}");
    }

    #[test]
    fn wire_forms() {
        let schema = sparse();
        for (wire, expected) in [
            // Elements of a repeated field between others, packed and unpacked.
            (&b"\x5a\x01a\x08\x01\x5a\x01b"[..], r#"{"i32":1,"rS":["a","b"]}"#),
            (b"\x60\x01\x62\x02\x02\x03\x60\x04", r#"{"rI32":[1,2,3,4]}"#),
            // A scalar twice: the last one. A message twice: merged.
            (b"\x08\x01\x08\x02", r#"{"i32":2}"#),
            (
                b"\xa2\x02\x02\x08\x01\xa2\x02\x03\x42\x01x",
                r#"{"nested":{"i32":1,"s":"x"}}"#,
            ),
            // Map entries without key or value; the same key twice.
            (b"\x7a\x00", r#"{"mSs":{"":""}}"#),
            (b"\x92\x01\x03\x0a\x01k", r#"{"mSm":{"k":{}}}"#),
            (
                b"\x7a\x06\x0a\x01k\x12\x01a\x7a\x06\x0a\x01k\x12\x01b",
                r#"{"mSs":{"k":"b"}}"#,
            ),
            // An enum value and a field that the schema lacks.
            (b"\x50\x63", r#"{"k":99}"#),
            (b"\xfa\x7f\x01x", "{}"),
            // Null as an enum, and a Value that says nothing.
            (b"\xe2\x01\x00", r#"{"va":null}"#),
        ] {
            assert_eq!(rendered(&schema, wire).unwrap(), expected, "{wire:02x?}");
        }
    }

    #[test]
    fn strings_are_safe() {
        let text = "a\"\\/<>&\u{0}\u{1f}\u{7f}\u{2028}\n\u{1f600}";
        let mut wire = vec![0x42, text.len() as u8];
        wire.extend_from_slice(text.as_bytes());
        let json = rendered(&sparse(), &wire).unwrap();
        assert_eq!(
            json,
            "{\"s\":\"a\\\"\\\\/<>&\\u0000\\u001f\\u007f\\u2028\\n\u{1f600}\"}"
        );
        let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(parsed["s"], text);
    }

    #[test]
    fn an_any_that_nobody_knows_is_shown_as_it_is() {
        let schema = sparse();
        let any = |url: &str, value: &[u8]| {
            let inner = [
                &[0x0a, url.len() as u8],
                url.as_bytes(),
                &[0x12, value.len() as u8],
                value,
            ]
            .concat();
            [&[0xf2, 0x01, inner.len() as u8], inner.as_slice()].concat()
        };
        for (url, value, expected) in [
            (
                "a/nobody.Knows",
                &[1, 2, 3][..],
                r#"{"any":{"@type":"a/nobody.Knows","value":"AQID"}}"#,
            ),
            (
                "a/shapes.v1.Shelf",
                &[0xff],
                r#"{"any":{"@type":"a/shapes.v1.Shelf","value":"/w=="}}"#,
            ),
            (
                "a/shapes.v1.Shelf",
                &[8, 1],
                r#"{"any":{"@type":"a/shapes.v1.Shelf","id":"1"}}"#,
            ),
            (
                "a/google.protobuf.Int32Value",
                &[8, 1],
                r#"{"any":{"@type":"a/google.protobuf.Int32Value","value":1}}"#,
            ),
            ("", &[], r#"{"any":{}}"#),
        ] {
            assert_eq!(rendered(&schema, &any(url, value)).unwrap(), expected);
        }
    }

    #[test]
    fn what_has_no_form_is_an_error() {
        let schema = sparse();
        for wire in [
            // Truncated, not UTF-8, a timestamp after 9999, a duration with two signs, NaN in a Value, a mask that is none.
            &b"\x08"[..],
            b"\x42\x01\xff",
            b"\xc2\x01\x07\x08\x80\x80\x80\x80\x80\x20",
            b"\xca\x01\x0d\x08\x01\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\xe2\x01\x09\x11\x00\x00\x00\x00\x00\x00\xf8\x7f",
            b"\xd2\x01\x05\x0a\x03a_1",
        ] {
            assert!(rendered(&schema, wire).is_err(), "{wire:02x?}");
        }
    }

    proptest::proptest! {
        /// Whatever bytes an upstream sends: JSON or an error.
        #[test]
        fn bytes_never_panic(wire in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..64)) {
            thread_local!(static SCHEMA: Schema = sparse());
            SCHEMA.with(|schema| {
                if let Ok(json) = rendered(schema, &wire) {
                    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
                }
            });
        }
    }
}
