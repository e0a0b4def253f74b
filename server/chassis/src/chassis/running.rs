//! A platform that serves, and its end in order: not ready, no new connections, GOAWAY, finish, workers, exit. The
//! whole takes at most `limits.drain_ms`, whatever the peers do.

use std::net::SocketAddr;
use std::time::Duration;

use millrace_gateway::Schema;
use millrace_gateway::admin::Admin;
use millrace_gateway::drain::begun;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::health::Readiness;
use crate::local::LocalChannel;

/// Of the time for a drain, what is kept for the workers after the last call.
const WORKERS_SHARE: Duration = Duration::from_secs(1);

/// A platform that serves. Dropping it drains as [`Running::shutdown`] does; [`Running::wait`] waits for the end.
pub struct Running {
    /// The bound public address.
    pub public_addr: SocketAddr,
    /// The bound admin address, `None` if it is off.
    pub admin_addr: Option<SocketAddr>,
    pub(super) local: LocalChannel,
    pub(super) gateway: millrace_gateway::Gateway,
    pub(super) readiness: Readiness,
    pub(super) stop: watch::Sender<bool>,
    pub(super) ended: JoinHandle<()>,
}

impl Running {
    /// Begins to drain: readiness false, no new connections, GOAWAY, open streams end with UNAVAILABLE. It may be
    /// called more than once.
    pub fn shutdown(&self) {
        let _ = self.stop.send(true);
    }

    /// Waits until the drain is over; it takes at most `limits.drain_ms` after [`Running::shutdown`].
    pub async fn wait(self) {
        let Self { ended, stop, .. } = self;
        // A task that ends by a panic has ended, too.
        let _ = ended.await;
        drop(stop);
    }

    /// Returns the channel to the services, through the whole stack, without a socket.
    pub fn channel(&self) -> LocalChannel {
        self.local.clone()
    }

    /// Returns the loaded descriptors and routes.
    pub fn schema(&self) -> &Schema {
        self.gateway.schema()
    }

    /// Returns whether calls should be sent here.
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }
}

/// What has to end.
pub(super) struct Parts {
    pub(super) readiness: Readiness,
    pub(super) draining: watch::Sender<bool>,
    pub(super) serving: JoinHandle<()>,
    pub(super) workers: JoinSet<()>,
    pub(super) admin: Option<Admin>,
    pub(super) local: LocalChannel,
    pub(super) drain_max: Duration,
}

impl Parts {
    /// How long connections may take to finish.
    pub(super) fn connections_max(drain_max: Duration) -> Duration {
        drain_max.saturating_sub(WORKERS_SHARE).max(drain_max / 2)
    }

    /// Waits for the stop, then ends all parts in order.
    pub(super) async fn run_until(mut self, mut stop: watch::Receiver<bool>) {
        begun(&mut stop).await;
        let end = Instant::now() + self.drain_max;
        tracing::info!(drain_ms = self.drain_max.as_millis() as u64, "draining");
        // First what balancers look at. A health watch gets NOT_SERVING before its stream ends.
        self.readiness.drain();
        // Then the accept loop, which says GOAWAY, and the streams; unary calls finish.
        let _ = self.draining.send(true);
        let _ = tokio::time::timeout_at(end, &mut self.serving).await;
        self.serving.abort();
        // The workers heard of it at the same time; what they write no longer has readers here.
        let ended = async { while self.workers.join_next().await.is_some() {} };
        if tokio::time::timeout_at(end, ended).await.is_err() {
            tracing::warn!(
                workers = self.workers.len(),
                "the drain is over; workers still running are cut"
            );
            self.workers.abort_all();
        }
        // Last, so that the metrics of the drain could be read.
        if let Some(admin) = self.admin.take() {
            let _ = tokio::time::timeout_at(end, admin.stop()).await;
        }
        self.local.disconnect();
        tracing::info!("stopped");
    }
}
