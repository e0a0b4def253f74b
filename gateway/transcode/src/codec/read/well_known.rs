//! Well-known types whose JSON is not an object of their fields: `Value`, `Struct`, `Any`.

use prost::Message;
use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, Value};

use crate::codec::json::{Json, Member, Node};
use crate::codec::read::{Problem, Reader};
use crate::codec::{known, scalar};

impl Reader<'_> {
    pub(crate) fn nested_value(&mut self, kind: Option<&Kind>, node: &Node<'_>) -> Result<Value, Problem> {
        match kind.and_then(Kind::as_message) {
            Some(kind) => self.json_value(kind, node).map(Value::Message),
            None => self.problem(
                node.offset,
                "the schema's google.protobuf.Value is not the well-known one",
            ),
        }
    }

    /// `google.protobuf.Value`: any JSON.
    pub(crate) fn json_value(&mut self, kind: &MessageDescriptor, node: &Node<'_>) -> Result<DynamicMessage, Problem> {
        let (name, value) = match &node.value {
            Json::Null => ("null_value", Value::EnumNumber(0)),
            Json::Bool(value) => ("bool_value", Value::Bool(*value)),
            Json::Number(text) => {
                let number = scalar::number(&Kind::Double, text);
                (
                    "number_value",
                    self.at(node, number.unwrap_or_else(|| Err("not a number".to_owned())))?,
                )
            }
            Json::String(text) => ("string_value", Value::String(text.clone().into_owned())),
            Json::Array(_) => ("list_value", self.part(kind, "list_value", node)?),
            Json::Object(_) => ("struct_value", self.part(kind, "struct_value", node)?),
        };
        let number = kind.get_field_by_name(name).map_or(0, |field| field.number());
        self.at(node, known::make(kind, [(number, value)]))
    }

    fn part(&mut self, kind: &MessageDescriptor, name: &str, node: &Node<'_>) -> Result<Value, Problem> {
        match kind.get_field_by_name(name).map(|field| field.kind()) {
            Some(Kind::Message(part)) => self.message_value(&part, node).map(Value::Message),
            _ => self.problem(
                node.offset,
                "the schema's google.protobuf.Value is not the well-known one",
            ),
        }
    }

    pub(crate) fn structure(
        &mut self,
        kind: &MessageDescriptor,
        members: &[Member<'_>],
        node: &Node<'_>,
    ) -> Result<DynamicMessage, Problem> {
        let field = kind.get_field(known::STRUCT_FIELDS).map(|field| field.kind());
        match field
            .as_ref()
            .and_then(Kind::as_message)
            .filter(|entry| entry.is_map_entry())
        {
            Some(entry) => {
                let fields = self.map(entry, members)?;
                self.at(node, known::make(kind, [(known::STRUCT_FIELDS, fields)]))
            }
            None => self.problem(
                node.offset,
                "the schema's google.protobuf.Struct is not the well-known one",
            ),
        }
    }

    /// `google.protobuf.Any`: `@type` may stand anywhere among the members.
    pub(crate) fn any(
        &mut self,
        kind: &MessageDescriptor,
        members: &[Member<'_>],
        node: &Node<'_>,
    ) -> Result<DynamicMessage, Problem> {
        if members.is_empty() {
            return Ok(DynamicMessage::new(kind.clone()));
        }
        let Some(type_member) = members.iter().find(|member| member.key == "@type") else {
            return self.problem(node.offset, "an Any needs `@type`");
        };
        let Json::String(type_url) = &type_member.node.value else {
            return self.mismatch(&type_member.node, "a string");
        };
        let name = type_url.rsplit_once('/').map_or("", |(_, name)| name);
        let Some(inner) = kind.parent_pool().get_message_by_name(name) else {
            return self.problem(
                type_member.node.offset,
                format!("unknown type {}", scalar::quote(type_url)),
            );
        };
        let rest: Vec<_> = members.iter().filter(|member| member.key != "@type").cloned().collect();
        let payload = if known::is_known(name) {
            let [Member { key, node: value, .. }] = rest.as_slice() else {
                return self.problem(node.offset, format!("an Any of {name} has `@type` and `value`"));
            };
            if key != "value" {
                return self.problem(node.offset, format!("an Any of {name} has `@type` and `value`"));
            }
            self.message_value(&inner, value)?
        } else {
            let mut payload = DynamicMessage::new(inner);
            self.members(&mut payload, &rest)?;
            payload
        };
        let fields = [
            (known::TYPE_URL, Value::String(type_url.clone().into_owned())),
            (known::ANY_VALUE, Value::Bytes(payload.encode_to_vec().into())),
        ];
        self.at(node, known::make(kind, fields))
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::check_bodies as check;

    #[test]
    fn well_known_types() {
        check(&[
            (
                r#"{"ts":"1972-01-01T10:00:20.021+02:00"}"#,
                r#"{"ts":"1972-01-01T08:00:20.021Z"}"#,
            ),
            (r#"{"ts":"9999-12-31T23:59:60Z"}"#, "ts: no such date or time"),
            (r#"{"ts":5}"#, "expected a string, found a number"),
            (r#"{"dur":"-0.5s"}"#, r#"{"dur":"-0.500s"}"#),
            (r#"{"dur":"1"}"#, "not a duration"),
            (r#"{"fm":"foo_bar,bazQux"}"#, r#"{"fm":"fooBar,bazQux"}"#),
            (
                r#"{"w_i64":"5","w_b":false,"w_by":""}"#,
                r#"{"wI64":"5","wB":false,"wBy":""}"#,
            ),
            (r#"{"w_i64":{"value":5}}"#, "expected a number, found an object"),
            (
                r#"{"st":{"payload":"Hello","n":{"x":[null,1.5]}}}"#,
                r#"{"st":{"n":{"x":[null,1.5]},"payload":"Hello"}}"#,
            ),
            (r#"{"st":{"a":1,"a":2}}"#, "duplicate key"),
            (r#"{"va":null}"#, r#"{"va":null}"#),
            (r#"{"va":[1,"a",{"x":null}]}"#, r#"{"va":[1,"a",{"x":null}]}"#),
            (r#"{"lv":["1",2]}"#, r#"{"lv":["1",2]}"#),
            (r#"{"lv":{}}"#, "expected an array"),
            (r#"{"r_va":[null,1]}"#, r#"{"rVa":[null,1]}"#),
            (r#"{"null":null}"#, "{}"),
            (r#"{"emp":{}}"#, r#"{"emp":{}}"#),
            (r#"{"emp":{"a":1}}"#, "google.protobuf.Empty has no field"),
        ]);
    }

    #[test]
    fn any() {
        let url = |name: &str| format!("type.googleapis.com/{name}");
        let duration = format!(
            r#"{{"any":{{"@type":"{}","value":"1.212s"}}}}"#,
            url("google.protobuf.Duration")
        );
        let shelf = format!(
            r#"{{"any":{{"id":"7","theme":"x","@type":"{}"}}}}"#,
            url("shapes.v1.Shelf")
        );
        let written = format!(
            r#"{{"any":{{"@type":"{}","id":"7","theme":"x"}}}}"#,
            url("shapes.v1.Shelf")
        );
        check(&[
            (&duration, &duration),
            (&shelf, &written),
            (r#"{"any":{}}"#, r#"{"any":{}}"#),
            (r#"{"any":{"id":1}}"#, "an Any needs `@type`"),
            (r#"{"any":{"@type":1}}"#, "expected a string"),
            (
                r#"{"any":{"@type":"type.googleapis.com/nobody.Knows"}}"#,
                "unknown type",
            ),
            (r#"{"any":{"@type":"shapes.v1.Shelf"}}"#, "unknown type"),
            (&shelf.replace("theme", "tehme"), "any.tehme: "),
            (&duration.replace("value", "valeu"), "has `@type` and `value`"),
        ]);
    }
}
