//! `millrace-gateway run`: binds, loads, serves, and drains.

mod banner;
mod listen;
mod open_files;
mod pages;
mod part;
mod random;
mod schemas;
mod started;
mod tls;
mod upstreams;

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::published::Published;
use super::schema::{self, Source};
use super::settings::{Hosts, LOOPBACK, Settings};
use super::{Environment, Exit, Failure, SettingsArgs, log, output};
use crate::edge::{CorsPolicy, Edge, HostPolicy, Metrics, NewId, write_hex_id};
use crate::heartbeat::Heartbeat;
use crate::probes::Probes;
use crate::reload::Reloads;
use crate::serve::{ConnectionLimits, serve, serve_over};
use crate::signals::{Hangups, Signals, Stop};
use crate::upstream::Table;
use crate::{Gateway, HttpService, admin};
use listen::Listeners;
use part::Part;
use random::random;
use started::Started;

/// Runs until a signal, or until a part of it fails, and drains.
pub(super) async fn run(arguments: &SettingsArgs, environment: Environment) -> Result<Exit, Failure> {
    let unwatched = |error| Failure::new(Exit::Unreachable, "signals cannot be watched", error);
    let mut signals = Signals::watch().map_err(unwatched)?;
    let hangups = Hangups::watch().map_err(unwatched)?;
    let settings = Arc::new(arguments.load(environment)?.settings);
    log::start(&settings.log);
    let mut started = tokio::select! {
        stop = signals.next() => {
            output::note("stopped before the start was over");
            // Whoever ends a process gets what was asked for; Ctrl-C says that the work was not done.
            return Ok(if stop == Stop::Terminate { Exit::Ok } else { Exit::Interrupted });
        }
        started = start(&settings, hangups) => started?,
    };
    let drain_max = settings.limits.drain;
    let exit = tokio::select! {
        _ = signals.next() => Exit::Ok,
        () = started.failed() => Exit::CheckFailed,
    };
    tracing::info!(drain_ms = drain_max.as_millis() as u64, "draining");
    // A second signal does not wait.
    let exit = tokio::select! {
        () = started.drain(drain_max) => exit,
        _ = signals.next() => Exit::Interrupted,
    };
    Ok(exit)
}

/// The schema of the settings: from files, or from the upstreams.
pub(super) async fn source(settings: &Settings) -> Result<Source, Failure> {
    if settings.descriptors.is_empty() {
        return schemas::reflect(settings).await;
    }
    schema::files(settings)
}

/// Does of a start what can be done without an address and without a call: files are read, and URLs taken apart.
pub(super) fn rehearse(settings: &Settings) -> Result<(), Failure> {
    tls::acceptor(&settings.tls)?;
    upstreams::all(settings).map(drop)
}

async fn start(settings: &Arc<Settings>, hangups: Hangups) -> Result<Started, Failure> {
    if settings.upstreams.is_empty() {
        return Err(Failure::plain(Exit::Usage, "there is no upstream to serve")
            .help("give the gRPC server: millrace-gateway --upstream http://127.0.0.1:50051"));
    }
    let acceptor = tls::acceptor(&settings.tls)?;
    let limits = open_files::limits(settings);
    // Before anything takes long: a port that is taken is said at once.
    let listeners = Listeners::bind(settings)?;
    let upstreams = upstreams::all(settings)?;
    let (draining, drained) = watch::channel(false);
    let (closing, closed) = watch::channel(false);
    let keeping = Part::start("upstreams", upstreams::keep(upstreams.clone(), closed));
    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry);
    let refresher = schemas::refresher(settings, &upstreams, metrics, &mut registry).await?;
    let reloads = refresher.reloads();
    let probes = probes(drained.clone(), &reloads).with_upstreams(upstreams.clone());
    banner::print(settings, refresher.gateway(), &listeners, &reloads.missing());
    let actions = Vec::from_iter(settings.reflection.admin.then(|| reloads.action()));
    let admin = listeners.admin.map(|(listener, _)| {
        let (gateway, hosts) = (refresher.gateway(), settings.admin_hosts.clone());
        admin::start_with(gateway, listener, probes, registry, hosts, actions)
    });
    let admin = admin.transpose();
    let admin = admin.map_err(|error| Failure::new(Exit::Unreachable, "the admin listener cannot start", error))?;
    let served = refresher.service();
    let refreshing = Part::start("schema refresh", refresher.run(Some(hangups), drained.clone()));
    let connections_max = Started::connections_max(settings.limits.drain);
    let serving = accept(limits, listeners.public, acceptor, served, drained, connections_max);
    Ok(Started {
        draining,
        closing,
        serving,
        keeping,
        refreshing,
        upstreams,
        admin,
    })
}

/// All that answers for one schema.
fn serving(settings: &Settings, gateway: &Gateway, upstreams: &Table, metrics: Metrics) -> HttpService {
    let edge = Edge {
        request_id: new_id(),
        metrics,
        cors: cors(settings),
        hosts: hosts(settings),
        builtin: Arc::new(pages::Pages::new(&settings.openapi, gateway.shared_schema().clone())),
    };
    let published = Published::new(settings, gateway.schema());
    gateway.serve_calls(published.around(upstreams), edge)
}

/// Serves the public listener, in TLS if the settings ask for it.
fn accept(
    limits: ConnectionLimits,
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    service: HttpService,
    draining: watch::Receiver<bool>,
    drain_max: Duration,
) -> Part {
    match acceptor {
        Some(acceptor) => Part::start(
            "listener",
            serve_over(listener, acceptor, service, limits, draining, drain_max),
        ),
        None => Part::start("listener", serve(listener, service, limits, draining, drain_max)),
    }
}

/// Ready is: not draining, with a schema, and what the upstreams add to that.
fn probes(draining: watch::Receiver<bool>, reloads: &Reloads) -> Probes {
    let (asked, told) = (reloads.clone(), reloads.clone());
    let probes = Probes::new(Heartbeat::start(), move || match *draining.borrow() {
        true => Err("draining"),
        false if asked.is_empty() => Err("schema_missing"),
        false => Ok(()),
    });
    probes.with_details(move || told.details())
}

fn cors(settings: &Settings) -> CorsPolicy {
    let (loopback, named): (Vec<String>, Vec<String>) = settings
        .cors_origins
        .iter()
        .cloned()
        .partition(|origin| origin == LOOPBACK);
    match (loopback.is_empty(), named.is_empty()) {
        (true, true) => CorsPolicy::Off,
        (true, false) => CorsPolicy::List(named),
        (false, true) => CorsPolicy::Loopback,
        (false, false) => CorsPolicy::LoopbackAnd(named),
    }
}

fn hosts(settings: &Settings) -> HostPolicy {
    match settings.hosts {
        Hosts::Any => HostPolicy::Any,
        Hosts::Loopback => HostPolicy::Loopback,
        Hosts::Auto if settings.listen.ip().is_loopback() => HostPolicy::Loopback,
        Hosts::Auto => HostPolicy::Any,
    }
}

/// Request ids are 32 hexadecimal digits from the system's random numbers.
fn new_id() -> NewId {
    Arc::new(|id| write_hex_id(u128::from(random()) << 64 | u128::from(random()), id))
}
