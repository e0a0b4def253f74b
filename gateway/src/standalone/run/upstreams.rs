//! The upstreams as `run` needs them: one inner service, and their connections kept.

use futures_util::future::join_all;
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::super::schema::Source;
use super::super::settings::{Settings, UpstreamSettings};
use super::super::{Exit, Failure};
use super::random;
use crate::upstream::{ClientIdentity, Health, Table, Upstream};

/// Asks every upstream for its schema.
pub(super) async fn reflect(_: &Settings) -> Result<Source, Failure> {
    Err(Failure::plain(Exit::Usage, "there are no descriptors")
        .help("give the server's descriptors with --descriptors FILE"))
}

/// Makes the upstreams; nothing is connected yet.
pub(super) fn table(settings: &Settings, owners: Vec<Vec<String>>) -> Result<Table, Failure> {
    let upstreams = settings.upstreams.iter().map(upstream);
    let upstreams = upstreams.collect::<Result<Vec<_>, _>>()?;
    Ok(Table::new(upstreams.into_iter().zip(owners).collect()))
}

/// Keeps the connections of all until `stopping` says to stop.
pub(super) async fn keep(upstreams: Vec<Upstream>, stopping: watch::Receiver<bool>) {
    join_all(upstreams.iter().map(|upstream| upstream.run(stopping.clone()))).await;
}

fn upstream(settings: &UpstreamSettings) -> Result<Upstream, Failure> {
    let mut connection = settings.connection.clone();
    connection.seed = random();
    if let (Some(certificate), Some(key)) = (&settings.tls.cert_file, &settings.tls.key_file) {
        connection.tls.client = Some(ClientIdentity {
            certificate: certificate.clone(),
            key: key.clone(),
        });
    }
    Upstream::new(connection).map_err(|error| Failure::new(Exit::Configuration, "an upstream cannot be used", error))
}

/// The state of each, for `/readiness`.
pub(super) fn details(upstreams: &[Upstream]) -> Map<String, Value> {
    let states = upstreams.iter().map(|upstream| {
        let name = upstream.name();
        match &*upstream.health().borrow() {
            Health::Connecting => json!({"name": name, "state": "connecting"}),
            Health::Up => json!({"name": name, "state": "up"}),
            Health::Down { reason } => json!({"name": name, "state": "down", "reason": reason}),
        }
    });
    Map::from_iter([("upstreams".to_owned(), states.collect())])
}
