//! Reads a settings file: TOML, or YAML by its name. Both give the same tree of values.

use std::path::Path;

use millrace_cli::{ConfigError, read, read_toml};
use serde_json::Value;

use super::yaml;

/// Reads a file into a tree of values.
///
/// # Errors
/// The file is not there, or not what its name says.
pub(super) fn tree(path: &Path) -> Result<Value, ConfigError> {
    let text = read(path)?;
    let is_yaml = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("yaml") || extension.eq_ignore_ascii_case("yml"));
    if !is_yaml {
        return read_toml(path, &text);
    }
    yaml::read(&text).map_err(|problem| ConfigError::Syntax {
        path: path.to_owned(),
        language: "YAML",
        problem,
    })
}
