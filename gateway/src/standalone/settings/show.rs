//! The settings as text: `millrace-gateway config` prints them as a TOML file that can be used, and the documentation is
//! the same table without values.

use std::fmt::{self, Write};

use serde_json::{Map, Value};

use super::keys::{ANYTHING, Key, ROUTE_KEYS, UPSTREAM_KEYS, keys};
use super::load::Loaded;
use super::slot::Slot;

/// Columns of a comment in the listing.
const WIDTH: usize = 100;

/// Every setting with what it does, its default, its value and where that came from.
pub(crate) fn listing(loaded: &Loaded) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = list(&mut text, loaded);
    text
}

fn list(text: &mut String, loaded: &Loaded) -> fmt::Result {
    for key in keys() {
        wrapped(text, &format!("{} ({})", key.about, key.slot.kind()))?;
        let default = default(key);
        match loaded.given(key.name) {
            // Whatever it is, also what TOML has no words for.
            Some(given) if matches!(key.slot, Slot::Other(ANYTHING, _)) => {
                writeln!(text, "# {} is given, and not used  # {}\n", key.name, given.source)?;
            }
            Some(given) => {
                let shown = toml(&redacted(&given.value));
                writeln!(
                    text,
                    "# default: {default}\n{} = {shown}  # {}\n",
                    key.name, given.source
                )?;
            }
            None if key.default.is_empty() => writeln!(text, "# {} is unset\n", key.name)?,
            None => writeln!(text, "{} = {default}  # default\n", key.name)?,
        }
    }
    inner(text, "upstreams", UPSTREAM_KEYS)?;
    inner(text, "routes", ROUTE_KEYS)
}

/// The keys of a list of tables, as comments.
fn inner<S>(text: &mut String, list: &str, keys: &[Key<S>]) -> fmt::Result {
    writeln!(text, "# Each of [[{list}]]:")?;
    for key in keys {
        wrapped(text, &format!("  {}: {} ({})", key.name, key.about, key.slot.kind()))?;
    }
    writeln!(text)
}

fn wrapped(text: &mut String, sentence: &str) -> fmt::Result {
    let indent = sentence.len() - sentence.trim_start().len();
    let mut line = format!("#{:indent$}", "");
    for word in sentence.split_whitespace() {
        if line.len() + word.len() >= WIDTH {
            writeln!(text, "{line}")?;
            line = format!("#{:indent$}  ", "");
        }
        line.push(' ');
        line.push_str(word);
    }
    writeln!(text, "{line}")
}

/// The reference: `docs/gateway-config.md`.
pub(crate) fn document() -> String {
    let mut text = String::from(HEAD);
    let _ = table(&mut text, keys());
    text.push_str("\n## Keys of `[[upstreams]]`\n\n");
    let _ = table(&mut text, UPSTREAM_KEYS);
    text.push_str("\n## Keys of `[[routes]]`\n\nUnset, each is as for all.\n\n");
    let _ = table(&mut text, ROUTE_KEYS);
    text
}

const HEAD: &str = "\
# Settings of `millrace-gateway`

The file of `--config` (TOML, or YAML if its name ends in `.yaml` or `.yml`) < variables `MILLRACE_GATEWAY_*` < flags; the
later wins. A variable is the prefix and the key in capitals, with two underscores for the dot:
`MILLRACE_GATEWAY_QUERY__UNKNOWN=ignore`; lists are separated by commas. A key that is not here is an error. A service
configuration (`type: google.api.Service`) is a settings file as it is: its `http` and `title` are used.
A value that does not fit is refused by every command, with exit code 2 if it was given by a flag and with 3 otherwise.
`millrace-gateway config` prints this table with the values in use and where each came from, as a file that can be used.

This page is written by `millrace-gateway config --markdown`; a test keeps it so.

## All keys

";

fn table<S: 'static>(text: &mut String, keys: impl IntoIterator<Item = &'static Key<S>>) -> fmt::Result {
    writeln!(text, "| key | value | default | what it does |\n|---|---|---|---|")?;
    for key in keys {
        let default = match key.default {
            "" => "unset".to_owned(),
            _ => format!("`{}`", default(key)),
        };
        let (name, kind, about) = (key.name, key.slot.kind(), key.about.replace('|', "\\|"));
        writeln!(text, "| `{name}` | {kind} | {default} | {about} |")?;
    }
    Ok(())
}

fn default<S>(key: &Key<S>) -> String {
    match key.default {
        "" => "unset".to_owned(),
        text => toml(&key.slot.parse(text)),
    }
}

/// A value in TOML.
fn toml(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let mut pairs = Vec::new();
            flatten("", fields, &mut pairs);
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name} = {value}")).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        // A TOML basic string has JSON's escapes.
        other => other.to_string(),
    }
}

/// The fields of a table by their dotted names: YAML may give a part of a section so, and a part by the section, which TOML
/// takes for a duplicate.
fn flatten(prefix: &str, fields: &Map<String, Value>, pairs: &mut Vec<(String, String)>) {
    for (name, value) in fields {
        let name = format!("{prefix}{name}");
        match value {
            Value::Object(fields) => flatten(&format!("{name}."), fields, pairs),
            value => pairs.push((name, toml(value))),
        }
    }
}

/// The same value without the credentials of its URLs.
fn redacted(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::from(without_credentials(text)),
        Value::Array(items) => items.iter().map(redacted).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), redacted(value)));
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

/// Hides what stands between the scheme of a URL and its last `@`: a password may hold any letter, and a user's name
/// may be a token. All else stays, since the listing is a file that can be used.
pub(super) fn without_credentials(text: &str) -> String {
    let hidden = text.split_once("://").and_then(|(scheme, rest)| {
        let (_, host) = rest.rsplit_once('@')?;
        Some(format!("{scheme}://[redacted]@{host}"))
    });
    hidden.unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_is_the_table() {
        let written = include_str!("../../../../docs/gateway-config.md");
        assert!(
            written == document(),
            "docs/gateway-config.md is old; write it anew: \
             cargo run -p millrace-gateway -- config --markdown > docs/gateway-config.md"
        );
    }

    #[test]
    fn a_table_is_shown_by_the_dotted_names_of_its_fields() {
        let value = serde_json::json!([{"json.a": 1, "json": {}, "tls": {"b": {"c": "x"}, "d": []}}]);
        assert_eq!(toml(&value), r#"[{ json.a = 1, tls.b.c = "x", tls.d = [] }]"#);
    }

    #[test]
    fn credentials_of_urls_are_not_shown() {
        for (text, expected) in [
            ("http://u:p@h:1/x", "http://[redacted]@h:1/x"),
            ("http://u:p/@h:1", "http://[redacted]@h:1"),
            ("http://h:1/x", "http://h:1/x"),
            ("Bearer realm=\"a@b\"", "Bearer realm=\"a@b\""),
        ] {
            assert_eq!(without_credentials(text), expected);
        }
    }
}
