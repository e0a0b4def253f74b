//! Asks the sources again, by an interval, on SIGHUP or when an admin says so, and serves what they say now.
//!
//! A source that does not answer keeps what it said last; a schema that cannot be served, or that would break callers and
//! may not, changes nothing. Calls never wait for any of it. A server that is away at the start has said nothing yet: the
//! others are served, and it is asked again until it answers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::asks::Reloads;
use super::compare::compare;
use super::report::{Metrics, Outcome, Report, Standing};
use super::said::{Asked, Said};
use super::sources::{LoadError, SchemaSource};
use super::swap::Swappable;
use crate::body::BoxError;
use crate::causes::with_causes;
use crate::drain;
use crate::gateway::{Gateway, HttpService};
use crate::reflection::{MergeError, Merged};
use crate::signals::Hangups;

/// Admins that wait for a refresh at one time.
const ASKS_MAX: usize = 16;
/// How much an interval varies, as a part of it: gateways that start together do not ask together.
const JITTER: f64 = 0.1;
/// After which a source that has said nothing yet is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// How refreshes are done.
#[derive(Clone)]
pub struct Settings {
    /// How often the sources that are polled are asked again; `None` for never.
    pub interval: Option<Duration>,
    /// Serves a schema that breaks callers of the old one.
    pub allow_breaking: bool,
    /// Draws a number from 0 to 1: a function, because randomness is the caller's.
    pub random: Arc<dyn Fn() -> f64 + Send + Sync>,
}

/// A gateway for a schema, and what a port serves of it.
pub struct Built {
    /// The gateway, by whose schema the next one is judged.
    pub gateway: Gateway,
    /// Its service.
    pub service: HttpService,
}

/// Makes a gateway of descriptors: by the settings, over the upstreams with their services.
pub type Build = Arc<dyn Fn(&Merged) -> Result<Built, BoxError> + Send + Sync>;

/// Why there is no schema to start with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A source has no descriptors to give.
    #[error("the schema cannot be had")]
    Load(#[from] LoadError),
    /// The sources contradict each other.
    #[error("the schemas do not go together")]
    Merge(#[from] MergeError),
    /// The schema cannot be served.
    #[error("the schema cannot be served")]
    Build(#[source] BoxError),
}

/// The supervised refresher of a schema.
pub struct Refresher {
    sources: Vec<SchemaSource>,
    build: Build,
    settings: Settings,
    metrics: Metrics,
    said: Said,
    /// What came of asking those that have said nothing yet, so that it is told once.
    retried: Option<Report>,
    merged: Merged,
    gateway: Gateway,
    swappable: Swappable,
    standing: Arc<Mutex<Standing>>,
    asks: mpsc::Receiver<oneshot::Sender<Report>>,
    reloads: Reloads,
}

impl Refresher {
    /// Loads all sources and builds the first gateway. A server that is away is left out until it answers, see
    /// [`Reloads::missing`]; the gateway may then have nothing to serve yet.
    ///
    /// # Errors
    /// A source has no descriptors to give, or they cannot be served; see [`StartError`].
    pub async fn start(
        sources: Vec<SchemaSource>,
        build: Build,
        settings: Settings,
        metrics: Metrics,
    ) -> Result<Self, StartError> {
        let (said, failures) = Said::first(&sources).await?;
        for failure in &failures {
            tracing::warn!("{failure}; its routes appear when it answers");
        }
        let merged = said.merged()?;
        warn(&merged);
        let built = build(&merged).map_err(StartError::Build)?;
        let (sender, asks) = mpsc::channel(ASKS_MAX);
        let mut standing = Standing::default();
        standing.heard(&said);
        let missed = (!failures.is_empty()).then(|| Report {
            failures,
            ..Report::of(Outcome::Failed)
        });
        if let Some(report) = &missed {
            standing.note(report.clone());
        }
        let standing = Arc::new(Mutex::new(standing));
        let reloads = Reloads::new(sender, standing.clone());
        Ok(Self {
            sources,
            build,
            settings,
            metrics,
            said,
            retried: missed,
            merged,
            gateway: built.gateway,
            swappable: Swappable::new(built.service),
            standing,
            asks,
            reloads,
        })
    }

    /// What a port serves.
    pub fn service(&self) -> HttpService {
        self.swappable.service()
    }

    /// The gateway that is served now.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// The descriptors that are served now, and whose services are whose.
    pub fn merged(&self) -> &Merged {
        &self.merged
    }

    /// By which others ask for a refresh, and how the last one went.
    pub fn reloads(&self) -> Reloads {
        self.reloads.clone()
    }

    /// Refreshes until the drain begins.
    pub async fn run(mut self, mut hangups: Option<Hangups>, mut draining: watch::Receiver<bool>) {
        let mut poll_at = self.next_poll();
        loop {
            let retry_at = self.said.is_partial().then(|| Instant::now() + RETRY);
            let mut waiting = Vec::new();
            let (mut asked_by, mut asked) = tokio::select! {
                () = drain::begun(&mut draining) => return,
                () = hangup(&mut hangups) => ("SIGHUP", Asked::All),
                Some(ask) = self.asks.recv() => {
                    waiting.push(ask);
                    ("admin", Asked::All)
                }
                () = sleep_until(poll_at) => ("interval", Asked::Polled),
                () = sleep_until(retry_at) => ("retry", Asked::Silent),
            };
            // Who asks while one begins gets its answer.
            while let Ok(ask) = self.asks.try_recv() {
                waiting.push(ask);
            }
            if asked != Asked::All && !waiting.is_empty() {
                (asked_by, asked) = ("admin", Asked::All);
            }
            let report = tokio::select! {
                () = drain::begun(&mut draining) => return,
                report = self.refresh(asked) => report,
            };
            let is_retry = asked == Asked::Silent;
            if !is_retry || self.retried.as_ref() != Some(&report) {
                self.note(&report, asked_by);
            }
            if is_retry {
                self.retried = Some(report);
                continue;
            }
            poll_at = self.next_poll();
            for ask in waiting {
                // Who asked may be gone.
                let _ = ask.send(report.clone());
            }
        }
    }

    fn next_poll(&self) -> Option<Instant> {
        let is_polled = self.sources.iter().any(|source| source.polled);
        let interval = self.settings.interval.filter(|_| is_polled)?;
        let random = (self.settings.random)().clamp(0.0, 1.0);
        Some(Instant::now() + interval.mul_f64(1.0 - JITTER + 2.0 * JITTER * random))
    }

    fn note(&self, report: &Report, asked_by: &str) {
        self.metrics.count(report.outcome);
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        report.log(asked_by, standing.last.as_ref());
        standing.heard(&self.said);
        standing.note(report.clone());
    }

    /// Asks sources and serves what they say.
    async fn refresh(&mut self, asked: Asked) -> Report {
        let (said, failures) = self.said.again(&self.sources, asked).await;
        let mut report = match self.judge(&said).await {
            Ok((report, None)) => report,
            Ok((report, Some((merged, built)))) => {
                self.swappable.swap(built.service);
                (self.said, self.merged, self.gateway) = (said, merged, built.gateway);
                report
            }
            Err(failure) => Report::failed(failure),
        };
        report.failures.splice(0..0, failures);
        // A refused change is the graver news; a source that failed is in the list.
        if !report.failures.is_empty() && report.outcome != Outcome::Refused {
            report.outcome = Outcome::Failed;
        }
        report
    }

    /// What is to be done about what the sources say now.
    async fn judge(&self, said: &Said) -> Result<(Report, Option<(Merged, Built)>), String> {
        let mut report = Report::of(Outcome::Unchanged);
        if *said == self.said {
            return Ok((report, None));
        }
        // Compiling a schema takes a while: not on a thread that serves.
        let (said, build, old) = (said.clone(), self.build.clone(), self.gateway.clone());
        let building = tokio::task::spawn_blocking(move || {
            let merged = said.merged()?;
            let built = build(&merged)?;
            let changes = compare(old.schema(), built.gateway.schema());
            Ok::<_, BoxError>((merged, built, changes))
        });
        let built = building
            .await
            .map_err(|_| "the new schema made the gateway fail".to_owned())?;
        let (merged, built, changes) = built.map_err(|error| with_causes(error.as_ref()))?;
        report.changes = changes;
        if report.changes.iter().any(|change| change.breaking) && !self.settings.allow_breaking {
            report.outcome = Outcome::Refused;
            return Ok((report, None));
        }
        warn(&merged);
        report.outcome = Outcome::Applied;
        Ok((report, Some((merged, built))))
    }
}

fn warn(merged: &Merged) {
    for warning in &merged.warnings {
        tracing::warn!("{warning}");
    }
}

async fn hangup(hangups: &mut Option<Hangups>) {
    match hangups {
        Some(hangups) => hangups.next().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
