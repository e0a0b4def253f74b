//! All settings of the binary, composed of the sections of the platform and of the services.

use std::collections::BTreeMap;

use millrace_chassis::config::{ConfigError, DatabaseSection, Limits, Log, Secrets, Server};
use serde::{Deserialize, Serialize};

use crate::identity::Identity;

/// The file `millrace.toml`, the environment `MILLRACE_<SECTION>__<KEY>`, and what flags override.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where the platform listens.
    pub server: Server,
    /// Bounds on what callers can take.
    pub limits: Limits,
    /// What is logged, and how.
    pub log: Log,
    /// Where the rows are.
    pub database: DatabaseSection,
    /// Secrets, never shown.
    pub secrets: Secrets,
    /// Sign-up and keys.
    pub identity: Identity,
}

impl Settings {
    /// Returns the boolean settings that methods name in the proto by `open_by`.
    pub fn switches(&self) -> BTreeMap<String, bool> {
        BTreeMap::from([("identity.open_sign_up".to_owned(), self.identity.open_sign_up)])
    }

    /// Checks what no single value shows.
    ///
    /// # Errors
    /// The setting at fault, and what would be right.
    pub fn check(&self) -> Result<(), ConfigError> {
        if !self.identity.key_environment_is_good() {
            let problem = "must be 1 to 16 small letters and digits, as in `live`";
            return Err(ConfigError::value("identity.key_environment", problem));
        }
        if self
            .secrets
            .page_token
            .iter()
            .any(|secret| secret.len() < PAGE_TOKEN_BYTES_MIN)
        {
            let problem = format!("must have at least {PAGE_TOKEN_BYTES_MIN} bytes, as from `openssl rand -hex 32`");
            return Err(ConfigError::value("secrets.page_token", problem));
        }
        Ok(())
    }

    /// Checks what `serve` needs beyond that.
    ///
    /// # Errors
    /// The setting at fault, and what would be right.
    pub fn check_for_serving(&self) -> Result<(), ConfigError> {
        self.check()?;
        if self.secrets.page_token.is_empty() {
            let problem = "is missing: list at least one secret of 32 bytes, as from `openssl rand -hex 32`";
            return Err(ConfigError::value("secrets.page_token", problem));
        }
        Ok(())
    }
}

/// Fewest bytes of a secret.
const PAGE_TOKEN_BYTES_MIN: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_at_fault_are_named() {
        let secrets = |secrets: &[&str]| Secrets {
            page_token: secrets.iter().map(ToString::to_string).collect(),
        };
        let identity = |word: &str| Identity {
            key_environment: word.to_owned(),
            ..Identity::default()
        };
        let good = "0123456789abcdef0123456789abcdef";
        for (secrets, identity, expected) in [
            (secrets(&[good]), identity("live"), None),
            (
                secrets(&[good, "short"]),
                identity("live"),
                Some("`secrets.page_token`"),
            ),
            (secrets(&[]), identity("live"), Some("`secrets.page_token`")),
            (secrets(&[good]), identity("Live"), Some("`identity.key_environment`")),
            (secrets(&[good]), identity(""), Some("`identity.key_environment`")),
        ] {
            let settings = Settings {
                secrets,
                identity,
                ..Settings::default()
            };
            let found = settings.check_for_serving().err().map(|error| error.to_string());
            match expected {
                None => assert_eq!(found, None),
                Some(key) => assert!(found.unwrap_or_default().contains(key), "{key}"),
            }
        }
        assert!(Settings::default().check().is_ok());
    }
}
