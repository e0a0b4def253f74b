//! How a call looks over REST by its HTTP rule: path, query, body. Written for the tests, so that the gateway's own
//! binding is not checked against itself.

use http::Method;
use prost_reflect::MethodDescriptor;
use serde_json::{Map, Value, json};

use crate::schema;

/// The method, path with query, and body of the call over REST.
///
/// # Panics
/// The method is not offered over REST.
pub(super) fn request(method: &MethodDescriptor, request: &Value) -> (Method, String, Option<Value>) {
    let rule = schema::http_rule(method).unwrap_or_else(|| panic!("{} is not REST", method.full_name()));
    let mut rest = request.clone();
    rest.as_object_mut()
        .expect("a request is an object")
        .remove("requestId");

    let mut path = String::new();
    let mut template = rule.path.as_str();
    while let Some((before, after)) = template.split_once('{') {
        let (capture, after) = after.split_once('}').expect("templates are well-formed");
        let field = capture.split('=').next().expect("a split has a first part");
        path += before;
        path += take(&mut rest, field).as_str().unwrap_or_default();
        template = after;
    }
    path += template;

    let body = match rule.body.as_str() {
        "" => None,
        "*" => Some(std::mem::take(&mut rest)),
        field => Some(take(&mut rest, &lower_camel(field))),
    };
    let mut query = Vec::new();
    flatten("", &rest, &mut query);
    if !query.is_empty() {
        path += "?";
        path += &query.join("&");
    }
    (
        rule.method.parse().expect("a known method"),
        path,
        body.map(|body| if body.is_null() { json!({}) } else { body }),
    )
}

/// Takes the value at a dotted path out of a message, null if it is absent.
fn take(message: &mut Value, path: &str) -> Value {
    let (head, rest) = path
        .split_once('.')
        .map_or((path, None), |(head, rest)| (head, Some(rest)));
    match (message.get_mut(lower_camel(head)), rest) {
        (Some(inner), Some(rest)) => take(inner, rest),
        (Some(_), None) => message
            .as_object_mut()
            .and_then(|fields| fields.remove(&lower_camel(head)))
            .unwrap_or_default(),
        (None, _) => Value::Null,
    }
}

fn lower_camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |text, word| text + &word[..1].to_uppercase() + &word[1..])
}

/// Writes what is left of a request as query parameters.
fn flatten(prefix: &str, value: &Value, query: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::Object(fields) => fields_of(prefix, fields, query),
        Value::Array(items) => items.iter().for_each(|item| flatten(prefix, item, query)),
        Value::String(text) => query.push(format!("{prefix}={}", percent_encoded(text))),
        scalar => query.push(format!("{prefix}={scalar}")),
    }
}

fn fields_of(prefix: &str, fields: &Map<String, Value>, query: &mut Vec<String>) {
    for (name, value) in fields {
        let path = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        flatten(&path, value, query);
    }
}

fn percent_encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}
