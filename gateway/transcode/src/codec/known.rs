//! Well-known types with a text form: timestamps, durations, field masks; and which types have a JSON form of their
//! own.

mod duration;
mod field_mask;
mod seconds;
mod timestamp;

use prost_reflect::{DynamicMessage, MessageDescriptor, Value};

pub(crate) use duration::{duration, parse_duration};
use field_mask::parse_mask;
pub(crate) use field_mask::{is_plain_path, parse_json_mask, put_camel};
pub(crate) use timestamp::{parse_timestamp, timestamp};

pub(crate) const ANY: &str = "google.protobuf.Any";
pub(crate) const TIMESTAMP: &str = "google.protobuf.Timestamp";
pub(crate) const DURATION: &str = "google.protobuf.Duration";
pub(crate) const FIELD_MASK: &str = "google.protobuf.FieldMask";
pub(crate) const STRUCT: &str = "google.protobuf.Struct";
pub(crate) const VALUE: &str = "google.protobuf.Value";
pub(crate) const LIST: &str = "google.protobuf.ListValue";
pub(crate) const EMPTY: &str = "google.protobuf.Empty";
pub(crate) const NULL: &str = "google.protobuf.NullValue";

/// Field numbers: of `Timestamp` and `Duration`, `FieldMask`, the wrappers, `Any`, `Value`.
pub(crate) const SECONDS: u32 = 1;
pub(crate) const NANOS: u32 = 2;
pub(crate) const PATHS: u32 = 1;
pub(crate) const WRAPPED: u32 = 1;
pub(crate) const TYPE_URL: u32 = 1;
pub(crate) const ANY_VALUE: u32 = 2;
pub(crate) const VALUE_NULL: u32 = 1;
pub(crate) const VALUE_NUMBER: u32 = 2;
pub(crate) const VALUE_STRING: u32 = 3;
pub(crate) const VALUE_BOOL: u32 = 4;
pub(crate) const VALUE_STRUCT: u32 = 5;
pub(crate) const VALUE_LIST: u32 = 6;

/// Field numbers of a map's entry.
pub(crate) const ENTRY_KEY: u32 = 1;
pub(crate) const ENTRY_VALUE: u32 = 2;

/// Tags of the same: varints are 0, strings, bytes and messages 2.
pub(crate) const SECONDS_TAG: u8 = 1 << 3;
pub(crate) const NANOS_TAG: u8 = 2 << 3;
pub(crate) const PATHS_TAG: u8 = 1 << 3 | 2;
pub(crate) const TYPE_URL_TAG: u8 = 1 << 3 | 2;
pub(crate) const ANY_VALUE_TAG: u8 = 2 << 3 | 2;

/// Whether a message is one bare value in JSON.
pub(crate) fn is_wrapper(full_name: &str) -> bool {
    matches!(
        full_name.strip_prefix("google.protobuf."),
        Some(
            "DoubleValue"
                | "FloatValue"
                | "Int64Value"
                | "UInt64Value"
                | "Int32Value"
                | "UInt32Value"
                | "BoolValue"
                | "StringValue"
                | "BytesValue"
        )
    )
}

/// Whether one text can hold the message, in a path or a query.
pub(crate) fn is_text(full_name: &str) -> bool {
    matches!(full_name, TIMESTAMP | DURATION | FIELD_MASK) || is_wrapper(full_name)
}

/// Whether the message has a JSON form of its own; in an `Any` that form stands under `value`.
pub(crate) fn is_known(full_name: &str) -> bool {
    matches!(full_name, ANY | STRUCT | VALUE | LIST | EMPTY) || is_text(full_name)
}

/// A new message with these fields. Fails only where a schema has redefined a well-known type.
pub(crate) fn make(
    kind: &MessageDescriptor,
    fields: impl IntoIterator<Item = (u32, Value)>,
) -> Result<DynamicMessage, String> {
    let mut message = DynamicMessage::new(kind.clone());
    for (number, value) in fields {
        message
            .try_set_field_by_number(number, value)
            .map_err(|_| format!("the schema's {} is not the well-known one", kind.full_name()))?;
    }
    Ok(message)
}

/// A timestamp, duration or field mask from its text; `None` for other types.
pub(crate) fn from_text(kind: &MessageDescriptor, text: &str) -> Option<Result<DynamicMessage, String>> {
    let time = |parsed: Result<(i64, i32), String>| {
        let (seconds, nanos) = parsed?;
        make(kind, [(SECONDS, Value::I64(seconds)), (NANOS, Value::I32(nanos))])
    };
    match kind.full_name() {
        TIMESTAMP => Some(time(parse_timestamp(text.as_bytes()))),
        DURATION => Some(time(parse_duration(text))),
        FIELD_MASK => Some(parse_mask(text).and_then(|paths| {
            let paths = paths.into_iter().map(Value::String).collect();
            make(kind, [(PATHS, Value::List(paths))])
        })),
        _ => None,
    }
}
