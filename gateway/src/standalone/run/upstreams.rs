//! The upstreams as `run` needs them: their connections kept, and one inner service for a schema.

use futures_util::future::join_all;
use tokio::sync::watch;

use super::super::schema::{self, Source};
use super::super::settings::{Settings, UpstreamSettings};
use super::super::{Exit, Failure};
use super::random;
use crate::transcode::Schema;
use crate::upstream::{ClientIdentity, Table, Upstream};

/// Makes the upstreams, in their order; nothing is connected yet.
pub(super) fn all(settings: &Settings) -> Result<Vec<Upstream>, Failure> {
    settings.upstreams.iter().map(upstream).collect()
}

/// The upstreams as one inner service, each with its services.
pub(super) fn table(settings: &Settings, source: &Source, schema: &Schema, upstreams: &[Upstream]) -> Table {
    let owners = schema::owners(settings, source, schema);
    Table::new(upstreams.iter().cloned().zip(owners).collect())
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
