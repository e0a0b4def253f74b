//! `[identity]`: settings of sign-up and keys.

use serde::{Deserialize, Serialize};

/// `[identity]`: who may sign up, and how keys look.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Identity {
    /// Whether anybody may create a user. It tells strangers which e-mails exist. Default false (`dev` sets true).
    pub open_sign_up: bool,
    /// The word in the text of new keys, `mr_<word>_...`: 1 to 16 small letters and digits. Default `live`.
    pub key_environment: String,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            open_sign_up: false,
            key_environment: "live".to_owned(),
        }
    }
}

impl Identity {
    /// Tells whether `key_environment` can stand in a key.
    pub fn key_environment_is_good(&self) -> bool {
        let word = self.key_environment.as_bytes();
        (1..=16).contains(&word.len())
            && word
                .iter()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    }
}
