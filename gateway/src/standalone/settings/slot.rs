//! The kinds of settings: how each is read from a file or from text, where it goes, and what is said of a value that does
//! not fit.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use super::keys::Key;
use crate::transcode::nearest;

/// A kind of setting, with the place of its value in `S`.
pub(crate) enum Slot<S> {
    /// True or false.
    Flag(fn(&mut S, bool)),
    /// One of two words; the second is true.
    Either([&'static str; 2], fn(&mut S, bool)),
    /// One of some words, by its index.
    Word(&'static [&'static str], fn(&mut S, usize)),
    /// A whole number between two bounds.
    Number([u64; 2], fn(&mut S, u64)),
    /// Milliseconds between two bounds.
    Millis([u64; 2], fn(&mut S, Duration)),
    /// Text.
    Text(fn(&mut S, String)),
    /// A list of words that has a form: what it is a list of, and its reader, as of `Other`.
    Names(&'static str, fn(&mut S, Vec<String>) -> Result<(), String>),
    /// A file.
    File(fn(&mut S, PathBuf)),
    /// A list of files.
    Files(fn(&mut S, Vec<PathBuf>)),
    /// An IP address with a port.
    Address(fn(&mut S, SocketAddr)),
    /// An IP address with a port, or `off`.
    AddressOrOff(fn(&mut S, Option<SocketAddr>)),
    /// The path of a URL, or `off`.
    PathOrOff(fn(&mut S, Option<String>)),
    /// Something with a form of its own: what it is, and its reader. A reader's problem begins after the key's name.
    Other(&'static str, fn(&mut S, &Value) -> Result<(), String>),
}

impl<S> Slot<S> {
    /// What a value is, for the documentation.
    pub(crate) fn kind(&self) -> String {
        match self {
            Self::Flag(_) => "true or false".to_owned(),
            Self::Either(words, _) => quoted(words),
            Self::Word(words, _) => quoted(words),
            Self::Number(..) => "number".to_owned(),
            Self::Millis(..) => "milliseconds".to_owned(),
            Self::Text(_) => "text".to_owned(),
            Self::Names(what, _) => format!("list of {what}"),
            Self::File(_) => "file".to_owned(),
            Self::Files(_) => "list of files".to_owned(),
            Self::Address(_) => "IP:PORT".to_owned(),
            Self::AddressOrOff(_) => "IP:PORT or \"off\"".to_owned(),
            Self::PathOrOff(_) => "path or \"off\"".to_owned(),
            Self::Other(kind, _) => (*kind).to_owned(),
        }
    }

    /// The value that a text stands for: a variable of the environment, or a default in the table.
    pub(crate) fn parse(&self, text: &str) -> Value {
        let literal = || serde_json::from_str(text).ok();
        let list = || {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Value::from(items.map(str::to_owned).collect::<Vec<_>>())
        };
        match self {
            Self::Flag(_) | Self::Number(..) | Self::Millis(..) => literal(),
            Self::Names(..) | Self::Files(_) | Self::Other(..) if text.starts_with('[') => literal(),
            Self::Names(..) | Self::Files(_) => Some(list()),
            _ => None,
        }
        .unwrap_or_else(|| Value::from(text))
    }

    /// Puts a value into its place.
    ///
    /// # Errors
    /// What would be right, as the end of a sentence that began with the value; or after a place inside it.
    pub(crate) fn set(&self, to: &mut S, value: &Value) -> Result<(), String> {
        let text = || value.as_str();
        let wrong = || format!("must be {}", self.wanted());
        match self {
            Self::Flag(set) => set(to, value.as_bool().ok_or_else(wrong)?),
            Self::Either(words, set) => set(to, word(words, value).ok_or_else(wrong)? == 1),
            Self::Word(words, set) => set(to, word(words, value).ok_or_else(wrong)?),
            Self::Number(bounds, set) => set(to, number(bounds, value).ok_or_else(wrong)?),
            Self::Millis(bounds, set) => set(to, Duration::from_millis(number(bounds, value).ok_or_else(wrong)?)),
            Self::Text(set) => set(to, text().ok_or_else(wrong)?.to_owned()),
            Self::Names(_, read) => read(to, words(value).ok_or_else(wrong)?)?,
            Self::File(set) => set(to, text().filter(|text| !text.is_empty()).ok_or_else(wrong)?.into()),
            Self::Files(set) => {
                let names = words(value).ok_or_else(wrong)?;
                set(to, names.into_iter().map(PathBuf::from).collect());
            }
            Self::Address(set) => set(to, address(value).ok_or_else(wrong)?),
            Self::AddressOrOff(set) => match text() {
                Some("off") => set(to, None),
                _ => set(to, Some(address(value).ok_or_else(wrong)?)),
            },
            Self::PathOrOff(set) => match text() {
                Some("off") => set(to, None),
                Some(path) if path.starts_with('/') => set(to, Some(path.to_owned())),
                _ => return Err(wrong()),
            },
            Self::Other(_, read) => read(to, value)?,
        }
        Ok(())
    }

    fn wanted(&self) -> String {
        match self {
            Self::Number([min, max], _) | Self::Millis([min, max], _) if *max == u64::MAX => {
                format!("a whole number of at least {min}")
            }
            Self::Number([min, max], _) | Self::Millis([min, max], _) => {
                format!("a whole number from {min} to {max}")
            }
            Self::Names(..) | Self::Files(_) => "a list, as in [\"...\", \"...\"]".to_owned(),
            Self::Address(_) => "an IP address and a port, as in 127.0.0.1:8080".to_owned(),
            Self::AddressOrOff(_) => "an IP address and a port, as in 127.0.0.1:9464, or `off`".to_owned(),
            Self::PathOrOff(_) => "a path that begins with `/`, or `off`".to_owned(),
            Self::File(_) => "the name of a file".to_owned(),
            _ => self.kind(),
        }
    }
}

/// Reads a list of tables, each by the same keys.
///
/// # Errors
/// What is wrong, after the place in the list: `[2].url must be text`.
pub(crate) fn tables<S>(value: &Value, keys: &[Key<S>], new: fn() -> S) -> Result<Vec<S>, String> {
    let list = value.as_array().ok_or("must be a list of tables")?;
    let read = list.iter().enumerate().map(|(index, value)| {
        let mut table = new();
        let fields = value.as_object().ok_or_else(|| format!("[{index}] must be a table"))?;
        let filled = fill(&mut table, &mut Vec::new(), &mut BTreeMap::new(), fields, keys);
        filled.map_err(|problem| format!("[{index}].{problem}"))?;
        Ok(table)
    });
    read.collect()
}

/// Sets what a table gives; `sections` are the names around it, and `given` says how each key is written.
fn fill<'v, S>(
    table: &mut S,
    sections: &mut Vec<&'v str>,
    given: &mut BTreeMap<&'static str, String>,
    fields: &'v Map<String, Value>,
    keys: &[Key<S>],
) -> Result<(), String> {
    let section: String = sections.iter().flat_map(|name| [*name, "."]).collect();
    for (name, value) in fields {
        let dotted = format!("{section}{name}");
        let inner = format!("{dotted}.");
        if let Some(key) = keys.iter().find(|key| key.name == dotted) {
            let written = written(sections, name);
            if let Some(other) = given.insert(key.name, written.clone()) {
                return Err(format!("{dotted} {}", given_twice(&other, &written)));
            }
            let set = key.slot.set(table, value);
            set.map_err(|problem| spaced(&dotted, &problem))?;
        } else if let (Some(fields), true) = (value.as_object(), keys.iter().any(|key| key.name.starts_with(&inner))) {
            sections.push(name);
            fill(table, sections, given, fields, keys)?;
            sections.pop();
        } else {
            let near = nearest(&dotted, keys.iter().map(|key| key.name));
            let suggestion = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return Err(format!("{dotted} is unknown{suggestion}"));
        }
    }
    Ok(())
}

/// How a key is written: its name, inside of which sections.
pub(super) fn written(sections: &[&str], name: &str) -> String {
    let sections = sections.iter().rev().map(|section| format!(" in section `{section}`"));
    format!("`{name}`{}", sections.collect::<String>())
}

/// What is said of a key that a file gives in two ways. Neither is the later one: a file has no order of names.
pub(super) fn given_twice(one: &str, other: &str) -> String {
    format!("is given twice, as {one} and as {other}; leave one of them out")
}

/// A problem behind a name; one that names a place inside stands at once behind it.
pub(crate) fn spaced(name: &str, problem: &str) -> String {
    if problem.starts_with(['[', '.']) {
        format!("{name}{problem}")
    } else {
        format!("{name} {problem}")
    }
}

fn word(words: &[&str], value: &Value) -> Option<usize> {
    let text = value.as_str()?;
    words.iter().position(|word| *word == text)
}

fn number([min, max]: &[u64; 2], value: &Value) -> Option<u64> {
    value.as_u64().filter(|number| (min..=max).contains(&number))
}

/// A list of text. A single text is a list of one.
fn words(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(word) => Some(vec![word.clone()]),
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

fn address(value: &Value) -> Option<SocketAddr> {
    value.as_str()?.parse().ok()
}

fn quoted(words: &[&str]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}
