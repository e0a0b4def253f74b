//! `millrace serve`.

use clap::Args;
use millrace_chassis::{Options, signal, telemetry};

use super::dev::stop;
use super::listen::ListenArgs;
use super::open::{self, SettingsArgs};
use super::{Environment, Exit, Failure};
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
        let flags = self.listen.flags();
        let settings = self.settings.load(environment, flags, Purpose::Serve)?.settings;
        telemetry::start(&settings.log)?;
        let platform = open::serving_platform(&settings).await?;
        let options = Options {
            server: settings.server.clone(),
            limits: settings.limits.clone(),
            switches: settings.switches(),
            pages: Some(pages()),
            ..Options::default()
        };
        let running = open::chassis(&platform, &settings, options).start().await?;
        let admin = running
            .admin_addr
            .map_or_else(|| "off".to_owned(), |address| address.to_string());
        let shards = platform.shards.count();
        tracing::info!(listen = %running.public_addr, admin_listen = %admin, shards, "millrace serves");
        signal()
            .await
            .map_err(|error| Failure::new(Exit::Unreachable, "signals cannot be watched", error))?;
        tracing::info!("millrace drains");
        stop(running).await;
        Ok(Exit::Ok)
    }
}
