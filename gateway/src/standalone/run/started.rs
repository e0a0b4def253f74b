//! A gateway that serves, and its end in order: no new connections, calls, upstreams, and last what showed the end of
//! the others.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::part::Part;
use crate::admin::Admin;
use crate::upstream::Upstream;

/// Of the time for a drain, what is kept for the upstreams and the admin listener after the last call.
const LAST_SHARE: Duration = Duration::from_secs(1);

/// Of the time that connections have, what is kept for the last words of what is still open: half of it for streams
/// alone, half for calls with one answer too.
const LAST_WORDS_SHARE: Duration = Duration::from_secs(1);

/// A gateway that serves.
pub(super) struct Started {
    pub(super) draining: watch::Sender<bool>,
    /// After `draining`, when no call can be in progress any more.
    pub(super) closing: watch::Sender<bool>,
    /// The public listener.
    pub(super) serving: Part,
    /// The connections to the upstreams.
    pub(super) keeping: Part,
    /// The schema's refreshes.
    pub(super) refreshing: Part,
    pub(super) upstreams: Vec<Upstream>,
    pub(super) admin: Option<Admin>,
}

impl Started {
    /// How long connections may take to finish.
    pub(super) fn connections_max(drain_max: Duration) -> Duration {
        less(drain_max, LAST_SHARE)
    }

    /// Waits for a part that ends before the drain.
    pub(super) async fn failed(&mut self) {
        tokio::select! {
            () = self.serving.failed() => {}
            () = self.keeping.failed() => {}
            () = self.refreshing.failed() => {}
        }
    }

    /// Ends all parts in order.
    pub(super) async fn drain(self, drain_max: Duration) {
        let Self {
            draining,
            closing,
            serving,
            keeping,
            refreshing,
            upstreams,
            admin,
        } = self;
        let began = Instant::now();
        let end = began + drain_max;
        let _ = draining.send(true);
        tokio::select! {
            () = serving.ends(end) => {}
            () = last_words(&upstreams, began, Self::connections_max(drain_max)) => {}
        }
        let _ = closing.send(true);
        keeping.ends(end).await;
        refreshing.ends(end).await;
        if let Some(admin) = admin {
            let _ = tokio::time::timeout_at(end, admin.stop()).await;
        }
        tracing::info!("stopped");
    }
}

/// Tells the streams and then the calls that are still open near the end that they end, rather than to cut them without
/// a word; never returns.
async fn last_words(upstreams: &[Upstream], began: Instant, connections_max: Duration) {
    let streams = less(connections_max, LAST_WORDS_SHARE);
    tokio::time::sleep_until(began + streams).await;
    upstreams.iter().for_each(Upstream::cut_streams);
    tokio::time::sleep_until(began + (streams + connections_max) / 2).await;
    upstreams.iter().for_each(Upstream::end_calls);
    std::future::pending().await
}

/// What is left of a time, of which at most a half is kept for something else.
fn less(time: Duration, kept: Duration) -> Duration {
    time.saturating_sub(kept).max(time / 2)
}
