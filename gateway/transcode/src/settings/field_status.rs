//! `status_by_field`: the HTTP status of a success that is none to whoever asked, as a health check's `NOT_SERVING`.

use std::fmt;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};

/// A field of an answer, one of its values, and the HTTP status of the answers that have it. The body stays the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldStatus {
    /// The field's name in the schema: one of the answer's own that holds an enum, a bool, a whole number or text.
    pub field: String,
    /// The value: an enum value's name, `true` or `false`, a number, or the text.
    pub value: String,
    /// The status: 200 to 599, but none without a body.
    pub status: u16,
}

impl FieldStatus {
    /// Reads `FIELD=VALUE:STATUS`, as in `status=NOT_SERVING:503`.
    pub fn parse(text: &str) -> Option<Self> {
        let (field, rest) = text.split_once('=')?;
        let (value, status) = rest.rsplit_once(':')?;
        let status = status.parse().ok()?;
        let has_body = (200..600).contains(&status) && !(300..400).contains(&status) && !matches!(status, 204 | 205);
        (has_body && !field.is_empty()).then(|| Self {
            field: field.to_owned(),
            value: value.to_owned(),
            status,
        })
    }
}

impl fmt::Display for FieldStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}:{}", self.field, self.value, self.status)
    }
}

/// The same for one message.
#[derive(Debug, Clone)]
pub(crate) struct ByField {
    field: FieldDescriptor,
    value: String,
    pub(crate) status: u16,
}

impl ByField {
    /// Finds the field.
    ///
    /// # Errors
    /// Why there is none, as the end of a sentence that began with the setting.
    pub(crate) fn of(output: &MessageDescriptor, setting: &FieldStatus) -> Result<Self, String> {
        let FieldStatus { field, value, status } = setting;
        let message = output.full_name();
        let found = output.get_field_by_name(field);
        let found = found.ok_or_else(|| format!("{message} has no field `{field}`"))?;
        let is_value = match found.kind() {
            _ if found.is_list() || found.is_map() => false,
            Kind::Enum(of) => of.values().any(|known| known.name() == value),
            Kind::Bool => ["true", "false"].contains(&value.as_str()),
            Kind::String => true,
            Kind::Message(_) | Kind::Bytes | Kind::Float | Kind::Double => false,
            _ => value.parse::<i128>().is_ok_and(|number| number.to_string() == *value),
        };
        if !is_value {
            return Err(format!("`{field}` of {message} cannot be `{value}`"));
        }
        Ok(Self {
            field: found,
            value: value.clone(),
            status: *status,
        })
    }

    fn matches(&self, message: &DynamicMessage) -> bool {
        let text = match message.get_field(&self.field).as_ref() {
            Value::String(text) => return *text == self.value,
            Value::Bool(is) => is.to_string(),
            Value::I32(number) => number.to_string(),
            Value::I64(number) => number.to_string(),
            Value::U32(number) => number.to_string(),
            Value::U64(number) => number.to_string(),
            Value::EnumNumber(number) => match self.field.kind() {
                Kind::Enum(of) => return of.values().any(|v| v.number() == *number && v.name() == self.value),
                _ => return false,
            },
            _ => return false,
        };
        text == self.value
    }
}

/// The status of the first that holds for an answer.
pub(crate) fn status_of(by_field: &[ByField], output: MessageDescriptor, message: &[u8]) -> Option<u16> {
    let message = DynamicMessage::decode(output, message).ok()?;
    by_field.iter().find(|by| by.matches(&message)).map(|by| by.status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_names_a_field_a_value_and_a_status_with_a_body() {
        let read = |text: &str| FieldStatus::parse(text).map(|read| (read.field, read.value, read.status));
        let of = |field: &str, value: &str, status| Some((field.to_owned(), value.to_owned(), status));
        for (text, expected) in [
            ("status=NOT_SERVING:503", of("status", "NOT_SERVING", 503)),
            ("done=false:202", of("done", "false", 202)),
            ("text=a=b:c:400", of("text", "a=b:c", 400)),
            ("text=:404", of("text", "", 404)),
            ("status=X", None),
            ("=X:503", None),
            ("status:503", None),
            ("status=X:soon", None),
            ("status=X:199", None),
            ("status=X:204", None),
            ("status=X:205", None),
            ("status=X:304", None),
            ("status=X:600", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
