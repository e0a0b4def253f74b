//! Reads a settings file: TOML, or YAML by its name. Both give the same tree of values.

use std::path::Path;

use millrace_cli::{ConfigError, read, read_toml, read_yaml};
use serde_json::Value;

/// Reads a file into a tree of values.
///
/// # Errors
/// The file is not there, or not what its name says.
pub(super) fn tree(path: &Path) -> Result<Value, ConfigError> {
    let text = read(path)?;
    let is_yaml = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("yaml") || extension.eq_ignore_ascii_case("yml"));
    match is_yaml {
        true => read_yaml(path, &text),
        false => read_toml(path, &text),
    }
}
