//! `millrace serve`.

use std::net::SocketAddr;

use clap::Args;
use millrace_chassis::config::Flag;
use millrace_chassis::{Options, signal, telemetry};

use super::dev::{AddressOrOff, stop};
use super::open::{self, SettingsArgs};
use super::{Environment, Exit, Failure};
use crate::dev::pages;

/// Flags of `millrace serve`. Databases and secrets come from the file or the environment, never from here: a process
/// list is read by others.
#[derive(Debug, Clone, Args)]
pub(super) struct Serve {
    /// Public address: gRPC, gRPC-Web, REST
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Admin address: metrics and health, or `off`
    #[arg(long, value_name = "ADDRESS|off")]
    admin_listen: Option<AddressOrOff>,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl Serve {
    pub(super) async fn run(self, environment: Environment) -> Result<Exit, Failure> {
        let settings = self.settings.load(environment, self.flags())?.settings;
        settings.database.database()?;
        settings.check_for_serving()?;
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

    fn flags(&self) -> Vec<Flag> {
        let mut flags: Vec<Flag> = Vec::new();
        if let Some(address) = self.listen {
            flags.push(("server.listen", address.to_string().into()));
        }
        if let Some(AddressOrOff(address)) = self.admin_listen {
            let text = address.map_or_else(|| "off".to_owned(), |address| address.to_string());
            flags.push(("server.admin_listen", text.into()));
        }
        flags
    }
}
