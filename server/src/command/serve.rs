//! `millrace serve`.

use std::net::SocketAddr;

use clap::Args;
use millrace_chassis::config::Flag;
use millrace_chassis::{Options, telemetry};

use super::dev::AddressOrOff;
use super::open::{self, SettingsArgs};
use super::{Environment, Exit, Failure, stopping};
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
        let mut signals = stopping::watch()?;
        let settings = self.settings.load(environment, self.flags())?.settings;
        settings.database.database()?;
        settings.check_for_serving()?;
        telemetry::start(&settings.log)?;
        let options = Options {
            server: settings.server.clone(),
            limits: settings.limits.clone(),
            switches: settings.switches(),
            pages: Some(pages()),
            ..Options::default()
        };
        let start = async {
            let platform = open::platform(&settings).await?;
            let shards = platform.shards.count();
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
