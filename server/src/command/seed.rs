//! `millrace seed`.

use clap::Args;
use millrace_chassis::Options;

use super::open::{self, SettingsArgs};
use super::{Environment, Exit, Failure, output};
use crate::sample;
use crate::settings::Purpose;

/// Flags of `millrace seed`.
#[derive(Debug, Clone, Args)]
pub(super) struct Seed {
    /// Seed of the sample data: one seed, one data
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl Seed {
    pub(super) async fn run(self, environment: Environment) -> Result<Exit, Failure> {
        let settings = self
            .settings
            .load(environment, Vec::new(), Purpose::Databases)?
            .settings;
        let platform = open::platform(&settings).await?;
        open::require_schema(&open::chassis(&platform, &settings, Options::default())).await?;
        let seeding = sample::seed(&platform, self.seed)
            .await
            .map_err(|error| Failure::new(Exit::Unreachable, "sample data cannot be made", error))?;
        let how = if seeding.new { "made" } else { "there already" };
        output::line(format_args!(
            "{} products, {} users, {} orders of seed {} are {how}",
            seeding.products, seeding.users, seeding.orders, seeding.seed
        ))?;
        Ok(Exit::Ok)
    }
}
