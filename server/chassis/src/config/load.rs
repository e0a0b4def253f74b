//! Reads the settings from file, environment and flags, and remembers where each came from.

use std::path::{Path, PathBuf};

use figment::error::Kind;
use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::nearest;
use crate::config::redact::{HIDDEN, shown};

/// The prefix of our variables; sections and keys are joined by two underscores: `MILLRACE_SERVER__LISTEN`.
const PREFIX: &str = "MILLRACE_";

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

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file was named but cannot be read.
    #[error("settings file {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("settings file {} is not valid TOML: {problem}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What and where.
        problem: String,
    },
    /// A key that nobody knows.
    #[error("unknown setting `{key}` ({from}){}", did_you_mean(suggestion.as_deref()))]
    Unknown {
        /// The dotted key.
        key: String,
        /// Where it was given.
        from: String,
        /// The known key that was probably meant.
        suggestion: Option<String>,
    },
    /// A value that does not fit its key.
    #[error("setting `{key}` ({from}) {problem}")]
    Value {
        /// The dotted key.
        key: String,
        /// Where it was given.
        from: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl ConfigError {
    /// A value that contradicts others or is out of bounds, found after loading.
    pub fn value(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Value {
            key: key.into(),
            from: "all sources together".to_owned(),
            problem: problem.into(),
        }
    }
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion
        .map(|key| format!("; did you mean `{key}`?"))
        .unwrap_or_default()
}

/// Loads settings: file < environment < flags. `T` should be `#[serde(default, deny_unknown_fields)]`. Of the
/// environment only variables with the prefix `MILLRACE_` and a section (two underscores) are settings; others, such as
/// the keys in `dev.env`, are not.
///
/// # Errors
/// The file cannot be read, a key is unknown, or a value does not fit.
pub fn load<T>(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: impl IntoIterator<Item = Flag>,
) -> Result<Loaded<T>, ConfigError>
where
    T: Serialize + DeserializeOwned,
{
    let mut sources = Figment::new();
    if let Some(path) = file {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        let parsed = Toml::string(&text).data().map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            problem: without_quotation(&error.to_string()),
        })?;
        sources = sources.merge(Given {
            source: path.display().to_string(),
            values: parsed.into_values().next().unwrap_or_default(),
        });
    }
    for (name, text) in environment {
        if let Some(key) = variable_key(&name) {
            let value = text
                .parse()
                .unwrap_or_else(|never: std::convert::Infallible| match never {});
            sources = sources.merge(Given::one(format!("environment {name}"), &key, value));
        }
    }
    for (key, value) in flags {
        sources = sources.merge(Given::one("flag".to_owned(), key, value));
    }
    let settings = sources.extract().map_err(explain)?;
    Ok(Loaded { settings, sources })
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
        let source = self
            .sources
            .find_metadata(&key)
            .map_or("default", |metadata| &metadata.name);
        lines.push(Setting {
            value: if key.starts_with("secrets.") {
                HIDDEN.to_owned()
            } else {
                shown(value)
            },
            source: source.to_owned(),
            key,
        });
    }
}

/// `MILLRACE_SERVER__LISTEN` -> `server.listen`.
fn variable_key(name: &str) -> Option<String> {
    let key = name.strip_prefix(PREFIX)?;
    key.contains("__").then(|| key.to_ascii_lowercase().replace("__", "."))
}

/// Values from one source.
struct Given {
    source: String,
    values: Dict,
}

impl Given {
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
        .filter(|part| *part != "default")
        .collect();
    let key = path.join(".");
    let from = error
        .metadata
        .as_ref()
        .map_or_else(|| "default".to_owned(), |metadata| metadata.name.to_string());
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
