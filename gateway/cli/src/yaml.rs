//! Reads YAML 1.2 into a tree of values, by the core schema: `yes` and `on` are text. Errors say where, never what
//! stands there: it may be a password.

use std::collections::HashMap;

use granit_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use serde_json::{Map, Number, Value};

/// Values of one document, those that aliases repeat included: a few lines of aliases of aliases may stand for
/// billions.
const VALUES_MAX: usize = 100_000;

/// Bytes of text that anchors and aliases copy: a few long texts, each repeated by thousands of aliases of a few bytes,
/// would fill the memory.
const COPIED_BYTES_MAX: usize = 4 << 20;

/// Reads a text of at most one document; nothing at all is null.
///
/// # Errors
/// What is wrong, and where.
pub(crate) fn read(text: &str) -> Result<Value, String> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        values: 0,
        bytes: 0,
        copied_bytes: 0,
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

/// What stands behind an anchor, and how large it is.
struct Anchored {
    value: Value,
    size: Size,
}

/// Values, and the bytes of their text and names.
#[derive(Clone, Copy)]
struct Size {
    values: usize,
    bytes: usize,
}

struct Reader<'t> {
    parser: Parser<'t, granit_parser::StrInput<'t>>,
    anchors: HashMap<usize, Anchored>,
    /// So far, copies included.
    values: usize,
    bytes: usize,
    /// Of these, what is there because of anchors and aliases.
    copied_bytes: usize,
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
        let before = self.size();
        self.count(1, at)?;
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.bytes += text.len();
                (scalar(&text, style, tag.as_deref(), at)?, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                collection(tag.as_deref(), "seq", at)?;
                (self.sequence()?, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                collection(tag.as_deref(), "map", at)?;
                (self.mapping()?, anchor)
            }
            Event::Alias(anchor) => (self.alias(anchor, at)?, 0),
            _ => return Err(problem("a value is missing", at)),
        };
        if anchor != 0 {
            let size = Size {
                values: self.values - before.values,
                bytes: self.bytes - before.bytes,
            };
            // The copy is kept.
            self.copy(size, at)?;
            let value = value.clone();
            self.anchors.insert(anchor, Anchored { value, size });
        }
        Ok(value)
    }

    /// What an alias stands for.
    fn alias(&mut self, anchor: usize, at: Marker) -> Result<Value, String> {
        let inside = || problem("an alias inside what it stands for", at);
        let size = self.anchors.get(&anchor).ok_or_else(inside)?.size;
        self.copy(size, at)?;
        let anchored = self.anchors.get(&anchor).ok_or_else(inside)?;
        Ok(anchored.value.clone())
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
        let mut places = HashMap::new();
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
            self.bytes += name.len();
            let (event, inner) = self.next()?;
            let value = self.value(event, inner)?;
            if is_merge {
                merged.push((value, inner));
                continue;
            }
            if let Some(first) = places.insert(name.clone(), at) {
                return Err(problem(
                    &format!("a name that is there already, at {}", place(first)),
                    at,
                ));
            }
            fields.insert(name.into_owned(), value);
        }
        for (value, at) in merged {
            merge(&mut fields, value, at)?;
        }
        Ok(Value::Object(fields))
    }

    fn size(&self) -> Size {
        Size {
            values: self.values,
            bytes: self.bytes,
        }
    }

    fn count(&mut self, values: usize, at: Marker) -> Result<(), String> {
        self.values = self.values.saturating_add(values);
        match self.values > VALUES_MAX {
            true => Err(problem(&format!("more than {VALUES_MAX} values"), at)),
            false => Ok(()),
        }
    }

    /// Counts a copy, before it is made.
    fn copy(&mut self, size: Size, at: Marker) -> Result<(), String> {
        self.count(size.values, at)?;
        self.bytes = self.bytes.saturating_add(size.bytes);
        self.copied_bytes = self.copied_bytes.saturating_add(size.bytes);
        match self.copied_bytes > COPIED_BYTES_MAX {
            true => Err(problem(
                &format!(
                    "anchors and aliases repeat more than {COPIED_BYTES_MAX} bytes; use fewer aliases of long values, \
                     or anchor a smaller part"
                ),
                at,
            )),
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
    let Some(tag) = tag else {
        return Ok(match style {
            ScalarStyle::Plain => plain(text),
            _ => Value::from(text),
        });
    };
    let Some(kind) = tag.core_suffix() else {
        return Err(problem(UNKNOWN_TAG, at));
    };
    let value = match kind {
        "str" => Value::from(text),
        _ => plain(text),
    };
    let fits = match (kind, &value) {
        ("str", _) | ("null", Value::Null) | ("bool", Value::Bool(_)) | ("float", Value::Number(_)) => true,
        ("int", Value::Number(number)) => !number.is_f64(),
        _ => false,
    };
    match fits {
        true => Ok(value),
        false => Err(problem(&unfit(kind), at)),
    }
}

/// Checks the tag of a list (`seq`) or of a mapping (`map`).
fn collection(tag: Option<&Tag>, kind: &str, at: Marker) -> Result<(), String> {
    match tag.map(|tag| tag.core_suffix()) {
        None => Ok(()),
        Some(Some(tagged)) if tagged == kind => Ok(()),
        Some(Some(tagged)) => Err(problem(&unfit(tagged), at)),
        Some(None) => Err(problem(UNKNOWN_TAG, at)),
    }
}

const UNKNOWN_TAG: &str = "a tag that is not known";

fn unfit(kind: &str) -> String {
    format!("a value that is not what its tag `!!{kind}` says: leave the tag out, or correct the value")
}

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
    format!("{}: {what}", place(at))
}

fn place(at: Marker) -> String {
    format!("line {}, column {}", at.line(), at.col() + 1)
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
            (
                "a: !!int 7\nb: !!float 1.5\nc: !!bool true\nd: !!null ~",
                json!({"a": 7, "b": 1.5, "c": true, "d": null}),
            ),
            ("a: !!seq [1]\nb: !!map {c: d}", json!({"a": [1], "b": {"c": "d"}})),
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
            (
                "a: hush\na: hush",
                "line 2, column 1: a name that is there already, at line 1, column 1",
            ),
            (
                "a: !!int hush",
                "line 1, column 10: a value that is not what its tag `!!int` says",
            ),
            ("a: !!int 1.5", "tag `!!int`"),
            ("a: !!float hush", "tag `!!float`"),
            ("a: !!bool hush", "tag `!!bool`"),
            ("a: !!bool 1", "tag `!!bool`"),
            ("a: !!null hush", "tag `!!null`"),
            ("a: !!seq hush", "tag `!!seq`"),
            ("a: !!seq {b: hush}", "tag `!!seq`"),
            ("a: !!map [hush]", "tag `!!map`"),
            ("a: !!str [hush]", "tag `!!str`"),
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
        // Of each kind of copy, few values of many bytes.
        let long = "x".repeat(COPIED_BYTES_MAX / 40);
        let aliases = "- *a\n".repeat(40);
        let names = (0..long.len() / 1_000).map(|index| format!("{index:01000}: 1"));
        let names = names.collect::<Vec<_>>().join(", ");
        for (anchored, copies) in [
            (format!("- &a {long}\n"), aliases.clone()),
            (format!("- &a {{{names}}}\n"), aliases.clone()),
            (format!("- &a [[{long}]]\n"), "- [*a, *a]\n".repeat(20)),
            (format!("- &a {{b: {long}}}\n"), "- {<<: *a}\n".repeat(40)),
            (String::new(), format!("- &a {long}\n").repeat(41)),
        ] {
            let problem = read(&format!("{anchored}{copies}")).unwrap_err();
            assert!(
                problem.starts_with("line ") && problem.contains("use fewer aliases"),
                "{problem}"
            );
        }
        // What no alias repeats is as long as the text.
        assert!(read(&format!("- {long}\n").repeat(50)).is_ok());
        assert!(read(&format!("- &a {long}\n{}", "- *a\n".repeat(30))).is_ok());
        let deep = "[".repeat(10_000) + &"]".repeat(10_000);
        assert!(read(&deep).is_err());
        let deep: String = (0..1_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
        assert!(read(&deep).is_err());
    }
}
