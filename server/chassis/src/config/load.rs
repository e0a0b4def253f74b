//! Reads the settings from file, environment and flags, and remembers where each came from.

use std::net::Ipv6Addr;
use std::path::Path;

use millrace_cli::{ConfigError, FLAG};
use millrace_gateway::transcode::nearest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::problems::Problems;
use crate::config::redact::{HIDDEN, shown};
use crate::config::tree::{self, Kind, Section, Unfit};

/// The prefix of our variables; sections and keys are joined by two underscores: `MILLRACE_SERVER__LISTEN`.
const PREFIX: &str = "MILLRACE_";

/// The prefix of the stand-alone gateway's variables, which are none of the platform's.
const GATEWAY_PREFIX: &str = "MILLRACE_GATEWAY_";

/// The name of what nobody has given.
const DEFAULT: &str = "default";

/// A setting given on the command line: its dotted key, as in `server.listen`, and the value.
pub type Flag = (&'static str, Value);

/// Settings, with the source of each. `Debug` shows neither: some are secrets.
pub struct Loaded<T> {
    /// The settings.
    pub settings: T,
    sources: Vec<Given>,
}

impl<T> std::fmt::Debug for Loaded<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Loaded")
    }
}

/// One line of `millrace config show`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Dotted key, as in `server.listen`.
    pub key: String,
    /// The value as TOML-like text; secrets and passwords are redacted.
    pub value: String,
    /// Where it came from: `default`, `millrace.toml`, `environment`, `flag`.
    pub source: String,
}

/// Loads settings: file < environment < flags. `T` should be `#[serde(default, deny_unknown_fields)]`. Of the
/// environment only variables with the prefix `MILLRACE_` and a section (two underscores) are settings; others, such as
/// the keys in `dev.env`, are not.
///
/// # Errors
/// The file cannot be read, or keys are unknown or values do not fit: all of them.
pub fn load<T>(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: impl IntoIterator<Item = Flag>,
) -> Result<Loaded<T>, ConfigError>
where
    T: Serialize + DeserializeOwned,
{
    load_checked(file, environment, flags, |_, _| {})
}

/// Loads settings as [`load`] does, and checks what their types cannot say.
///
/// # Errors
/// The file cannot be read; or all that is wrong with the settings, what `check` finds included.
pub fn load_checked<T>(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: impl IntoIterator<Item = Flag>,
    check: impl FnOnce(&T, &mut Problems),
) -> Result<Loaded<T>, ConfigError>
where
    T: Serialize + DeserializeOwned,
{
    let mut given: Vec<Given> = file.map(Given::file).transpose()?.into_iter().collect();
    let defaults = defaults::<T>();
    for (name, text) in environment {
        if let Some(key) = variable_key(&name) {
            let value = variable(&text, tree::find(&defaults, &key));
            given.push(Given::one(format!("environment {name}"), &key, value));
        }
    }
    given.extend(
        flags
            .into_iter()
            .map(|(key, value)| Given::one(FLAG.to_owned(), key, value)),
    );

    let (loaded, faults) = extract_all(given)?;
    let mut problems = Problems::default();
    check(&loaded.settings, &mut problems);
    problems.follow(faults, |key| loaded.source(key)).done()?;
    Ok(loaded)
}

/// Reads the settings from all sources together. What does not fit is left out and noted, so that the rest is read too.
fn extract_all<T: DeserializeOwned>(mut given: Vec<Given>) -> Result<(Loaded<T>, Vec<ConfigError>), ConfigError> {
    let mut faults = Vec::new();
    // Every round takes one value away, so this ends.
    loop {
        let mut values = Section::new();
        for given in &given {
            tree::merge(&mut values, &given.values);
        }
        match tree::read(&values) {
            Ok(settings) => {
                let sources = given;
                return Ok((Loaded { settings, sources }, faults));
            }
            Err(unfit) => {
                let fault = explain(unfit, &given);
                let removed = fault.key().is_some_and(|key| {
                    // From every source, not only the first that has it.
                    let removed = given
                        .iter_mut()
                        .filter_map(|given| tree::remove(&mut given.values, key).then_some(()));
                    removed.count() > 0
                });
                if !removed {
                    return Err(fault);
                }
                faults.push(fault);
            }
        }
    }
}

impl<T> Loaded<T> {
    /// Returns where a setting came from: `default`, `millrace.toml`, `environment NAME`, `flag`.
    pub fn source(&self, key: &str) -> String {
        source(&self.sources, key).unwrap_or(DEFAULT).to_owned()
    }

    /// Tells whether a setting was given, by whatever source.
    pub fn is_given(&self, key: &str) -> bool {
        source(&self.sources, key).is_some()
    }
}

/// The last of the sources that has a key.
fn source<'g>(given: &'g [Given], key: &str) -> Option<&'g str> {
    let mut latest = given.iter().rev();
    latest
        .find(|given| tree::find(&given.values, key).is_some())
        .map(|given| given.source.as_str())
}

impl<T: Serialize> Loaded<T> {
    /// Lists every setting with its value and source, in alphabetical order, secrets redacted.
    pub fn show(&self) -> Vec<Setting> {
        let mut lines = Vec::new();
        if let Ok(value) = serde_json::to_value(&self.settings) {
            self.collect(String::new(), &value, &mut lines);
        }
        lines
    }

    fn collect(&self, key: String, value: &Value, lines: &mut Vec<Setting>) {
        if let Value::Object(section) = value {
            for (name, inner) in section {
                let inner_key = if key.is_empty() {
                    name.clone()
                } else {
                    format!("{key}.{name}")
                };
                self.collect(inner_key, inner, lines);
            }
            return;
        }
        lines.push(Setting {
            value: if key.starts_with("secrets.") {
                HIDDEN.to_owned()
            } else {
                shown(value)
            },
            source: self.source(&key),
            key,
        });
    }
}

/// `MILLRACE_SERVER__LISTEN` -> `server.listen`.
fn variable_key(name: &str) -> Option<String> {
    let key = name
        .strip_prefix(PREFIX)
        .filter(|_| !name.starts_with(GATEWAY_PREFIX))?;
    key.contains("__").then(|| key.to_ascii_lowercase().replace("__", "."))
}

/// The settings that nobody has given: by them it is known which are lists, and which are text.
fn defaults<T: Serialize + DeserializeOwned>() -> Section {
    let settings = tree::read::<T>(&Section::new()).ok();
    match settings.map(serde_json::to_value) {
        Some(Ok(Value::Object(all))) => all,
        _ => Section::new(),
    }
}

/// The value of a variable, by the kind of its setting, which its default shows. A list is written as in the file, or
/// with commas between its entries, each as it stands. Where there is no default, brackets say that it is a list,
/// unless an IPv6 address stands in them.
fn variable(text: &str, default: Option<&Value>) -> Value {
    let text = text.trim();
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match (default, bracketed) {
        (Some(Value::Array(_)), Some(entries)) => list(text, entries),
        (Some(Value::Array(_)), None) if !text.starts_with('[') => entries(text).map(Value::from).collect(),
        (None | Some(Value::Null), Some(inner)) if inner.parse::<Ipv6Addr>().is_err() => list(text, inner),
        _ => scalar(text),
    }
}

/// A list in brackets: JSON, or words that need no quotes. There are no lists of lists.
fn list(text: &str, inner: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(list @ Value::Array(_)) => list,
        _ => entries(inner).map(scalar).collect(),
    }
}

fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

/// One value that is no list: JSON, or the text itself.
fn scalar(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Bool(_) | Value::Number(_) | Value::String(_))) => value,
        _ => Value::from(text),
    }
}

/// Values from one source.
#[derive(Clone)]
struct Given {
    source: String,
    values: Section,
}

impl Given {
    fn file(path: &Path) -> Result<Self, ConfigError> {
        let text = millrace_cli::read(path)?;
        let values = match millrace_cli::read_toml(path, &text)? {
            Value::Object(values) => values,
            _ => Section::new(),
        };
        Ok(Self {
            source: path.display().to_string(),
            values,
        })
    }

    fn one(source: String, key: &str, value: Value) -> Self {
        Self {
            source,
            values: tree::nested(key, value),
        }
    }
}

fn explain(unfit: Unfit, given: &[Given]) -> ConfigError {
    let key = unfit.key();
    let from = |key: &str| source(given, key).unwrap_or(DEFAULT).to_owned();
    match unfit.kind {
        Kind::Unknown(name, known) => {
            let dotted = |name: &str| match key.as_str() {
                "" => name.to_owned(),
                section => format!("{section}.{name}"),
            };
            ConfigError::Unknown {
                from: from(&dotted(&name)),
                suggestion: nearest(&name, known.iter().copied()).map(dotted),
                key: dotted(&name),
            }
        }
        // The other kinds quote the value, which may be a secret or hold a password.
        _ if key.starts_with("secrets") || key.starts_with("database") => ConfigError::Value {
            from: from(&key),
            key,
            problem: "has the wrong type; a list is written [\"...\", \"...\"]".to_owned(),
        },
        Kind::Other(problem) => ConfigError::Value {
            from: from(&key),
            key,
            problem: format!("is not usable: {problem}"),
        },
    }
}

#[cfg(test)]
mod tests;
