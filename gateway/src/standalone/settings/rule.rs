//! HTTP rules beside the schema, as `google.api.HttpRule` is written in a service configuration: in YAML or TOML, with the
//! names of the proto file or those of its JSON.

use serde_json::{Map, Value};

use super::names;
use crate::transcode::{HttpRule, nearest};

/// The fields of a rule that hold text, and what they become.
const TEXTS: [&str; 3] = ["selector", "body", "response_body"];
const VERBS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// Reads the list of rules.
///
/// # Errors
/// What is wrong, after the place in the list: `[2].body must be text`.
pub(super) fn rules(value: &Value) -> Result<Vec<HttpRule>, String> {
    let list = value.as_array().ok_or("must be a list of rules")?;
    let read = list.iter().enumerate().map(|(index, value)| {
        let rule = rule(value).map_err(|problem| format!("[{index}]{problem}"))?;
        if rule.selector.is_empty() {
            return Err(format!(
                "[{index}] lacks `selector`: the RPC, as in package.Service.Method"
            ));
        }
        names::selector(&rule.selector).map_err(|problem| format!("[{index}].selector {problem}"))?;
        Ok(rule)
    });
    read.collect()
}

fn rule(value: &Value) -> Result<HttpRule, String> {
    let fields = value
        .as_object()
        .ok_or(" must be a rule: `selector`, a method with its path, `body`")?;
    let mut rule = HttpRule::default();
    for (written, value) in fields {
        // `responseBody` is what JSON calls it.
        let name = snake(written);
        if let Some(other) = fields.keys().find(|other| *other != written && snake(other) == name) {
            return Err(format!(".{written} is there as `{other}` too; leave one of them out"));
        }
        match name.as_str() {
            verb if VERBS.contains(&verb) => bind(&mut rule, verb.to_ascii_uppercase(), text(verb, value)?)?,
            "custom" => {
                let custom = value.as_object().ok_or(".custom must hold `kind` and `path`")?;
                known(custom, ".custom", &["kind", "path"])?;
                let part = |part: &str| text(part, custom.get(part).unwrap_or(&Value::Null));
                bind(&mut rule, part("kind")?, part("path")?)?;
            }
            "additional_bindings" => {
                let list = value.as_array().ok_or(".additional_bindings must be a list of rules")?;
                let read = list.iter().enumerate().map(|(index, value)| {
                    self::rule(value).map_err(|problem| format!(".additional_bindings[{index}]{problem}"))
                });
                rule.additional = read.collect::<Result<_, _>>()?;
            }
            "selector" => rule.selector = text(&name, value)?,
            "body" => rule.body = text(&name, value)?,
            "response_body" => rule.response_body = text(&name, value)?,
            _ => return Err(unknown("", &name)),
        }
    }
    Ok(rule)
}

fn bind(rule: &mut HttpRule, method: String, path: String) -> Result<(), String> {
    if !rule.method.is_empty() {
        return Err(format!(
            " binds {} and {method}; put one into `additional_bindings`",
            rule.method
        ));
    }
    (rule.method, rule.path) = (method, path);
    Ok(())
}

fn text(name: &str, value: &Value) -> Result<String, String> {
    value
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| format!(".{name} must be text"))
}

fn known(fields: &Map<String, Value>, place: &str, names: &[&str]) -> Result<(), String> {
    match fields.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) => Err(format!("{place}.{name} is unknown; known are {}", names.join(", "))),
        None => Ok(()),
    }
}

fn unknown(place: &str, name: &str) -> String {
    let names = TEXTS.into_iter().chain(VERBS).chain(["custom", "additional_bindings"]);
    match nearest(name, names) {
        Some(near) => format!("{place}.{name} is unknown; did you mean `{near}`?"),
        None => format!("{place}.{name} is unknown"),
    }
}

/// `responseBody` -> `response_body`.
fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 2);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_are_read_as_service_configurations_write_them() {
        let given = json!([
            {"selector": "a.B.Get", "get": "/v1/{name}", "responseBody": "item", "additional_bindings": [
                {"custom": {"kind": "PURGE", "path": "/v1/purge"}, "body": "*"}
            ]},
        ]);
        let rules = rules(&given).unwrap();
        assert_eq!(rules[0].method, "GET");
        assert_eq!(rules[0].response_body, "item");
        let more = &rules[0].additional[0];
        assert_eq!(
            (more.method.as_str(), more.path.as_str(), more.body.as_str()),
            ("PURGE", "/v1/purge", "*")
        );
    }

    #[test]
    fn a_wrong_rule_says_where() {
        for (given, expected) in [
            (json!({}), "must be a list of rules"),
            (json!([{"get": "/"}]), "[0] lacks `selector`"),
            (
                json!([{"selector": "a.B.C", "gett": "/"}]),
                "[0].gett is unknown; did you mean `get`?",
            ),
            (json!([{"selector": "a.B.C", "get": 7}]), "[0].get must be text"),
            (
                json!([{"selector": "a.B.C", "get": "/", "post": "/"}]),
                "[0] binds GET and POST",
            ),
            (
                json!([{"selector": "a.B.C", "get": "/", "responseBody": "a", "response_body": "b"}]),
                "[0].responseBody is there as `response_body` too",
            ),
            (
                json!([{"selector": "a.B.C", "custom": {"kin": "X"}}]),
                "[0].custom.kin is unknown",
            ),
        ] {
            let problem = rules(&given).unwrap_err();
            assert!(problem.contains(expected), "{given}: {problem}");
        }
    }
}
