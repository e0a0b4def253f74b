//! The whole platform embedded in one process: SQLite files in a folder, sample data, two keys, one port. It is what
//! `millrace` alone starts, and what tests start in process, on port 0.

pub mod banner;
mod files;
mod keys;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use millrace_chassis::clock::Clock;
use millrace_chassis::config::{ConfigError, Database, Problems, Server};
use millrace_chassis::id::Ids;
use millrace_chassis::local::LocalChannel;
use millrace_chassis::page::PageTokens;
use millrace_chassis::shard::{MigrateError, OpenError, Shards, StoreError};
use millrace_chassis::{Chassis, FreePort, Options, Pages, Platform, Running, StartError};
use tokio::time::Instant;

use crate::console;
use crate::identity;
use crate::modules::modules;
use crate::sample::{self, SampleError, Seeding};
use crate::settings::{Purpose, Settings};

pub use files::{Environment, FileError, read_environment};

/// How to start.
#[derive(Clone)]
pub struct DevOptions {
    /// Folder of the databases, keys and secrets.
    pub data_dir: PathBuf,
    /// Public address; `None` is that of the settings, or a free port where that is taken.
    pub listen: Option<SocketAddr>,
    /// Admin address; `None` is that of the settings, or a free port where that is taken; `Some(None)` is off.
    pub admin_listen: Option<Option<SocketAddr>>,
    /// Number of shards, 1 to 64.
    pub shards: u16,
    /// Seed of the sample data; `None` makes none.
    pub sample_seed: Option<u64>,
    /// Whether an address beyond loopback is allowed.
    pub allow_remote: bool,
    /// Addresses, limits. The database is always the folder, reflection and sign-up are open.
    pub settings: Settings,
    /// The time.
    pub clock: Clock,
    /// Ids and secrets.
    pub ids: Ids,
}

impl DevOptions {
    /// Four shards in a folder, sample data of seed 1, default settings and addresses.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        let clock = Clock::system();
        Self {
            data_dir: data_dir.into(),
            listen: None,
            admin_listen: None,
            shards: 4,
            sample_seed: Some(1),
            allow_remote: false,
            settings: Settings::default(),
            ids: Ids::system(clock.clone()),
            clock,
        }
    }

    /// The same on free ports, without sample data: for tests.
    pub fn for_test(data_dir: impl Into<PathBuf>) -> Self {
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            listen: Some(any_port),
            admin_listen: Some(Some(any_port)),
            sample_seed: None,
            ..Self::new(data_dir)
        }
    }
}

/// A platform that serves from a folder.
pub struct Dev {
    /// Its addresses, and its end.
    pub running: Running,
    /// Its parts.
    pub platform: Platform,
    /// What is in `dev.env`: address, keys, shopper.
    pub environment: Environment,
    /// The sample data, if there is any.
    pub seeding: Option<Seeding>,
    /// The folder.
    pub data_dir: PathBuf,
    /// Whether the public address is a loopback one.
    pub loopback: bool,
    /// How long the start took.
    pub start_time: Duration,
}

/// Why the platform does not start.
#[derive(Debug, thiserror::Error)]
pub enum DevError {
    /// The address is open to other machines.
    #[error("{0} is not a loopback address: others could use this platform")]
    Remote(SocketAddr),
    /// An address that was asked for is taken.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The databases cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The schema cannot be brought up to date.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// The sample data cannot be made.
    #[error("sample data cannot be made")]
    Sample(#[from] SampleError),
    /// The two users or their keys cannot be made.
    #[error("the keys of this folder cannot be made")]
    Keys(#[from] identity::Error),
    /// A file in the folder cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The platform cannot serve.
    #[error(transparent)]
    Start(#[from] StartError),
}

impl From<StoreError> for DevError {
    fn from(error: StoreError) -> Self {
        Self::Keys(error.into())
    }
}

/// Starts the platform.
///
/// # Errors
/// See [`DevError`].
pub async fn start(options: DevOptions) -> Result<Dev, DevError> {
    let began = Instant::now();
    let settings = settings(&options)?;
    let database = Database::Embedded {
        data_dir: options.data_dir.clone(),
        shards: options.shards,
    };
    let shards = Shards::open(&database, options.clock.clone(), options.ids.clone()).await?;
    let secret = files::page_token_secret(&options.data_dir, &options.ids)?;
    let platform = Platform {
        shards,
        clock: options.clock.clone(),
        ids: options.ids.clone(),
        pages: PageTokens::new(&[secret], options.clock.clone()),
        local: LocalChannel::default(),
    };
    let chassis =
        Chassis::new(platform.clone(), chassis_options(&settings, &options)).mount(modules(&platform, &settings));
    chassis.migrate().await?;

    let seeding = match options.sample_seed {
        Some(seed) => Some(sample::seed(&platform, seed).await?),
        None => None,
    };
    let mut environment = keys::keys(&platform, &settings, &options).await?;
    let running = chassis.start().await?;
    environment.url = format!("http://{}", reachable(running.public_addr));
    files::write_environment(&options.data_dir, &environment)?;
    Ok(Dev {
        loopback: running.public_addr.ip().is_loopback(),
        running,
        platform,
        environment,
        seeding,
        data_dir: options.data_dir,
        start_time: began.elapsed(),
    })
}

/// The settings of `dev`, checked, and its addresses too.
fn settings(options: &DevOptions) -> Result<Settings, DevError> {
    let mut settings = options.settings.clone();
    settings.server.reflection = true;
    settings.identity.open_sign_up = true;
    "dev".clone_into(&mut settings.identity.key_environment);
    settings.server.listen = options.listen.unwrap_or(settings.server.listen);
    settings.server.admin_listen = options.admin_listen.unwrap_or(settings.server.admin_listen);
    make_way(&mut settings.server, options);
    let mut problems = Problems::default();
    settings.check(Purpose::Dev, &mut problems);
    problems.done()?;
    let mut problems = Problems::default();
    settings.server.check_addresses(&mut problems);
    problems.done()?;

    let addresses = [Some(settings.server.listen), settings.server.admin_listen];
    let remote = addresses
        .into_iter()
        .flatten()
        .find(|address| !address.ip().is_loopback());
    if let Some(address) = remote
        && !options.allow_remote
    {
        return Err(DevError::Remote(address));
    }
    let asked_for = [options.listen, options.admin_listen.flatten()];
    asked_for.into_iter().flatten().try_for_each(check_free)?;
    Ok(settings)
}

/// Where one address was asked for and the other, a default, is the same, the default gives way to a free port.
fn make_way(server: &mut Server, options: &DevOptions) {
    let Some(admin) = &mut server.admin_listen else { return };
    if admin.port() != server.listen.port() {
        return;
    }
    match (options.listen, options.admin_listen) {
        (Some(_), None) => admin.set_port(0),
        (None, Some(_)) => server.listen.set_port(0),
        _ => {}
    }
}

/// Says at once that an address is taken which was asked for by name; only a default gives way to a free port.
fn check_free(address: SocketAddr) -> Result<(), DevError> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(source) => Err(DevError::Listen { address, source }),
    }
}

fn chassis_options(settings: &Settings, options: &DevOptions) -> Options {
    Options {
        server: settings.server.clone(),
        limits: settings.limits.clone(),
        loopback_only: !options.allow_remote,
        free_port_if_taken: FreePort {
            public: options.listen.is_none(),
            admin: options.admin_listen.is_none(),
        },
        switches: settings.switches(),
        pages: Some(pages()),
        ..Options::default()
    }
}

/// Returns the page at `/` and its files.
pub(crate) fn pages() -> Pages {
    Arc::new(console::respond)
}

/// An address at which this machine reaches a listener: every address becomes loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    address
}
