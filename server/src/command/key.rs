//! `millrace key create`: a key without the API, as for the first operator of an installation. It writes into the
//! databases of the settings, and calls no server: what listens at an address may be anybody.

use clap::{Args, Subcommand};
use millrace_chassis::Options;

use super::open::{self, SettingsArgs};
use super::{Environment, Exit, Failure, output};
use crate::identity::{self, Account};
use crate::settings::Purpose;

/// Commands on keys.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum Key {
    /// Creates a key and prints it to standard output; it is not shown again
    ///
    /// The key is written into the databases of the settings, whether `serve` runs on them or not; no server is called.
    /// It works at once.
    Create(Create),
}

/// Flags of `millrace key create`.
#[derive(Debug, Clone, Args)]
pub(super) struct Create {
    /// Makes an operator's key, which may do everything
    #[arg(long)]
    admin: bool,
    /// E-mail of the user who gets the key; a user who is not there is created
    #[arg(long, value_name = "ADDRESS", default_value = "operator@localhost")]
    email: String,
    /// Name of a user who is created, and of the key
    #[arg(long, value_name = "TEXT", default_value = "Operator")]
    display_name: String,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl Key {
    pub(super) async fn run(self, environment: Environment) -> Result<Exit, Failure> {
        let Self::Create(create) = self;
        let loaded = create.settings.load(environment, Vec::new(), Purpose::Databases)?;
        let settings = loaded.settings;
        let platform = open::platform_beside(&settings).await?;
        open::require_schema(&open::chassis(&platform, &settings, Options::default())).await?;
        let failed = |error: identity::Error| {
            let exit = if matches!(error, identity::Error::Invalid(_)) {
                Exit::Usage
            } else {
                Exit::Unreachable
            };
            Failure::new(exit, "the key cannot be created", error)
        };
        let account = Account {
            display_name: create.display_name.clone(),
            email: create.email,
        };
        let user = identity::create_account(&platform, &account).await.map_err(failed)?;
        let word = &settings.identity.key_environment;
        let made = identity::create_key(&platform, user, word, &create.display_name, create.admin);
        let made = made.await.map_err(failed)?;
        output::note(format_args!(
            "{} for {}; it is not shown again:",
            made.name, account.email
        ));
        output::once(&made.text).map_err(|error| {
            let message = format!("the key cannot be shown, and nobody has seen it: {}", made.name);
            Failure::new(Exit::Unreachable, message, error).help("create another, and revoke this one with it")
        })?;
        Ok(Exit::Ok)
    }
}
