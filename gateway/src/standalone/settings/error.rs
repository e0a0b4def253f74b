//! Why settings cannot be used.

use std::path::PathBuf;

/// The source of a value that was given on the command line.
pub(crate) const FLAG: &str = "flag";

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file was named but cannot be read.
    #[error("settings file {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is neither TOML nor YAML, as its name says.
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
    /// All that was found, as one error; `None` if that is nothing.
    pub(crate) fn of(mut errors: Vec<Self>) -> Option<Self> {
        match errors.len() {
            0 => None,
            1 => errors.pop(),
            _ => Some(Self::Several(errors)),
        }
    }

    /// Tells whether flags alone are at fault: then it is the command line that makes no sense.
    pub(crate) fn is_by_flags(&self) -> bool {
        match self {
            Self::Unknown { from, .. } | Self::Value { from, .. } => from == FLAG,
            Self::Several(errors) => errors.iter().all(Self::is_by_flags),
            Self::Read { .. } | Self::Syntax { .. } => false,
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
