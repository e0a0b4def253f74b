//! `millrace serve`.

use clap::Args;
use millrace_chassis::{Options, telemetry};
use millrace_cli::OpenFiles;

use super::listen::ListenArgs;
use super::open::{self, SettingsArgs};
use super::{Environment, Exit, Failure, open_files, stopping};
use crate::dev::pages;
use crate::settings::Purpose;

/// Flags of `millrace serve`. Databases and secrets come from the file or the environment, never from here: a process
/// list is read by others.
#[derive(Debug, Clone, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    listen: ListenArgs,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl Serve {
    pub(super) async fn run(self, environment: Environment) -> Result<Exit, Failure> {
        let mut signals = stopping::watch()?;
        let flags = self.listen.flags();
        let settings = self.settings.load(environment, flags, Purpose::Serve)?.settings;
        telemetry::start(&settings.log)?;
        let open_files = OpenFiles::raise();
        let mut options = Options {
            server: settings.server.clone(),
            limits: settings.limits.clone(),
            switches: settings.switches(),
            pages: Some(pages()),
            ..Options::default()
        };
        let start = async {
            let platform = open::serving_platform(&settings).await?;
            let shards = platform.shards.count();
            let pool_size = settings.database.pool_limits()?.size;
            open_files::fit(&mut options.limits, open_files, usize::from(shards), pool_size);
            Ok((open::chassis(&platform, &settings, options).start().await?, shards))
        };
        let (running, shards) = match stopping::unless_stopped(&mut signals, start).await? {
            Ok(started) => started,
            Err(exit) => return Ok(exit),
        };
        let admin = running
            .admin_addr
            .map_or_else(|| "off".to_owned(), |address| address.to_string());
        tracing::info!(listen = %running.public_addr, admin_listen = %admin, shards, "millrace serves");
        signals.next().await;
        tracing::info!("millrace drains");
        Ok(stopping::drained(running, &mut signals).await)
    }
}
