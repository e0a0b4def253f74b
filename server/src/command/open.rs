//! What the commands for an installation begin with: settings and opened databases.

use std::path::{Path, PathBuf};

use clap::Args;
use millrace_chassis::clock::Clock;
use millrace_chassis::config::{self, ConfigError, Flag, Loaded, Problems};
use millrace_chassis::id::Ids;
use millrace_chassis::local::LocalChannel;
use millrace_chassis::page::PageTokens;
use millrace_chassis::shard::Shards;
use millrace_chassis::{Chassis, Options, Platform};

use super::{Environment, Failure};
use crate::modules::modules;
use crate::settings::{Purpose, Settings};

/// The settings file that is read where none is named.
const FILE: &str = "millrace.toml";

/// Where the settings are.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct SettingsArgs {
    /// Settings file [default: millrace.toml, if it is there]
    #[arg(long, value_name = "FILE", help_heading = "Settings")]
    config: Option<PathBuf>,
}

impl SettingsArgs {
    /// Loads the settings, file < environment < flags, and checks them for a purpose.
    pub(super) fn load(
        &self,
        environment: Environment,
        flags: Vec<Flag>,
        purpose: Purpose,
    ) -> Result<Loaded<Settings>, ConfigError> {
        let check = |settings: &Settings, problems: &mut Problems| settings.check(purpose, problems);
        config::load_checked(self.file(), environment, flags, check)
    }

    /// Loads the settings without checking them, to show them.
    pub(super) fn load_unchecked(&self, environment: Environment) -> Result<Loaded<Settings>, ConfigError> {
        config::load(self.file(), environment, Vec::new())
    }

    fn file(&self) -> Option<&Path> {
        let default = Path::new(FILE);
        self.config.as_deref().or_else(|| default.exists().then_some(default))
    }
}

/// Opens the databases of the settings, without serving: all of them, or none.
pub(super) async fn platform(settings: &Settings) -> Result<Platform, Failure> {
    let (clock, ids) = sources();
    let (database, limits) = (settings.database.database()?, settings.database.pool_limits()?);
    let shards = Shards::open_with(&database, limits, clock.clone(), ids.clone()).await?;
    Ok(platform_on(shards, settings, clock, ids))
}

/// Opens the databases of the settings for a few statements, whether a server runs on them or not.
pub(super) async fn platform_beside(settings: &Settings) -> Result<Platform, Failure> {
    let (clock, ids) = sources();
    let shards = Shards::open_beside(&settings.database.database()?, clock.clone(), ids.clone()).await?;
    Ok(platform_on(shards, settings, clock, ids))
}

/// Opens the databases of the settings for serving: a shard that is down fails its own users only.
pub(super) async fn serving_platform(settings: &Settings) -> Result<Platform, Failure> {
    let (clock, ids) = sources();
    let (database, limits) = (settings.database.database()?, settings.database.pool_limits()?);
    let shards = Shards::open_for_serving(&database, limits, clock.clone(), ids.clone()).await?;
    Ok(platform_on(shards, settings, clock, ids))
}

/// The platform of the settings without its databases: enough to list the modules.
pub(super) fn unopened_platform(settings: &Settings) -> Result<Platform, Failure> {
    let (clock, ids) = sources();
    let shards = Shards::unopened(&settings.database.database()?, clock.clone(), ids.clone())?;
    Ok(platform_on(shards, settings, clock, ids))
}

/// The system's time and randomness, which a command takes once.
fn sources() -> (Clock, Ids) {
    let clock = Clock::system();
    (clock.clone(), Ids::system(clock))
}

fn platform_on(shards: Shards, settings: &Settings, clock: Clock, ids: Ids) -> Platform {
    // A command that serves no lists signs no page tokens; one that does has checked that there are secrets.
    let secrets = match settings.secrets.page_token.as_slice() {
        [] => &[ids.secret_text()],
        secrets => secrets,
    };
    Platform {
        shards,
        pages: PageTokens::new(secrets, clock.clone()),
        clock,
        ids,
        local: LocalChannel::default(),
    }
}

/// Mounts the modules.
pub(super) fn chassis(platform: &Platform, settings: &Settings, options: Options) -> Chassis {
    Chassis::new(platform.clone(), options).mount(modules(platform, settings))
}

/// Refuses databases whose schema is not up to date.
pub(super) async fn require_schema(chassis: &Chassis) -> Result<(), Failure> {
    match chassis.pending().await?.first() {
        None => Ok(()),
        Some(change) => Err(Failure::plain(
            super::Exit::Configuration,
            format!("a schema change is not applied: {change}"),
        )
        .help("run `millrace migrate`")),
    }
}
