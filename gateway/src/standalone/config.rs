//! `millrace-gateway config`.

use clap::Args;

use super::{Environment, Exit, Failure, SettingsArgs, output, settings};

/// Flags of `millrace-gateway config`.
#[derive(Debug, Clone, Args)]
pub(super) struct Config {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Prints the reference of all settings in Markdown, without values
    #[arg(long)]
    markdown: bool,
}

impl Config {
    pub(super) fn run(self, environment: Environment) -> Result<Exit, Failure> {
        if self.markdown {
            output::text(&settings::document())?;
        } else {
            output::text(&settings::listing(&self.settings.load(environment)?))?;
        }
        Ok(Exit::Ok)
    }
}
