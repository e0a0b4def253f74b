//! What the chassis asks of the shards: where a user's rows are, and whether any shard answers.

use std::sync::Arc;
use std::time::Duration;

use millrace_gateway::drain::begun;
use millrace_gateway::edge::CallRecord;
use tokio::sync::watch;

use crate::health::Readiness;
use crate::module::Worker;
use crate::shard::{DatabaseName, Shards};
use crate::stack::{Deadline, Place};

/// How often the shards are asked whether they answer.
const PROBE_INTERVAL: Duration = Duration::from_secs(2);

/// Notes a user's shard in the call's record and gives the handler the user's scope, under the call's deadline.
pub(super) fn place(shards: Shards) -> Place {
    Arc::new(move |user, extensions| {
        if let Some(record) = extensions.get::<Arc<CallRecord>>() {
            record.set_shard(shards.locate(user).0);
        }
        let scope = shards.for_user(user);
        extensions.insert(match Deadline::current() {
            Some(deadline) => scope.until(deadline.0),
            None => scope,
        });
    })
}

/// Returns the background task that keeps readiness true to the shards.
pub(super) fn watcher(shards: &Shards, readiness: &Readiness) -> Worker {
    let (shards, readiness) = (shards.clone(), readiness.clone());
    Arc::new(move |draining| Box::pin(watch_shards(shards.clone(), readiness.clone(), draining)))
}

/// Keeps readiness true to the shards until the drain.
async fn watch_shards(shards: Shards, readiness: Readiness, mut draining: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(PROBE_INTERVAL) => {}
            () = begun(&mut draining) => return,
        }
        readiness.set_reachable(any_answers(&shards).await);
    }
}

/// Tells whether at least one shard answers.
pub(super) async fn any_answers(shards: &Shards) -> bool {
    let mut any = false;
    for (database, answer) in shards.ping().await {
        any |= answer.is_ok() && matches!(database, DatabaseName::Shard(_));
        if let Err(error) = answer {
            tracing::warn!(%database, %error, "a database does not answer");
        }
    }
    any
}
