//! `millrace migrate`.

use clap::Args;
use millrace_chassis::Options;

use super::open::{self, SettingsArgs};
use super::{Environment, Exit, Failure, output, stopping};

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
        let mut signals = stopping::watch()?;
        let settings = self.settings.load(environment, Vec::new())?.settings;
        let start = async {
            let platform = open::platform(&settings).await?;
            let chassis = open::chassis(&platform, &settings, Options::default());
            Ok(if self.dry_run {
                chassis.pending().await?
            } else {
                chassis.migrate().await?
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
        eprintln!("{} schema changes {what}", changes.len());
        Ok(Exit::Ok)
    }
}
