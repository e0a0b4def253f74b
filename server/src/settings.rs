//! All settings of the binary, composed of the sections of the platform and of the services.

use std::collections::BTreeMap;

use millrace_chassis::config::{DatabaseSection, Limits, Log, Problems, Secrets, Server};
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

    /// Checks what the types do not say. Every command comes through here, so that none accepts what another refuses.
    pub fn check(&self, purpose: Purpose, problems: &mut Problems) {
        // In `dev` a default makes way for an address that was asked for.
        let by_default = Server::default();
        let one_is_default =
            self.server.listen == by_default.listen || self.server.admin_listen == by_default.admin_listen;
        if purpose == Purpose::Dev && one_is_default {
            self.server.check_origins(problems);
        } else {
            self.server.check(problems);
        }
        self.limits.check(problems);
        self.log.check(problems);
        self.identity.check(problems);
        match purpose {
            // It has a folder of its own, with a secret of its own.
            Purpose::Dev => self.secrets.check(problems),
            Purpose::Databases => {
                self.database.check(problems);
                self.secrets.check(problems);
            }
            Purpose::Serve => {
                self.database.check(problems);
                self.secrets.check_for_serving(problems);
            }
        }
    }
}

/// What settings are needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// `dev`: addresses and bounds; the databases are those of its folder.
    Dev,
    /// Commands that work on the databases without serving.
    Databases,
    /// `serve`.
    Serve,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_purpose_needs_its_own() {
        let found = |settings: &Settings, purpose| {
            let mut problems = Problems::default();
            settings.check(purpose, &mut problems);
            problems
                .done()
                .map_or_else(|error| error.to_string(), |()| String::new())
        };
        let settings = Settings::default();
        assert_eq!(found(&settings, Purpose::Dev), "");
        let databases = found(&settings, Purpose::Databases);
        assert!(databases.contains("`database.global` is missing"), "{databases}");
        assert!(!databases.contains("page_token"), "{databases}");
        let serve = found(&settings, Purpose::Serve);
        assert!(serve.contains("`database.global` is missing"), "{serve}");
        assert!(serve.contains("`secrets.page_token` is missing"), "{serve}");

        for word in ["Live", "", "a_b", "12345678901234567"] {
            let mut settings = Settings::default();
            word.clone_into(&mut settings.identity.key_environment);
            let found = found(&settings, Purpose::Dev);
            assert!(found.contains("`identity.key_environment`"), "{word}: {found}");
        }
    }
}
