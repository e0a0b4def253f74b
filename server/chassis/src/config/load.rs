//! Reads the settings from file, environment and flags, and remembers where each came from.

use std::path::Path;

use figment::error::Kind;
use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use millrace_gateway::transcode::nearest;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::error::{ConfigError, FLAG};
use crate::config::problems::Problems;
use crate::config::redact::{HIDDEN, shown};

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
    sources: Figment,
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
            let is_list = matches!(
                defaults.as_ref().and_then(|all| all.find_ref(&key)),
                Some(Value::Array(..))
            );
            let value = variable(&text, is_list);
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
        let sources = given.iter().cloned().fold(Figment::new(), Figment::merge);
        match sources.extract() {
            Ok(settings) => return Ok((Loaded { settings, sources }, faults)),
            Err(error) => {
                let fault = explain(error);
                let removed = fault.key().is_some_and(|key| {
                    // From every source, not only the first that has it.
                    let removed = given
                        .iter_mut()
                        .filter_map(|given| remove(&mut given.values, key).then_some(()));
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

/// Takes away the value of a dotted key, or what stands in the place of one of its sections.
fn remove(values: &mut Dict, key: &str) -> bool {
    match key.split_once('.') {
        Some((section, rest)) => match values.get_mut(section) {
            Some(Value::Dict(_, inner)) => remove(inner, rest),
            Some(_) => values.remove(section).is_some(),
            None => false,
        },
        None => values.remove(key).is_some(),
    }
}

impl<T> Loaded<T> {
    /// Returns where a setting came from: `default`, `millrace.toml`, `environment NAME`, `flag`.
    pub fn source(&self, key: &str) -> String {
        self.sources
            .find_metadata(key)
            .map_or_else(|| DEFAULT.to_owned(), |metadata| metadata.name.to_string())
    }

    /// Tells whether a setting was given, by whatever source.
    pub fn is_given(&self, key: &str) -> bool {
        self.sources.find_metadata(key).is_some()
    }
}

impl<T: Serialize> Loaded<T> {
    /// Lists every setting with its value and source, in alphabetical order, secrets redacted.
    pub fn show(&self) -> Vec<Setting> {
        let mut lines = Vec::new();
        if let Ok(value) = Value::serialize(&self.settings) {
            self.collect(String::new(), &value, &mut lines);
        }
        lines
    }

    fn collect(&self, key: String, value: &Value, lines: &mut Vec<Setting>) {
        if let Value::Dict(_, section) = value {
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

/// The settings that nobody has given: by them it is known which are lists.
fn defaults<T: Serialize + DeserializeOwned>() -> Option<Value> {
    let settings = Figment::new().extract::<T>().ok()?;
    Value::serialize(settings).ok()
}

/// The value of a variable. A list is written as in the file, or with commas between its entries, each as it stands.
fn variable(text: &str, is_list: bool) -> Value {
    if is_list && !text.trim_start().starts_with('[') {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        return Value::from(entries.map(Value::from).collect::<Vec<_>>());
    }
    text.parse()
        .unwrap_or_else(|never: std::convert::Infallible| match never {})
}

/// Values from one source.
#[derive(Clone)]
struct Given {
    source: String,
    values: Dict,
}

impl Given {
    fn file(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        let parsed = Toml::string(&text).data().map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            problem: without_quotation(&error.to_string()),
        })?;
        Ok(Self {
            source: path.display().to_string(),
            values: parsed.into_values().next().unwrap_or_default(),
        })
    }

    fn one(source: String, key: &str, value: Value) -> Self {
        let nested = figment::util::nest(key, value);
        Self {
            source,
            values: nested.into_dict().unwrap_or_default(),
        }
    }
}

impl Provider for Given {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.source.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

fn explain(error: figment::Error) -> ConfigError {
    // Profiles are of no use here, so their name would only confuse.
    let path: Vec<&str> = error
        .path
        .iter()
        .map(String::as_str)
        .filter(|part| *part != DEFAULT)
        .collect();
    let key = path.join(".");
    let from = error
        .metadata
        .as_ref()
        .map_or_else(|| DEFAULT.to_owned(), |metadata| metadata.name.to_string());
    match &error.kind {
        Kind::UnknownField(name, known) => {
            // Depending on the depth the path ends in the unknown name itself, or in its section.
            let section = match path.split_last() {
                Some((last, section)) if *last == name => section.join("."),
                _ => key,
            };
            let dotted = |name: &str| {
                if section.is_empty() {
                    name.to_owned()
                } else {
                    format!("{section}.{name}")
                }
            };
            ConfigError::Unknown {
                key: dotted(name),
                from,
                suggestion: nearest(name, known.iter().copied()).map(dotted),
            }
        }
        // The other kinds quote the value, which may be a secret or hold a password.
        _ if key.starts_with("secrets") || key.starts_with("database") => ConfigError::Value {
            key,
            from,
            problem: "has the wrong type; a list is written [\"...\", \"...\"]".to_owned(),
        },
        kind => ConfigError::Value {
            key,
            from,
            problem: format!("is not usable: {kind}"),
        },
    }
}

/// A TOML error without the lines that quote the file: a password may stand there.
fn without_quotation(error: &str) -> String {
    let lines = error.lines().map(str::trim);
    let kept: Vec<_> = lines.filter(|line| !line.is_empty() && !line.contains('|')).collect();
    kept.join(": ")
}

#[cfg(test)]
mod tests;
