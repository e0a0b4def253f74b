//! What is wrong with settings, gathered: whoever mends one mistake should not meet the next at the next start.

use std::fmt::Display;

use millrace_cli::{ConfigError, UNNAMED};

/// The problems found so far, in the order of the sections.
#[derive(Debug, Default)]
pub struct Problems(Vec<ConfigError>);

impl Problems {
    /// Adds a value that must not stay as it is. `problem` says what would be right.
    pub fn value(&mut self, key: &str, value: impl Display, problem: impl Display) {
        self.hidden(key, format_args!("is {value}; it {problem}"));
    }

    /// Adds a value that is a secret, or holds one: it is not shown.
    pub fn hidden(&mut self, key: &str, problem: impl Display) {
        self.0.push(ConfigError::Value {
            key: key.to_owned(),
            from: UNNAMED.to_owned(),
            problem: problem.to_string(),
        });
    }

    /// Adds a setting without which nothing can start. `remedy` says what to set.
    pub fn missing(&mut self, key: &str, remedy: impl Display) {
        self.0.push(ConfigError::Missing {
            key: key.to_owned(),
            remedy: remedy.to_string(),
        });
    }

    /// Adds an error that was found elsewhere.
    pub fn push(&mut self, error: ConfigError) {
        self.0.push(error);
    }

    /// Ends the checks.
    ///
    /// # Errors
    /// There are problems: the one, or all in one error.
    pub fn done(self) -> Result<(), ConfigError> {
        ConfigError::of(self.0).map_or(Ok(()), Err)
    }

    /// Names the source of each value, and adds the problems to those that loading has met. A key that loading left out
    /// is not complained about twice.
    pub(super) fn follow(self, mut loading: Vec<ConfigError>, source: impl Fn(&str) -> String) -> Self {
        let met: Vec<String> = loading.iter().filter_map(ConfigError::key).map(str::to_owned).collect();
        let is_met = |key: &str| {
            met.iter().any(|met| {
                key.strip_prefix(met.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
        };
        for mut problem in self.0 {
            if problem.key().is_some_and(is_met) {
                continue;
            }
            if let ConfigError::Value { key, from, .. } = &mut problem {
                *from = source(key);
            }
            loading.push(problem);
        }
        Self(loading)
    }
}
