//! The upstreams as `run` needs them: one inner service, whether they can be called, and their connections kept.

use serde_json::{Map, Value};
use tokio::sync::watch;

use super::super::schema::Source;
use super::super::settings::Settings;
use super::super::{Exit, Failure};
use crate::GrpcService;

/// The upstreams of the settings.
pub(super) struct Upstreams {}

/// Whether the upstreams can be called; cheap to clone.
#[derive(Clone)]
pub(super) struct Readiness {}

/// Asks every upstream for its schema.
pub(super) async fn reflect(_: &Settings) -> Result<Source, Failure> {
    Err(Failure::plain(Exit::Usage, "there are no descriptors")
        .help("give the server's descriptors with --descriptors FILE"))
}

impl Upstreams {
    pub(super) fn new(_: &Settings, _: &[Vec<String>]) -> Result<Self, Failure> {
        Ok(Self {})
    }

    pub(super) fn service(&self) -> GrpcService {
        unreachable!()
    }

    pub(super) fn readiness(&self) -> Readiness {
        Readiness {}
    }

    pub(super) async fn run(self, _: watch::Receiver<bool>) {}
}

impl Readiness {
    pub(super) fn is_any_up(&self) -> bool {
        false
    }

    pub(super) fn details(&self) -> Map<String, Value> {
        Map::new()
    }
}
