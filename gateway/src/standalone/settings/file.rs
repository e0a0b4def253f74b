//! Reads a settings file: TOML, or YAML by its name. Both give the same tree of values.

use std::path::Path;

use figment::providers::{Format, Toml};
use serde_json::Value;

use super::ConfigError;

/// Reads a file into a tree of values.
///
/// # Errors
/// The file is not there, or not what its name says.
pub(super) fn read(path: &Path) -> Result<Value, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    let refuse = |language, problem: String| ConfigError::Syntax {
        path: path.to_owned(),
        language,
        problem: without_quotation(&problem),
    };
    let is_yaml = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("yaml") || extension.eq_ignore_ascii_case("yml"));
    if is_yaml {
        serde_saphyr::from_str(&text).map_err(|error| refuse("YAML", error.to_string()))
    } else {
        Toml::from_str(&text).map_err(|error| refuse("TOML", error.to_string()))
    }
}

/// An error without the lines that quote the file: a password may stand there.
fn without_quotation(error: &str) -> String {
    let lines = error.lines().map(str::trim);
    let kept: Vec<_> = lines.filter(|line| !line.is_empty() && !line.contains('|')).collect();
    kept.join(": ")
}
