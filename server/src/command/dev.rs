//! `millrace dev`.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;
use millrace_chassis::config::{Loaded, LogFormat};
use millrace_chassis::shard::PoolLimits;
use millrace_chassis::shard::open::SHARDS_MAX;
use millrace_chassis::telemetry;
use millrace_cli::OpenFiles;

use super::listen::ListenArgs;
use super::open::SettingsArgs;
use super::{Environment, Exit, Failure, open_files, output, stopping};
use crate::dev::banner::{Place, banner};
use crate::dev::{self, DevOptions};
use crate::settings::{Purpose, Settings};

/// Flags of `millrace dev`.
#[derive(Debug, Clone, Args)]
pub(super) struct Dev {
    /// Folder of the databases and keys
    #[arg(long, value_name = "FOLDER", default_value = ".millrace")]
    data_dir: PathBuf,
    #[command(flatten)]
    listen: ListenArgs,
    /// Number of shards, 1 to 64; a folder keeps the number it began with
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=i64::from(SHARDS_MAX)))]
    shards: u16,
    /// Seed of the sample data
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Starts without sample data
    #[arg(long)]
    no_sample_data: bool,
    /// Allows addresses that other machines reach
    #[arg(long)]
    allow_remote: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl Dev {
    pub(super) async fn run(self, environment: Environment) -> Result<Exit, Failure> {
        let mut signals = stopping::watch()?;
        let mut loaded = self.settings.load(environment, self.listen.flags(), Purpose::Dev)?;
        telemetry::start(&loaded.settings.log)?;
        open_files::fit(
            &mut loaded.settings.limits,
            OpenFiles::raise(),
            usize::from(self.shards),
            PoolLimits::default().size,
        );
        let options = self.options(&loaded);
        let defaults = [
            options.listen.is_none().then_some(loaded.settings.server.listen),
            options
                .admin_listen
                .is_none()
                .then_some(loaded.settings.server.admin_listen)
                .flatten(),
        ];
        let start = async { Ok(dev::start(options).await?) };
        let dev = match stopping::unless_stopped(&mut signals, start).await? {
            Ok(dev) => dev,
            Err(exit) => return Ok(exit),
        };
        let place = Place {
            terminal: std::io::stdout().is_terminal(),
            program: std::env::args().next().unwrap_or_else(|| "millrace".to_owned()),
            defaults,
        };
        output::text(&banner(&dev, &place))?;
        signals.next().await;
        if matches!(loaded.settings.log.format, LogFormat::Auto | LogFormat::Pretty) {
            output::note("  Stopping; a second Ctrl-C stops at once");
        }
        Ok(stopping::drained(dev.running, &mut signals).await)
    }

    /// An address that somebody has given, by whatever source, is kept; only a default gives way.
    fn options(&self, loaded: &Loaded<Settings>) -> DevOptions {
        let server = &loaded.settings.server;
        DevOptions {
            listen: loaded.is_given("server.listen").then_some(server.listen),
            admin_listen: loaded.is_given("server.admin_listen").then_some(server.admin_listen),
            shards: self.shards,
            sample_seed: (!self.no_sample_data).then_some(self.seed),
            allow_remote: self.allow_remote,
            settings: loaded.settings.clone(),
            ..DevOptions::new(&self.data_dir)
        }
    }
}
