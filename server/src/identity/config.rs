//! `[identity]`: settings of sign-up and keys.

use millrace_chassis::config::Problems;
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
    /// Checks that `key_environment` can stand in a key.
    pub fn check(&self, problems: &mut Problems) {
        let word = self.key_environment.as_bytes();
        let is_plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if !(1..=16).contains(&word.len()) || !word.iter().all(is_plain) {
            let shown = format_args!("`{}`", self.key_environment);
            let problem = "must be 1 to 16 small letters and digits, as in `live`";
            problems.value("identity.key_environment", shown, problem);
        }
    }
}
