//! What came of a refresh, for who asked for it, for the log, for metrics and for `/readiness`.

use prometheus_client::encoding::{EncodeLabel, EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use serde_json::{Map, Value, json};

use super::compare::Change;
use super::said::Said;

/// How a refresh ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The sources say what they said before.
    Unchanged,
    /// The new schema is served.
    Applied,
    /// The new schema would break callers; the old one stays.
    Refused,
    /// A source did not answer, or the new schema cannot be served; what could not be had stays as it was.
    Failed,
}

impl Outcome {
    /// As metrics and answers name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Applied => "applied",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl EncodeLabelSet for Outcome {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        ("outcome", self.name()).encode(encoder.encode_label())
    }
}

/// What came of a refresh.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// How the new schema differs, applied or refused; what breaks comes first.
    pub changes: Vec<Change>,
    /// What failed: a sentence for each source, or why the schema cannot be served.
    pub failures: Vec<String>,
}

impl Report {
    pub(super) fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            changes: Vec::new(),
            failures: Vec::new(),
        }
    }

    pub(super) fn failed(failure: String) -> Self {
        Self {
            failures: vec![failure],
            ..Self::of(Outcome::Failed)
        }
    }

    /// As the admin call answers it.
    pub fn to_json(&self) -> Value {
        let changes = self.changes.iter();
        let changes: Vec<_> = changes
            .map(|change| json!({"breaking": change.breaking, "change": change.sentence}))
            .collect();
        json!({"outcome": self.outcome.name(), "changes": changes, "failures": self.failures})
    }

    /// Logs it. What was said before is not said again: a server that stays away would fill the log.
    pub(super) fn log(&self, asked_by: &str, before: Option<&Self>) {
        let outcome = self.outcome.name();
        if before == Some(self) || self.outcome == Outcome::Unchanged {
            tracing::debug!(outcome, asked_by, "schema refreshed: {outcome}");
            return;
        }
        for failure in &self.failures {
            tracing::warn!(
                asked_by,
                "schema refresh failed, what cannot be had stays as it was: {failure}"
            );
        }
        for change in &self.changes {
            match self.outcome {
                Outcome::Refused if change.breaking => tracing::error!("schema change refused: {change}"),
                Outcome::Refused => tracing::info!("schema change not applied: {change}"),
                _ if change.breaking => tracing::warn!("schema change: {change}"),
                _ => tracing::info!("schema change: {change}"),
            }
        }
        match self.outcome {
            Outcome::Applied => tracing::info!(asked_by, changes = self.changes.len(), "the new schema is served"),
            Outcome::Refused => tracing::error!(
                asked_by,
                "the new schema would break callers and is refused; `reflection.allow_breaking` lets it pass"
            ),
            Outcome::Unchanged | Outcome::Failed => {}
        }
    }
}

/// Counts refreshes by outcome; cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    refreshes: Family<Outcome, Counter>,
}

impl Metrics {
    /// Registers the metrics of refreshes.
    pub fn new(registry: &mut Registry) -> Self {
        let refreshes = Family::default();
        let help = "Refreshes of the schema, by outcome";
        registry.register("schema_refreshes", help, refreshes.clone());
        Self { refreshes }
    }

    pub(super) fn count(&self, outcome: Outcome) {
        self.refreshes.get_or_create(&outcome).inc();
    }
}

/// What `/readiness` says about refreshes. Failed ones are told, and make nothing unready: the old schema is served.
#[derive(Debug, Default)]
pub(super) struct Standing {
    pub(super) last: Option<Report>,
    /// Refreshes in a row that failed or were refused.
    pub(super) unapplied: u64,
    /// Sources that have said nothing yet.
    pub(super) missing: Vec<String>,
    /// Whether that is all of them.
    pub(super) is_empty: bool,
}

impl Standing {
    /// Takes in which sources have been heard.
    pub(super) fn heard(&mut self, said: &Said) {
        self.missing = said.missing();
        self.is_empty = said.is_nothing();
    }

    pub(super) fn note(&mut self, report: Report) {
        match report.outcome {
            Outcome::Applied | Outcome::Unchanged => self.unapplied = 0,
            Outcome::Refused | Outcome::Failed => self.unapplied += 1,
        }
        self.last = Some(report);
    }

    pub(super) fn details(&self) -> Map<String, Value> {
        let mut schema = Map::new();
        if !self.missing.is_empty() {
            schema.insert("missing".to_owned(), self.missing.clone().into());
        }
        if let Some(last) = &self.last {
            schema.insert("last_refresh".to_owned(), last.outcome.name().into());
            if self.unapplied > 0 {
                schema.insert("unapplied_refreshes".to_owned(), self.unapplied.into());
                let breaking = last.changes.iter().filter(|change| change.breaking);
                let why = last.failures.iter().chain(breaking.map(|change| &change.sentence));
                schema.insert("why".to_owned(), why.cloned().collect());
            }
        }
        Map::from_iter([("schema".to_owned(), Value::Object(schema))])
    }
}
