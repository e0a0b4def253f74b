//! JSON into a dynamic message, by descriptor, with the path and the place of whatever is wrong.

mod well_known;

use std::collections::HashMap;
use std::fmt::Write;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};

use crate::codec::json::{Json, Member, Node, SyntaxError};
use crate::codec::{Claim, known, scalar};
use crate::suggest;

/// What is wrong in a body, where, and under which field.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) offset: usize,
    pub(crate) field: String,
    pub(crate) text: String,
}

impl From<SyntaxError> for Problem {
    fn from(error: SyntaxError) -> Self {
        Self {
            offset: error.offset,
            field: String::new(),
            text: error.problem,
        }
    }
}

/// Reads one body.
pub(crate) struct Reader<'a> {
    unknown_ignored: bool,
    claims: Vec<&'a Claim>,
    /// From the request message to the value at hand.
    path: Vec<Step>,
}

enum Step {
    Field(FieldDescriptor),
    Index(usize),
    Key(String),
}

impl<'a> Reader<'a> {
    pub(crate) fn new(unknown_ignored: bool, claims: Vec<&'a Claim>) -> Self {
        Self {
            unknown_ignored,
            claims,
            path: Vec::new(),
        }
    }

    fn problem<T>(&self, offset: usize, text: impl Into<String>) -> Result<T, Problem> {
        Err(Problem {
            offset,
            field: self.path_text(None),
            text: text.into(),
        })
    }

    /// As `lines[3].labels["a"].name`.
    fn path_text(&self, last: Option<&str>) -> String {
        let mut text = String::new();
        for step in &self.path {
            let dot = if text.is_empty() { "" } else { "." };
            // Writing to a string cannot fail.
            let _ = match step {
                Step::Field(field) => write!(text, "{dot}{}", field.name()),
                Step::Index(index) => write!(text, "[{index}]"),
                Step::Key(key) => write!(text, "[{key:?}]"),
            };
        }
        match last {
            Some(name) if text.is_empty() => name.to_owned(),
            Some(name) => text + "." + name,
            None => text,
        }
    }

    /// The expected kind of value is not there.
    fn mismatch<T>(&self, node: &Node<'_>, expected: &str) -> Result<T, Problem> {
        self.problem(node.offset, format!("expected {expected}, found {}", node.value.name()))
    }

    fn at<T>(&self, node: &Node<'_>, result: Result<T, String>) -> Result<T, Problem> {
        result.or_else(|text| self.problem(node.offset, text))
    }

    /// Reads `node` into a message at the top: a whole body.
    pub(crate) fn message(&mut self, message: &mut DynamicMessage, node: &Node<'_>) -> Result<(), Problem> {
        *message = self.message_value(&message_kind(message), node)?;
        Ok(())
    }

    fn members(&mut self, message: &mut DynamicMessage, members: &[Member<'_>]) -> Result<(), Problem> {
        let kind = message_kind(message);
        let mut seen: Vec<u32> = Vec::with_capacity(members.len());
        for member in members {
            let Member { key, key_offset, node } = member;
            let found = kind.get_field_by_json_name(key).or_else(|| kind.get_field_by_name(key));
            let Some(field) = found else {
                self.extension_or_unknown(message, &kind, member)?;
                continue;
            };
            // Equal spellings never come here, so the list stays short: at most two per field.
            if seen.contains(&field.number()) {
                let text = format!("duplicate key {key:?}: the field is given before by its other name");
                return Err(Problem {
                    offset: *key_offset,
                    field: self.path_text(Some(field.name())),
                    text,
                });
            }
            seen.push(field.number());
            self.field(message, &field, node)?;
        }
        self.required(message, &kind, members)
    }

    fn extension_or_unknown(
        &mut self,
        message: &mut DynamicMessage,
        kind: &MessageDescriptor,
        member: &Member<'_>,
    ) -> Result<(), Problem> {
        if let Some(extension) = kind.get_extension_by_json_name(&member.key) {
            if member.node.value != Json::Null {
                let value = self.value_of(&extension.kind(), extension.is_list(), extension.is_map(), &member.node)?;
                message.set_extension(&extension, value);
            }
            return Ok(());
        }
        if self.unknown_ignored {
            return Ok(());
        }
        let fields: Vec<_> = kind.fields().collect();
        let names = fields.iter().map(FieldDescriptor::json_name);
        let hint = suggest::nearest(&member.key, names).map(|hint| format!("; did you mean `{hint}`?"));
        let text = format!(
            "{} has no field {}{} (setting json.unknown = \"ignore\" drops unknown fields)",
            kind.full_name(),
            scalar::quote(&member.key),
            hint.unwrap_or_default()
        );
        Err(Problem {
            offset: member.key_offset,
            field: self.path_text(Some(&member.key)),
            text,
        })
    }

    /// Fields that proto2 requires.
    fn required(
        &self,
        message: &DynamicMessage,
        kind: &MessageDescriptor,
        members: &[Member<'_>],
    ) -> Result<(), Problem> {
        let is_missing = |field: &FieldDescriptor| field.is_required() && !message.has_field(field);
        let missing: Vec<_> = kind
            .fields()
            .filter(is_missing)
            .map(|field| field.name().to_owned())
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let offset = members.first().map_or(0, |member| member.key_offset);
        self.problem(offset, format!("required fields are missing: {}", missing.join(", ")))
    }

    /// Reads `node` into one field of `message`.
    pub(crate) fn field(
        &mut self,
        message: &mut DynamicMessage,
        field: &FieldDescriptor,
        node: &Node<'_>,
    ) -> Result<(), Problem> {
        self.path.push(Step::Field(field.clone()));
        let value = match &node.value {
            Json::Null => null_value(field),
            _ => Some(self.value_of(&field.kind(), field.is_list(), field.is_map(), node)?),
        };
        if let Some(value) = value {
            self.check_oneof(message, field, node)?;
            self.check_claims(field, &value, node)?;
            message.set_field(field, value);
        }
        self.path.pop();
        Ok(())
    }

    fn check_oneof(&self, message: &DynamicMessage, field: &FieldDescriptor, node: &Node<'_>) -> Result<(), Problem> {
        let Some(oneof) = field.containing_oneof() else {
            return Ok(());
        };
        match oneof.fields().find(|other| message.has_field(other)) {
            Some(other) => self.problem(
                node.offset,
                format!(
                    "`{}` and `{}` exclude each other (oneof `{}`)",
                    other.name(),
                    field.name(),
                    oneof.name()
                ),
            ),
            None => Ok(()),
        }
    }

    /// A field that path, query or headers bind may be repeated by the body, not contradicted; nor by its oneof.
    fn check_claims(&self, field: &FieldDescriptor, value: &Value, node: &Node<'_>) -> Result<(), Problem> {
        for claim in &self.claims {
            let depth = self.path.len();
            let above = claim.path.iter().zip(&self.path).take(depth - 1);
            let is_beside = claim.path.len() >= depth && above.into_iter().all(|(field, step)| is_step(step, field));
            if !is_beside {
                continue;
            }
            let claimed = &claim.path[depth - 1];
            let same_oneof = field
                .containing_oneof()
                .is_some_and(|oneof| claimed.containing_oneof() == Some(oneof));
            if claimed != field && same_oneof {
                return self.problem(
                    node.offset,
                    format!("excluded by `{}`, which the {} binds", claimed.name(), claim.source),
                );
            }
            if claimed == field && claim.path.len() == depth && claim.value.as_ref() != Some(value) {
                return self.problem(
                    node.offset,
                    format!("contradicts the value that the {} binds", claim.source),
                );
            }
        }
        Ok(())
    }

    fn value_of(&mut self, kind: &Kind, is_list: bool, is_map: bool, node: &Node<'_>) -> Result<Value, Problem> {
        match (&node.value, kind) {
            (Json::Object(members), Kind::Message(entry)) if is_map => self.map(entry, members),
            _ if is_map => self.mismatch(node, "an object"),
            (Json::Array(elements), _) if is_list => {
                let mut list = Vec::with_capacity(elements.len());
                for (index, element) in elements.iter().enumerate() {
                    self.path.push(Step::Index(index));
                    list.push(self.element(kind, element)?);
                    self.path.pop();
                }
                Ok(Value::List(list))
            }
            _ if is_list => self.mismatch(node, "an array"),
            _ => self.single(kind, node),
        }
    }

    fn map(&mut self, entry: &MessageDescriptor, members: &[Member<'_>]) -> Result<Value, Problem> {
        let (key_kind, value_kind) = (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
        let mut map = HashMap::with_capacity(members.len());
        for member in members {
            self.path.push(Step::Key(member.key.clone().into_owned()));
            let key = match scalar::map_key(&key_kind, &member.key) {
                Ok(key) => key,
                Err(text) => return self.problem(member.key_offset, text),
            };
            let value = self.element(&value_kind, &member.node)?;
            if map.insert(key, value).is_some() {
                return self.problem(member.key_offset, "duplicate key: equal to one before");
            }
            self.path.pop();
        }
        Ok(Value::Map(map))
    }

    /// An element of an array or a map, where null is no value but for types that have it.
    fn element(&mut self, kind: &Kind, node: &Node<'_>) -> Result<Value, Problem> {
        if node.value == Json::Null && !takes_null(kind) {
            return self.problem(node.offset, "null is no element");
        }
        self.single(kind, node)
    }

    fn single(&mut self, kind: &Kind, node: &Node<'_>) -> Result<Value, Problem> {
        match (kind, &node.value) {
            (Kind::Message(kind), _) => self.message_value(kind, node).map(Value::Message),
            (Kind::Enum(kind), Json::Null) if kind.full_name() == known::NULL => Ok(Value::EnumNumber(0)),
            (Kind::Enum(kind), Json::String(name)) => {
                let value = scalar::enum_name(kind, name);
                match value {
                    // A dropped name leaves the default: the field is as if it were not there.
                    Err(_) if self.unknown_ignored => Ok(Value::EnumNumber(kind.default_value().number())),
                    value => self.at(node, value),
                }
            }
            (Kind::Enum(kind), Json::Number(text)) => self.at(node, scalar::enum_number(kind, text)),
            (Kind::Enum(_), _) => self.mismatch(node, "an enum value's name or number"),
            (Kind::Bool, Json::Bool(value)) => Ok(Value::Bool(*value)),
            (Kind::Bool, _) => self.mismatch(node, "true or false"),
            (Kind::String, Json::String(text)) => Ok(Value::String(text.clone().into_owned())),
            (Kind::String, _) => self.mismatch(node, "a string"),
            (Kind::Bytes, Json::String(text)) => self.at(node, scalar::bytes(text).map(Value::Bytes)),
            (Kind::Bytes, _) => self.mismatch(node, "a base64 string"),
            (number, Json::Number(text)) => self.at(
                node,
                scalar::number(number, text).unwrap_or_else(|| Err("not a number field".to_owned())),
            ),
            (number, Json::String(text)) => {
                let special = scalar::non_finite(number, text)
                    .map(Ok)
                    .or_else(|| scalar::number(number, text));
                self.at(node, special.unwrap_or_else(|| Err("not a number field".to_owned())))
            }
            (_, _) => self.mismatch(node, "a number"),
        }
    }

    fn message_value(&mut self, kind: &MessageDescriptor, node: &Node<'_>) -> Result<DynamicMessage, Problem> {
        let name = kind.full_name();
        match &node.value {
            _ if name == known::VALUE => self.json_value(kind, node),
            Json::Array(elements) if name == known::LIST => {
                let mut values = Vec::with_capacity(elements.len());
                let element_kind = kind.get_field(known::LIST_VALUES).map(|field| field.kind());
                for (index, element) in elements.iter().enumerate() {
                    self.path.push(Step::Index(index));
                    values.push(self.nested_value(element_kind.as_ref(), element)?);
                    self.path.pop();
                }
                self.at(node, known::make(kind, [(known::LIST_VALUES, Value::List(values))]))
            }
            _ if name == known::LIST => self.mismatch(node, "an array"),
            Json::String(text) if matches!(name, known::TIMESTAMP | known::DURATION | known::FIELD_MASK) => {
                let parsed = known::from_text(kind, text).unwrap_or_else(|| Err("no text form".to_owned()));
                self.at(node, parsed)
            }
            _ if matches!(name, known::TIMESTAMP | known::DURATION | known::FIELD_MASK) => {
                self.mismatch(node, "a string")
            }
            _ if known::is_wrapper(name) => {
                let Some(field) = kind.get_field(known::WRAPPED) else {
                    return self.mismatch(node, "a value");
                };
                let value = self.single(&field.kind(), node)?;
                self.at(node, known::make(kind, [(known::WRAPPED, value)]))
            }
            Json::Object(members) if name == known::STRUCT => self.structure(kind, members, node),
            Json::Object(members) if name == known::ANY => self.any(kind, members, node),
            Json::Object(members) => {
                let mut message = DynamicMessage::new(kind.clone());
                self.members(&mut message, members)?;
                Ok(message)
            }
            _ => self.mismatch(node, "an object"),
        }
    }
}

fn message_kind(message: &DynamicMessage) -> MessageDescriptor {
    prost_reflect::ReflectMessage::descriptor(message)
}

fn is_step(step: &Step, field: &FieldDescriptor) -> bool {
    matches!(step, Step::Field(taken) if taken == field)
}

/// Whether null is a value of this kind, not the absence of one.
fn takes_null(kind: &Kind) -> bool {
    match kind {
        Kind::Message(message) => message.full_name() == known::VALUE,
        Kind::Enum(kind) => kind.full_name() == known::NULL,
        _ => false,
    }
}

fn null_value(field: &FieldDescriptor) -> Option<Value> {
    if field.is_list() || field.is_map() {
        return None;
    }
    match field.kind() {
        Kind::Message(kind) if kind.full_name() == known::VALUE => {
            let null = kind.get_field_by_name("null_value").map_or(0, |field| field.number());
            known::make(&kind, [(null, Value::EnumNumber(0))])
                .ok()
                .map(Value::Message)
        }
        Kind::Enum(kind) if kind.full_name() == known::NULL => Some(Value::EnumNumber(0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::{self, bound, check_bodies as check, load, load_with, rule};
    use crate::load::Options;
    use crate::schema::Schema;

    #[test]
    fn fields() {
        check(&[
            (
                r#"{"s":"a","rS":["b"],"r_i32":[1]}"#,
                r#"{"s":"a","rS":["b"],"rI32":[1]}"#,
            ),
            (r#"{"nope":1}"#, "nope: shapes.v1.SinkMessage has no field \"nope\""),
            (r#"{"nested":{"nope":{}}}"#, "nested.nope: "),
            (r#"{"r_m":[{"nope":[]}]}"#, "r_m[0].nope: "),
            (r#"{"m_sm":{"k":{"nope":[]}}}"#, "m_sm[\"k\"].nope: "),
            (r#"{"rS":[],"r_s":[]}"#, "r_s: duplicate key \"r_s\""),
            (r#"{"Fancy":"a","json_named":"b"}"#, "duplicate key"),
            (r#"{"jsonNamed":"a"}"#, "has no field"),
            (
                r#"{"s":null,"i64":null,"k":null,"nested":null,"r_s":null,"m_ss":null,"ts":null,"w_s":null}"#,
                "{}",
            ),
            (r#"{"r_s":[null]}"#, "r_s[0]: null is no element"),
            (r#"{"r_m":[null]}"#, "null is no element"),
            (r#"{"m_ss":{"a":null}}"#, "m_ss[\"a\"]: null is no element"),
            (r#"{"s":1}"#, "s: expected a string, found a number"),
            (r#"{"s":{"a":1}}"#, "s: expected a string, found an object"),
            (r#"{"nested":"x"}"#, "expected an object, found a string"),
            (r#"{"r_s":"x"}"#, "expected an array, found a string"),
            (r#"{"m_ss":[]}"#, "expected an object, found an array"),
            (r#"{"b":"true"}"#, "expected true or false"),
            (r#"{"b":1}"#, "expected true or false"),
            (r#"{"o_s":"x","o_b":true}"#, "`o_s` and `o_b` exclude each other"),
            (r#"{"o_s":"x","o_b":null}"#, r#"{"oS":"x"}"#),
            (r#"{"o_s":""}"#, r#"{"oS":""}"#),
            (r#"{"opt_s":""}"#, r#"{"optS":""}"#),
            (r#"{"s":""}"#, "{}"),
        ]);
    }

    #[test]
    fn scalars() {
        check(&[
            (r#"{"i64":"9007199254740993"}"#, r#"{"i64":"9007199254740993"}"#),
            (r#"{"i64":9007199254740993}"#, r#"{"i64":"9007199254740993"}"#),
            (r#"{"u64":18446744073709551615}"#, r#"{"u64":"18446744073709551615"}"#),
            (r#"{"i32":1.0}"#, r#"{"i32":1}"#),
            (r#"{"i32":1e2}"#, r#"{"i32":100}"#),
            (r#"{"i32":"7"}"#, r#"{"i32":7}"#),
            (r#"{"i32":1.1}"#, "not an integer"),
            (r#"{"i32":2147483648}"#, "not between"),
            (r#"{"u32":-1}"#, "not between"),
            (r#"{"i32":""}"#, "not an integer"),
            (r#"{"i32":" 1"}"#, "not an integer"),
            (r#"{"i32":true}"#, "expected a number, found a boolean"),
            (
                r#"{"f64":"NaN","f32":"-Infinity"}"#,
                r#"{"f32":"-Infinity","f64":"NaN"}"#,
            ),
            (r#"{"f64":"inf"}"#, "not a number"),
            (r#"{"f64":"1.5"}"#, r#"{"f64":1.5}"#),
            (r#"{"f32":1e39}"#, "out of range"),
            (r#"{"k":"HORROR"}"#, r#"{"k":"HORROR"}"#),
            (r#"{"k":1}"#, r#"{"k":"HORROR"}"#),
            (r#"{"k":99}"#, r#"{"k":99}"#),
            (r#"{"k":"Horror"}"#, "did you mean HORROR?"),
            (r#"{"k":"NOPE"}"#, "is not a value of shapes.v1.Kind"),
            (r#"{"k":1.5}"#, "not an integer"),
            (r#"{"by":"-_"}"#, r#"{"by":"+w=="}"#),
            (r#"{"by":"Ynl0ZXM"}"#, r#"{"by":"Ynl0ZXM="}"#),
            (r#"{"by":"a b"}"#, "not base64"),
            (r#"{"s":"\ud83d\ude00"}"#, "{\"s\":\"\u{1f600}\"}"),
            (
                r#"{"m_i32s":{"1":"a","-1":"b"},"m_bs":{"true":"c"}}"#,
                r#"{"mI32s":{"-1":"b","1":"a"},"mBs":{"true":"c"}}"#,
            ),
            (
                r#"{"m_i32s":{"1":"a","1.0":"b"}}"#,
                "duplicate key: equal to one before",
            ),
            (r#"{"m_i32s":{"x":"a"}}"#, "not an integer"),
            (r#"{"m_bs":{"True":"a"}}"#, "neither true nor false"),
        ]);
    }

    #[test]
    fn depth() {
        let nested = |levels: usize| format!("{}{}", r#"{"nested":"#.repeat(levels) + "{}", "}".repeat(levels));
        let schema = load(vec![rule("Shapes.Sink", "POST /sink", "*")]).unwrap();
        let bind = |body: &str| {
            let matched = schema.find("POST", "/sink").unwrap();
            matched
                .bind(None, body.as_bytes(), &Default::default())
                .map_err(|error| error.to_string())
        };
        assert!(bind(&nested(99)).is_ok());
        assert!(
            bind(&nested(100))
                .unwrap_err()
                .contains("nested deeper than 100 levels")
        );
        let wide: Vec<_> = (0..4_000).map(|number| format!("\"k{number:05}\":1")).collect();
        let wide = format!(r#"{{"st":{{{}}}}}"#, wide.join(","));
        assert_eq!(bound(&schema, "POST", "/sink", &wide), Ok(wide));
        assert!(
            bind(&format!(
                "{{\"st\":{}{}}}",
                r#"{"a":"#.repeat(98) + "{}",
                "}".repeat(98)
            ))
            .is_ok()
        );
        let deep = format!("{{\"st\":{}{}}}", r#"{"a":"#.repeat(32) + "{}", "}".repeat(32));
        assert_eq!(bound(&schema, "POST", "/sink", &deep), Ok(deep));
    }

    #[test]
    fn unknown_names_are_dropped_by_setting() {
        let rules = vec![rule("Shapes.Sink", "POST /sink", "*")];
        let lax = load_with(Options {
            rules,
            json_unknown_ignored: true,
            ..Options::default()
        })
        .unwrap();
        for (body, expected) in [
            (
                r#"{"a":1,"zz":{"c":[]},"nested":{"d":"x"},"k":"NOPE","s":"y"}"#,
                Ok(r#"{"s":"y","nested":{}}"#),
            ),
            (r#"{"a":1,"a":2}"#, Err("duplicate key")),
        ] {
            match (bound(&lax, "POST", "/sink", body), expected) {
                (Ok(message), Ok(expected)) => assert_eq!(message, expected),
                (Err(refusal), Err(expected)) => assert!(refusal.contains(expected), "{refusal}"),
                (found, _) => panic!("{found:?}"),
            }
        }
    }

    #[test]
    fn proto2() {
        let source = r#"
            syntax = "proto2"; package two; import "google/api/annotations.proto";
            service S { rpc Go(M) returns (M) { option (google.api.http) = {post: "/go" body: "*"}; } }
            enum E { A = 1; B = 2; }
            message M {
              required string a = 1; required int32 b = 2; optional E e = 3; optional group G = 4 { optional int32 x = 1; }
              extensions 100 to 200;
            }
            extend M { optional string extra = 100; }
        "#;
        let schema = Schema::builder().descriptors(&fixture::source(source)).build().unwrap();
        for (body, expected) in [
            (r#"{"a":"","b":0}"#, r#"{"a":"","b":0}"#),
            (r#"{"e":"A"}"#, "required fields are missing: a, b"),
            (
                r#"{"a":"x","b":1,"e":2,"g":{"x":1},"[two.extra]":"y"}"#,
                r#"{"a":"x","b":1,"e":"B","g":{"x":1},"[two.extra]":"y"}"#,
            ),
            (r#"{"a":"x","b":1,"e":3}"#, "3 is not a value of two.E"),
        ] {
            match bound(&schema, "POST", "/go", body) {
                Ok(message) => assert_eq!(message, expected, "{body}"),
                Err(refusal) => assert!(refusal.contains(expected), "{body}: {refusal}"),
            }
        }
    }
}
