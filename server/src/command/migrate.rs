//! `millrace migrate`.

use clap::Args;
use millrace_chassis::Options;

use super::open::{self, SettingsArgs};
use super::{Environment, Exit, Failure, output, stopping};
use crate::settings::Purpose;

/// Flags of `millrace migrate`.
#[derive(Debug, Clone, Args)]
pub(super) struct Migrate {
    /// Lists what would be applied to each database, and changes nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl Migrate {
    pub(super) async fn run(self, environment: Environment) -> Result<Exit, Failure> {
        let mut signals = stopping::watch()?;
        let settings = self
            .settings
            .load(environment, Vec::new(), Purpose::Databases)?
            .settings;
        let start = async {
            Ok(if self.dry_run {
                let platform = open::unopened_platform(&settings)?;
                let chassis = open::chassis(&platform, &settings, Options::default());
                chassis.preview(&settings.database.database()?).await?
            } else {
                let platform = open::platform(&settings).await?;
                open::chassis(&platform, &settings, Options::default())
                    .migrate()
                    .await?
            })
        };
        let changes = match stopping::unless_stopped(&mut signals, start).await? {
            Ok(changes) => changes,
            Err(exit) => return Ok(exit),
        };
        for change in &changes {
            output::line(format_args!("{change}"))?;
        }
        let what = if self.dry_run { "to be applied" } else { "applied" };
        output::note(format_args!("{} schema changes {what}", changes.len()));
        Ok(Exit::Ok)
    }
}
