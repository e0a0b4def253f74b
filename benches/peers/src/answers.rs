//! Whether two answers say the same, as parsed JSON, and by how much their printing of defaults differs.

use serde::Serialize;
use serde_json::{Map, Value};

/// How an answer that says the same is printed otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Printing {
    /// Members with a default value that the expected answer lacks.
    pub(crate) extra_defaults: usize,
    /// Members with `null` that the expected answer lacks.
    pub(crate) extra_nulls: usize,
    /// Members with a default value that only the expected answer has.
    pub(crate) omitted_defaults: usize,
}

impl Printing {
    /// What a reader of the table has to know of it.
    pub(crate) fn words(self) -> String {
        let mut words = Vec::new();
        for (count, what) in [
            (self.extra_defaults, "more defaults"),
            (self.extra_nulls, "nulls"),
            (self.omitted_defaults, "defaults omitted"),
        ] {
            if count > 0 {
                words.push(format!("{count} {what}"));
            }
        }
        if words.is_empty() {
            "equal".to_owned()
        } else {
            format!("equal but for {}", words.join(", "))
        }
    }
}

/// Compares two answers: members with a default value may be missing in either.
///
/// # Errors
///
/// Where they differ first, and how.
pub(crate) fn compare(expected: &Value, got: &Value) -> Result<Printing, String> {
    let mut printing = Printing::default();
    walk("$", expected, got, &mut printing)?;
    Ok(printing)
}

fn walk(path: &str, expected: &Value, got: &Value, printing: &mut Printing) -> Result<(), String> {
    match (expected, got) {
        (Value::Object(expected), Value::Object(got)) => members(path, expected, got, printing),
        (Value::Array(expected), Value::Array(got)) if expected.len() == got.len() => {
            let mut pairs = expected.iter().zip(got).enumerate();
            pairs.try_for_each(|(index, (expected, got))| walk(&format!("{path}[{index}]"), expected, got, printing))
        }
        (Value::Array(expected), Value::Array(got)) => {
            Err(format!("{path}: {} elements, not {}", got.len(), expected.len()))
        }
        _ if expected == got => Ok(()),
        _ => Err(format!("{path}: {}, not {}", short(got), short(expected))),
    }
}

fn members(
    path: &str,
    expected: &Map<String, Value>,
    got: &Map<String, Value>,
    printing: &mut Printing,
) -> Result<(), String> {
    for (name, value) in expected {
        match got.get(name) {
            Some(other) => walk(&format!("{path}.{name}"), value, other, printing)?,
            None if is_default(value) => printing.omitted_defaults += 1,
            None => return Err(format!("{path}.{name}: missing")),
        }
    }
    for (name, value) in got.iter().filter(|(name, _)| !expected.contains_key(*name)) {
        match value {
            Value::Null => printing.extra_nulls += 1,
            _ if is_default(value) => printing.extra_defaults += 1,
            _ => return Err(format!("{path}.{name}: not expected, {}", short(value))),
        }
    }
    Ok(())
}

/// Whether protobuf could have left the value out.
fn is_default(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        // 64-bit integers are text, and enum values names.
        Value::String(text) => text.is_empty() || text == "0" || text.ends_with("_UNSPECIFIED"),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(members) => members.is_empty(),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_defaults_may_be_missing() {
        let expected = json!({"a": "x", "n": 0, "state": "STATE_UNSPECIFIED", "list": [{"b": 1}]});
        assert_eq!(compare(&expected, &expected), Ok(Printing::default()));
        let omitted = json!({"a": "x", "list": [{"b": 1}]});
        let printing = compare(&expected, &omitted).unwrap();
        assert_eq!(printing.omitted_defaults, 2);
        let printing = compare(
            &omitted,
            &json!({"a": "x", "list": [{"b": 1, "c": ""}], "d": null, "e": "0"}),
        )
        .unwrap();
        assert_eq!((printing.extra_defaults, printing.extra_nulls), (2, 1));
        assert_eq!(printing.words(), "equal but for 2 more defaults, 1 nulls");
    }

    #[test]
    fn a_difference_is_named_by_its_place() {
        let expected = json!({"a": "x", "list": [{"b": 1}]});
        for (got, message) in [
            (json!({"a": "y", "list": [{"b": 1}]}), "$.a: \"y\", not \"x\""),
            (json!({"a": "x", "list": [{"b": 2}]}), "$.list[0].b: 2, not 1"),
            (json!({"a": "x", "list": [{"b": "1"}]}), "$.list[0].b: \"1\", not 1"),
            (json!({"a": "x", "list": []}), "$.list: 0 elements, not 1"),
            (json!({"a": "x"}), "$.list: missing"),
            (
                json!({"a": "x", "list": [{"b": 1}], "c": true}),
                "$.c: not expected, true",
            ),
            (json!([]), "$: [], not {\"a\":\"x\",\"list\":[{\"b\":1}]}"),
        ] {
            assert_eq!(compare(&expected, &got), Err(message.to_owned()));
        }
    }

    #[test]
    fn the_order_of_members_is_nothing() {
        let expected: Value = serde_json::from_str("{\"a\":1,\"b\":2}").unwrap();
        let got: Value = serde_json::from_str("{\"b\":2,\"a\":1}").unwrap();
        assert!(compare(&expected, &got).is_ok());
    }
}
