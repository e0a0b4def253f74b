//! Reads YAML 1.2 into a tree of values, by the core schema: `yes` and `on` are text. Errors say where, never what
//! stands there: it may be a password.

use std::collections::HashMap;

use granit_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use serde_json::{Map, Number, Value};

/// Values of one document, those that aliases repeat included: a few lines of aliases of aliases may stand for
/// billions.
const VALUES_MAX: usize = 100_000;

/// Reads a text of at most one document; nothing at all is null.
///
/// # Errors
/// What is wrong, and where.
pub(crate) fn read(text: &str) -> Result<Value, String> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        values: 0,
    };
    let mut document = None;
    loop {
        let (event, at) = reader.next()?;
        match event {
            Event::StreamEnd => return Ok(document.unwrap_or_default()),
            Event::StreamStart | Event::DocumentEnd => {}
            Event::DocumentStart(..) if document.is_none() => {
                let (event, at) = reader.next()?;
                document = Some(reader.value(event, at)?);
            }
            _ => return Err(problem("a second document", at)),
        }
    }
}

/// What stands behind an anchor, and of how many values it is.
struct Anchored {
    value: Value,
    values: usize,
}

struct Reader<'t> {
    parser: Parser<'t, granit_parser::StrInput<'t>>,
    anchors: HashMap<usize, Anchored>,
    /// So far.
    values: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Marker), String> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, span.start)),
            Some(Err(error)) => Err(problem(&error.info(), *error.marker())),
            None => Ok((Event::StreamEnd, Marker::default())),
        }
    }

    /// Reads the value that an event begins. The parser bounds how deep values lie in each other.
    fn value(&mut self, event: Event<'t>, at: Marker) -> Result<Value, String> {
        let before = self.values;
        self.count(1, at)?;
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => (scalar(&text, style, tag.as_deref(), at)?, anchor),
            Event::SequenceStart(_, anchor, tag) => {
                untagged(tag.as_deref(), at)?;
                (self.sequence()?, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                untagged(tag.as_deref(), at)?;
                (self.mapping()?, anchor)
            }
            Event::Alias(anchor) => {
                let anchored = self.anchors.get(&anchor);
                let (value, values) = anchored
                    .map(|anchored| (anchored.value.clone(), anchored.values))
                    .ok_or_else(|| problem("an alias inside what it stands for", at))?;
                self.count(values, at)?;
                (value, 0)
            }
            _ => return Err(problem("a value is missing", at)),
        };
        if anchor != 0 {
            let anchored = Anchored {
                value: value.clone(),
                values: self.values - before,
            };
            // The copy is kept.
            self.count(anchored.values, at)?;
            self.anchors.insert(anchor, anchored);
        }
        Ok(value)
    }

    fn sequence(&mut self) -> Result<Value, String> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::Array(items)),
                (event, at) => items.push(self.value(event, at)?),
            }
        }
    }

    fn mapping(&mut self) -> Result<Value, String> {
        let mut fields = Map::new();
        let mut merged = Vec::new();
        loop {
            let (name, at, is_merge) = match self.next()? {
                (Event::MappingEnd, _) => break,
                (Event::Scalar(text, style, 0, None), at) => {
                    let is_merge = style == ScalarStyle::Plain && text == "<<";
                    (text, at, is_merge)
                }
                (_, at) => return Err(problem("a name must be text alone", at)),
            };
            let (event, inner) = self.next()?;
            let value = self.value(event, inner)?;
            if is_merge {
                merged.push((value, inner));
            } else if fields.insert(name.into_owned(), value).is_some() {
                return Err(problem("a name that is there already", at));
            }
        }
        for (value, at) in merged {
            merge(&mut fields, value, at)?;
        }
        Ok(Value::Object(fields))
    }

    fn count(&mut self, values: usize, at: Marker) -> Result<(), String> {
        self.values = self.values.saturating_add(values);
        match self.values > VALUES_MAX {
            true => Err(problem(&format!("more than {VALUES_MAX} values"), at)),
            false => Ok(()),
        }
    }
}

/// Adds what `<<` brings, one mapping or a list of them: what is there stays.
fn merge(fields: &mut Map<String, Value>, value: Value, at: Marker) -> Result<(), String> {
    match value {
        Value::Object(more) => {
            for (name, value) in more {
                fields.entry(name).or_insert(value);
            }
            Ok(())
        }
        Value::Array(items) => items.into_iter().try_for_each(|item| match item {
            Value::Object(_) => merge(fields, item, at),
            _ => Err(problem("`<<` takes mappings", at)),
        }),
        _ => Err(problem("`<<` takes mappings", at)),
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, at: Marker) -> Result<Value, String> {
    match tag.map(Tag::core_suffix) {
        None if style == ScalarStyle::Plain => Ok(plain(text)),
        None | Some(Some("str")) => Ok(Value::from(text)),
        Some(Some("null" | "bool" | "int" | "float")) => Ok(plain(text)),
        Some(_) => Err(problem(UNKNOWN_TAG, at)),
    }
}

fn untagged(tag: Option<&Tag>, at: Marker) -> Result<(), String> {
    match tag.map(Tag::core_suffix) {
        None | Some(Some("map" | "seq")) => Ok(()),
        Some(_) => Err(problem(UNKNOWN_TAG, at)),
    }
}

const UNKNOWN_TAG: &str = "a tag that is not known";

/// A plain scalar by the core schema. What JSON has no number for stays text.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && let Some(number) = number(text)
    {
        return Value::Number(number);
    }
    Value::from(text)
}

fn number(text: &str) -> Option<Number> {
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    if let Ok(whole) = text.parse::<u64>() {
        return Some(whole.into());
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    text.parse().ok().and_then(Number::from_f64)
}

fn radix(digits: &str, radix: u32) -> Option<Number> {
    let is_unsigned = digits.starts_with(|first: char| first.is_digit(radix));
    is_unsigned
        .then(|| u64::from_str_radix(digits, radix).ok())
        .flatten()
        .map(Number::from)
}

fn problem(what: &str, at: Marker) -> String {
    format!("line {}, column {}: {what}", at.line(), at.col() + 1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The same by a reader that has nothing in common with ours but the grammar.
    fn judged(text: &str) -> Value {
        serde_saphyr::from_str(text).unwrap()
    }

    #[test]
    fn values_are_those_of_the_core_schema() {
        for (text, expected) in [
            ("", Value::Null),
            ("# nothing", Value::Null),
            ("---\na: ~\n...\n", json!({"a": null})),
            (
                "a: true\nb: False\nc: text # not this",
                json!({"a": true, "b": false, "c": "text"}),
            ),
            (
                "a: 7\nb: -7\nc: 0x1F\nd: 0o17\ne: 18446744073709551615",
                json!({"a": 7, "b": -7, "c": 31, "d": 15, "e": u64::MAX}),
            ),
            (
                "a: 1.5\nb: 1e3\nc: .5\nd: 127.0.0.1:80\ne: 1.2.3",
                json!({"a": 1.5, "b": 1e3, "c": 0.5, "d": "127.0.0.1:80", "e": "1.2.3"}),
            ),
            (
                "a: '7'\nb: \"true\\n\"\nc: |\n  x\n  y\nd: >-\n  x\n  y",
                json!({"a": "7", "b": "true\n", "c": "x\ny\n", "d": "x y"}),
            ),
            (
                "- a\n- [b, {c: d}]\n-\n- - e",
                json!(["a", ["b", {"c": "d"}], null, ["e"]]),
            ),
            ("7: a\ntrue: b", json!({"7": "a", "true": "b"})),
            ("a: &x {b: 1}\nc: *x", json!({"a": {"b": 1}, "c": {"b": 1}})),
            (
                "a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  b: 3",
                json!({"a": {"b": 1, "c": 2}, "d": {"b": 3, "c": 2}}),
            ),
            ("a: !!str 7", json!({"a": "7"})),
        ] {
            assert_eq!(read(text), Ok(expected.clone()), "{text}");
            assert_eq!(judged(text), expected, "{text}");
        }
        assert_eq!(
            read("a: yes\nb: .inf\nc: nan"),
            Ok(json!({"a": "yes", "b": ".inf", "c": "nan"}))
        );
    }

    #[test]
    fn a_mistake_has_its_place_and_no_quotation() {
        for (text, expected) in [
            ("a: [hush", "line 1"),
            ("a: 1\n b: hush\n", "line 2"),
            ("a: hush\na: hush", "line 2, column 1: a name that is there already"),
            ("a: *hush", "line 1"),
            ("a: 1\n---\nb: hush", "a second document"),
            ("a: !hush 7", "line 1, column 10: a tag that is not known"),
            ("? [hush]\n: 7", "a name must be text alone"),
            ("<<: hush", "`<<` takes mappings"),
            ("a: &x [*x]", "line 1"),
        ] {
            let problem = read(text).unwrap_err();
            assert!(problem.contains(expected), "{text}: {problem}");
            assert!(!problem.contains("hush"), "{text}: {problem}");
        }
    }

    #[test]
    fn what_a_text_stands_for_is_bounded() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for level in 1..20 {
            let of = format!("*a{}", level - 1);
            bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![of; 9].join(", ")));
        }
        assert!(read(&bomb).unwrap_err().contains("more than 100000 values"));
        let deep = "[".repeat(10_000) + &"]".repeat(10_000);
        assert!(read(&deep).is_err());
        let deep: String = (0..1_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
        assert!(read(&deep).is_err());
    }
}
