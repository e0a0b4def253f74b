//! `millrace migrate`.

use clap::Args;
use millrace_chassis::Options;

use super::open::{self, SettingsArgs};
use super::{Environment, Exit, Failure, output};
use crate::settings::Purpose;

/// Flags of `millrace migrate`.
#[derive(Debug, Clone, Args)]
pub(super) struct Migrate {
    /// Lists the changes of the services without applying them; empty databases are made into a cluster first
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl Migrate {
    pub(super) async fn run(self, environment: Environment) -> Result<Exit, Failure> {
        let settings = self
            .settings
            .load(environment, Vec::new(), Purpose::Databases)?
            .settings;
        let platform = open::platform(&settings).await?;
        let chassis = open::chassis(&platform, &settings, Options::default());
        let changes = if self.dry_run {
            chassis.pending().await?
        } else {
            chassis.migrate().await?
        };
        for change in &changes {
            output::line(format_args!("{change}"))?;
        }
        let what = if self.dry_run { "to be applied" } else { "applied" };
        output::note(format_args!("{} schema changes {what}", changes.len()));
        Ok(Exit::Ok)
    }
}
