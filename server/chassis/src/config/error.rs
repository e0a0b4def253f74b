//! Why settings cannot be used: which key, where it was given, what would be right. Never a secret.

use std::path::PathBuf;

/// The name of the command line as a source.
pub(super) const FLAG: &str = "flag";

/// Stands for the source of a value until the loader names it.
pub(super) const UNNAMED: &str = "all sources together";

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
    /// A setting without which nothing can start.
    #[error("setting `{key}` is missing: {remedy}")]
    Missing {
        /// The dotted key.
        key: String,
        /// What to set.
        remedy: String,
    },
    /// More than one of these.
    #[error("{} settings are wrong:{}", .0.len(), listed(.0))]
    Several(Vec<ConfigError>),
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
            from: UNNAMED.to_owned(),
            problem: problem.into(),
        }
    }

    /// The dotted key at fault, if it is one.
    pub(super) fn key(&self) -> Option<&str> {
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
