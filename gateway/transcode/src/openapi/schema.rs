//! Messages and enums as JSON Schema (2020-12), collected while operations refer to them.

use std::collections::BTreeMap;

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, Value as Reflected};
use serde_json::{Map, Value, json};

use crate::codec::known;
use crate::openapi::comment::Comments;
use crate::openapi::{describe, is_deprecated};
use crate::options;
use crate::schema::Schema;

/// Numbers of `google.api.FieldBehavior`.
const REQUIRED: i32 = 2;
const OUTPUT_ONLY: i32 = 3;
const INPUT_ONLY: i32 = 4;

/// Schemas that something refers to, by full name.
pub(crate) struct Schemas<'c> {
    pub(super) comments: &'c Comments,
    named: BTreeMap<String, Value>,
}

impl<'c> Schemas<'c> {
    pub(crate) fn new(comments: &'c Comments) -> Self {
        Self {
            comments,
            named: BTreeMap::new(),
        }
    }

    /// A reference to a message, or the schema of a well-known type.
    pub(crate) fn message(&mut self, kind: &MessageDescriptor) -> Value {
        let name = kind.full_name();
        if let Some(schema) = self.well_known(kind) {
            return schema;
        }
        if !self.named.contains_key(name) {
            // Taken before it is filled in, for messages that hold themselves.
            self.named.insert(name.to_owned(), Value::Null);
            let schema = self.object(kind);
            self.named.insert(name.to_owned(), schema);
        }
        reference(name)
    }

    fn object(&mut self, kind: &MessageDescriptor) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for field in kind.fields() {
            if behaviors(&field).contains(&REQUIRED) {
                required.push(json!(field.json_name()));
            }
            properties.insert(field.json_name().to_owned(), self.field(&field));
        }
        let mut schema = Map::from_iter([
            ("type".to_owned(), json!("object")),
            ("properties".to_owned(), Value::Object(properties)),
        ]);
        let mut text: Vec<String> = self
            .comments
            .get(&kind.parent_file(), kind.path())
            .map(str::to_owned)
            .into_iter()
            .collect();
        for oneof in kind.oneofs().filter(|oneof| !oneof.is_synthetic()) {
            let names: Vec<_> = oneof.fields().map(|field| format!("`{}`", field.json_name())).collect();
            text.push(format!("At most one of {} is set.", names.join(", ")));
        }
        describe(&mut schema, Some(&text.join("\n\n")));
        if !required.is_empty() {
            schema.insert("required".to_owned(), Value::Array(required));
        }
        Value::Object(schema)
    }

    /// What a PATCH of the resource in a field may hold: any of its fields, none of them required.
    pub(crate) fn changes(&mut self, field: &FieldDescriptor) -> Value {
        let Kind::Message(kind) = field.kind() else {
            return self.field(field);
        };
        if field.is_list() || field.is_map() || known::is_known(kind.full_name()) {
            return self.field(field);
        }
        let name = format!("{}.Changes", kind.full_name());
        if !self.named.contains_key(&name) {
            let mut schema = self.object(&kind);
            if let Value::Object(schema) = &mut schema {
                schema.shift_remove("required");
                let about = format!(
                    "Changes of a `{}`. What is absent stays as it is, `null` clears. The mask names the fields to change; \
                     left out, it names those that the body holds.",
                    kind.name()
                );
                describe(schema, Some(&about));
            }
            self.named.insert(name.clone(), schema);
        }
        reference(&name)
    }

    /// The schema of a field with its comment and behavior.
    pub(crate) fn field(&mut self, field: &FieldDescriptor) -> Value {
        let mut schema = self.bare_field(field);
        let behaviors = behaviors(field);
        if let Value::Object(schema) = &mut schema {
            describe(
                schema,
                self.comments.get(&field.parent_message().parent_file(), field.path()),
            );
            if behaviors.contains(&OUTPUT_ONLY) {
                schema.insert("readOnly".to_owned(), json!(true));
            }
            if behaviors.contains(&INPUT_ONLY) {
                schema.insert("writeOnly".to_owned(), json!(true));
            }
            if is_deprecated(&field.options()) {
                schema.insert("deprecated".to_owned(), json!(true));
            }
        }
        schema
    }

    /// The schema of a field's values.
    pub(crate) fn bare_field(&mut self, field: &FieldDescriptor) -> Value {
        let value = self.kind(&crate::query::element_kind(field));
        if field.is_map() {
            json!({"type": "object", "additionalProperties": value})
        } else if field.is_list() {
            json!({"type": "array", "items": value})
        } else {
            value
        }
    }

    fn kind(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::Bool => json!({"type": "boolean"}),
            Kind::String => json!({"type": "string"}),
            Kind::Bytes => json!({"type": "string", "contentEncoding": "base64"}),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => json!({"type": "integer", "format": "int32"}),
            Kind::Uint32 | Kind::Fixed32 => json!({"type": "integer", "minimum": 0, "maximum": u32::MAX}),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => json!({"type": "string", "format": "int64"}),
            Kind::Uint64 | Kind::Fixed64 => json!({"type": "string", "format": "uint64"}),
            Kind::Float => json!({"type": "number", "format": "float"}),
            Kind::Double => json!({"type": "number", "format": "double"}),
            Kind::Message(message) => self.message(message),
            Kind::Enum(kind) => self.enumeration(kind),
        }
    }

    fn enumeration(&mut self, kind: &EnumDescriptor) -> Value {
        let name = kind.full_name();
        if name == known::NULL {
            return json!({"type": "null"});
        }
        if !self.named.contains_key(name) {
            let comments = self.comments;
            let comment = |path: &[i32]| comments.get(&kind.parent_file(), path);
            let values: Vec<_> = kind.values().map(|value| json!(value.name())).collect();
            let lines = kind
                .values()
                .filter_map(|value| Some(format!("- `{}`: {}", value.name(), comment(value.path())?)));
            let lines = lines.collect::<Vec<_>>().join("\n");
            let text: Vec<_> = comment(kind.path()).into_iter().chain(Some(lines.as_str())).collect();
            let mut schema = Map::from_iter([
                ("type".to_owned(), json!("string")),
                ("enum".to_owned(), Value::Array(values)),
            ]);
            describe(&mut schema, Some(text.join("\n\n").trim()));
            self.named.insert(name.to_owned(), Value::Object(schema));
        }
        reference(name)
    }

    fn well_known(&mut self, kind: &MessageDescriptor) -> Option<Value> {
        let name = kind.full_name();
        Some(match name {
            known::TIMESTAMP => json!({"type": "string", "format": "date-time"}),
            known::DURATION => json!({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$"}),
            known::FIELD_MASK => {
                json!({"type": "string", "description": "Field paths in lowerCamelCase, joined by commas."})
            }
            known::STRUCT => json!({"type": "object", "additionalProperties": true}),
            known::VALUE => json!({}),
            known::LIST => json!({"type": "array", "items": {}}),
            known::EMPTY => json!({"type": "object", "properties": {}}),
            known::ANY => {
                json!({"type": "object", "properties": {"@type": {"type": "string"}}, "additionalProperties": true})
            }
            _ if known::is_wrapper(name) => {
                let inner = self.kind(&kind.get_field(known::WRAPPED)?.kind());
                json!({"oneOf": [inner, {"type": "null"}]})
            }
            _ => return None,
        })
    }

    /// All schemas, with the two of a failure.
    pub(crate) fn finish(mut self, schema: &Schema) -> Value {
        let about = |doc: &str| {
            if doc.is_empty() {
                String::new()
            } else {
                format!(": {doc}")
            }
        };
        let reasons: Vec<_> = schema
            .reasons()
            .map(|(domain, reason, info)| format!("- `{domain}/{reason}`{}", about(&info.doc)))
            .collect();
        let catalogue = if reasons.is_empty() {
            String::new()
        } else {
            format!("\n\nReasons:\n\n{}", reasons.join("\n"))
        };
        let error = json!({
            "type": "object",
            "description": format!("`google.rpc.Status`: `details` holds an `ErrorInfo` with domain and reason.{catalogue}"),
            "properties": {
                "code": {"type": "integer", "format": "int32", "description": "The number of a gRPC code."},
                "message": {"type": "string", "description": "What went wrong, for people."},
                "details": {"type": "array", "items": {
                    "type": "object", "properties": {"@type": {"type": "string"}}, "additionalProperties": true,
                }},
            },
            "required": ["code", "message", "details"],
        });
        let problem = json!({
            "type": "object",
            "description": "A problem document (RFC 9457), for `Accept: application/problem+json`.",
            "properties": {
                "type": {"type": "string"},
                "title": {"type": "string"},
                "status": {"type": "integer", "description": "The HTTP status."},
                "detail": {"type": "string", "description": "What went wrong, for people."},
                "instance": {"type": "string", "description": "The request id."},
                "code": {"type": "string", "description": "The name of a gRPC code."},
                "reason": {"type": "string"},
                "domain": {"type": "string"},
                "violations": {"type": "array", "items": {
                    "type": "object",
                    "properties": {"field": {"type": "string"}, "description": {"type": "string"}},
                }},
            },
            "required": ["type", "title", "status", "detail", "code"],
        });
        self.named.insert("Error".to_owned(), error);
        self.named.insert("Problem".to_owned(), problem);
        Value::Object(self.named.into_iter().collect())
    }
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// `(google.api.field_behavior)` of a field.
fn behaviors(field: &FieldDescriptor) -> Vec<i32> {
    let declared = field.options();
    let value = options::get(&declared, "google.api.field_behavior");
    let list = value.and_then(|value| value.as_list()).unwrap_or_default();
    list.iter().filter_map(Reflected::as_enum_number).collect()
}
