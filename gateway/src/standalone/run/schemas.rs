//! Where `run` has its schema from, and what is made of each: descriptor files, or the upstreams by server reflection.

use std::sync::Arc;

use futures_util::future::join_all;
use prometheus_client::registry::Registry;
use tokio::sync::watch;

use super::super::findings::findings;
use super::super::schema::{self, NO_FILE, SchemaError, Source};
use super::super::settings::Settings;
use super::super::{Exit, Failure, output};
use super::{random, serving, upstreams};
use crate::edge;
use crate::reflection::{MergeError, merge};
use crate::reload::{self, Build, Built, LoadError, Origin, Refresher, SchemaSource, StartError};
use crate::upstream::Upstream;

/// Loads the schema that is served first. What is served follows its sources from then on.
pub(super) async fn refresher(
    settings: &Arc<Settings>,
    upstreams: &[Upstream],
    metrics: edge::Metrics,
    registry: &mut Registry,
) -> Result<Refresher, Failure> {
    let interval = settings.reflection.refresh;
    let refreshes = reload::Settings {
        interval: (!interval.is_zero()).then_some(interval),
        allow_breaking: settings.reflection.allow_breaking,
        random: Arc::new(|| random() as f64 / u64::MAX as f64),
    };
    let (sources, build) = (
        sources(settings, upstreams),
        build(settings.clone(), upstreams.to_vec(), metrics),
    );
    let started = Refresher::start(sources, build, refreshes, reload::Metrics::new(registry)).await;
    started.map_err(unstartable)
}

/// Asks every upstream once; all must answer.
pub(super) async fn reflect(settings: &Settings) -> Result<Source, Failure> {
    if settings.upstreams.is_empty() {
        return Err(
            Failure::plain(Exit::Usage, "there is neither an upstream to ask nor a descriptor file")
                .help("give --upstream URL of a server with reflection, or --descriptors FILE"),
        );
    }
    let upstreams = upstreams::all(settings)?;
    // Connections end with the runtime.
    let (_closing, closed) = watch::channel(false);
    let keeping = tokio::spawn(upstreams::keep(upstreams.clone(), closed));
    let sources = sources(settings, &upstreams);
    let said = join_all(sources.iter().map(SchemaSource::load)).await;
    keeping.abort();
    let said = said.into_iter().collect::<Result<Vec<_>, _>>();
    let said = said.map_err(|error| unloaded(error, &upstreams))?;
    let merged = merge(&said).map_err(unmerged)?;
    for warning in &merged.warnings {
        output::note(format_args!("warning: {warning}"));
    }
    Ok(Source::merged(settings, &merged))
}

/// The files, or else each upstream.
fn sources(settings: &Settings, upstreams: &[Upstream]) -> Vec<SchemaSource> {
    if !settings.descriptors.is_empty() {
        return vec![SchemaSource {
            name: "descriptors".to_owned(),
            origin: Origin::Files(settings.descriptors.clone()),
            services: None,
            except: Vec::new(),
            polled: false,
        }];
    }
    let listed: Vec<String> = settings
        .upstreams
        .iter()
        .flat_map(|upstream| upstream.services.clone())
        .collect();
    let sources = settings.upstreams.iter().zip(upstreams).map(|(of, upstream)| {
        let takes_all = of.services.is_empty();
        SchemaSource {
            name: upstream.name().to_owned(),
            origin: Origin::Reflection {
                service: upstream.service(),
                limits: settings.reflection.limits.clone(),
            },
            services: (!takes_all).then(|| of.services.clone()),
            // What an upstream lists is its own.
            except: if takes_all { listed.clone() } else { Vec::new() },
            polled: true,
        }
    });
    sources.collect()
}

/// What is served of a schema.
fn build(settings: Arc<Settings>, upstreams: Vec<Upstream>, metrics: edge::Metrics) -> Build {
    Arc::new(move |merged| {
        let source = Source::merged(&settings, merged);
        let gateway = schema::gateway(&settings, &source)?;
        for finding in findings(&settings, &source, gateway.schema()) {
            tracing::warn!("{finding}");
        }
        let table = upstreams::table(&settings, &source, gateway.schema(), &upstreams);
        let service = serving(&settings, &gateway, &table, metrics.clone());
        Ok(Built { gateway, service })
    })
}

fn unstartable(error: StartError) -> Failure {
    match error {
        StartError::Load(error) => unloaded(error, &[]),
        StartError::Merge(error) => unmerged(error),
        StartError::Build(error) => match error.downcast::<SchemaError>() {
            Ok(error) => schema::unloadable(*error),
            Err(error) => Failure::new(Exit::Configuration, "the schema cannot be served", error),
        },
    }
}

/// Says what to do about a source that cannot be had. Without a log, why an upstream cannot be reached is known by it alone.
fn unloaded(error: LoadError, upstreams: &[Upstream]) -> Failure {
    match error {
        LoadError::File { path, source } => {
            let message = format!("descriptors {path} cannot be read");
            Failure::new(Exit::Unreachable, message, source).help(NO_FILE)
        }
        LoadError::Reflection { name, source } => {
            let tried = upstreams.iter().find(|upstream| upstream.name() == name);
            let tried = tried.filter(|_| source.is_away()).and_then(Upstream::last_failure);
            let help = match (tried, source.is_away()) {
                (Some(why), _) => format!("start the server, or give its right URL with --upstream ({why})"),
                (None, true) => "start the server, or give its right URL with --upstream".to_owned(),
                (None, false) => {
                    "turn on server reflection there, or give its descriptors with --descriptors FILE".to_owned()
                }
            };
            let message = format!("the schema of {name} cannot be had");
            Failure::new(Exit::Unreachable, message, source).help(help)
        }
    }
}

fn unmerged(error: MergeError) -> Failure {
    let (message, help) = match &error {
        MergeError::ServiceTwice { .. } => (
            "the upstreams do not go together",
            "list the service under `services` of the upstream that is to have it",
        ),
        MergeError::Malformed { .. } => (
            "the schema cannot be served",
            "the descriptors do not load: write them anew",
        ),
        _ => (
            "the schemas do not go together",
            "give both servers one version of the file, or put each behind its own gateway",
        ),
    };
    Failure::new(Exit::Configuration, message, error).help(help)
}
