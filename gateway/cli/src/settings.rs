//! Why settings cannot be used, which key, where it was given, what would be right: never a secret. And settings files.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::file::read_file;

/// Bytes of a settings file.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// The source of a value that was given on the command line.
pub const FLAG: &str = "flag";

/// Stands for the source of a value until the loader names it.
pub const UNNAMED: &str = "all sources together";

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
        source: io::Error,
    },
    /// The file is not in the language that its name says.
    #[error("settings file {} is not valid {language}: {problem}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// `TOML` or `YAML`.
        language: &'static str,
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
    /// A setting without which nothing can start.
    #[error("setting `{key}` is missing: {remedy}")]
    Missing {
        /// The dotted key.
        key: String,
        /// What to set.
        remedy: String,
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
    /// More than one of these.
    #[error("{} settings are wrong:{}", .0.len(), listed(.0))]
    Several(Vec<ConfigError>),
}

impl ConfigError {
    /// A value that contradicts others or is out of bounds, found after loading.
    pub fn value(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Value {
            key: key.into(),
            from: UNNAMED.to_owned(),
            problem: problem.into(),
        }
    }

    /// All that was found, as one error; `None` if that is nothing.
    pub fn of(mut errors: Vec<Self>) -> Option<Self> {
        match errors.len() {
            0 => None,
            1 => errors.pop(),
            _ => Some(Self::Several(errors)),
        }
    }

    /// The dotted key at fault, if it is one.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Unknown { key, .. } | Self::Missing { key, .. } | Self::Value { key, .. } => Some(key),
            Self::Read { .. } | Self::Syntax { .. } | Self::Several(_) => None,
        }
    }

    /// Tells whether flags alone are at fault: then it is the command line that makes no sense.
    pub fn is_by_flags(&self) -> bool {
        match self {
            Self::Unknown { from, .. } | Self::Value { from, .. } => from == FLAG,
            Self::Several(errors) => errors.iter().all(Self::is_by_flags),
            Self::Read { .. } | Self::Syntax { .. } | Self::Missing { .. } => false,
        }
    }
}

fn listed(errors: &[ConfigError]) -> String {
    errors.iter().map(|error| format!("\n- {error}")).collect()
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion
        .map(|key| format!("; did you mean `{key}`?"))
        .unwrap_or_default()
}

/// Reads the text of a settings file.
///
/// # Errors
/// The file is not there, no file, too large, or no text.
pub fn read(path: &Path) -> Result<String, ConfigError> {
    let text = read_file(path, FILE_BYTES_MAX).and_then(|bytes| {
        String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
    });
    text.map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })
}

/// Reads TOML into a tree of values. `path` is what an error names.
///
/// # Errors
/// The text is no TOML.
pub fn read_toml(path: &Path, text: &str) -> Result<Value, ConfigError> {
    toml::from_str(text).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        language: "TOML",
        problem: without_quotation(&error.to_string()),
    })
}

/// Reads YAML into a tree of values. `path` is what an error names.
///
/// # Errors
/// The text is no YAML of one document.
#[cfg(feature = "yaml")]
pub fn read_yaml(path: &Path, text: &str) -> Result<Value, ConfigError> {
    crate::yaml::read(text).map_err(|problem| ConfigError::Syntax {
        path: path.to_owned(),
        language: "YAML",
        problem,
    })
}

/// An error without the lines that quote the file: a password may stand there.
fn without_quotation(error: &str) -> String {
    let lines = error.lines().map(str::trim);
    let kept: Vec<_> = lines.filter(|line| !line.is_empty() && !line.contains('|')).collect();
    kept.join(": ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn toml_becomes_values() {
        let text = "a = 1\n[b]\nc.d = [true, 'x', -2.5]\n[[e]]\nf = \"\"\"y\"\"\"\n";
        let read = read_toml(Path::new("x"), text).unwrap();
        assert_eq!(
            read,
            json!({"a": 1, "b": {"c": {"d": [true, "x", -2.5]}}, "e": [{"f": "y"}]})
        );
    }

    #[test]
    fn wrong_toml_is_not_quoted() {
        for (text, expected) in [
            ("[server", "line 1"),
            ("a = 1\nurl = \"http://u:hush@h", "line 2"),
            ("a = 1\nb = hush", "line 2"),
            ("a = 1\na = 2", "duplicate key"),
        ] {
            let error = read_toml(Path::new("/x.toml"), text).unwrap_err().to_string();
            assert!(
                error.contains("/x.toml is not valid TOML") && error.contains(expected),
                "{error}"
            );
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
