//! What the chassis asks of the shards: where a user's rows are, and whether any shard answers.

use std::sync::Arc;
use std::time::Duration;

use millrace_gateway::drain::begun;
use millrace_gateway::edge::CallRecord;
use tokio::sync::watch;

use crate::health::{Readiness, Unreachable};
use crate::module::Worker;
use crate::shard::{DatabaseName, ModuleSchema, Shards, StoreError};
use crate::stack::{Deadline, Place};
use crate::status::causes;

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

/// Keeps readiness true to the databases, and opens shards that were down at the start.
#[derive(Clone)]
pub(super) struct ShardWatch {
    shards: Shards,
    schemas: Vec<ModuleSchema>,
    readiness: Readiness,
    /// What did not answer the last time: only changes are logged.
    unreachable: Vec<Unreachable>,
}

impl ShardWatch {
    pub(super) fn new(shards: Shards, schemas: Vec<ModuleSchema>, readiness: Readiness) -> Self {
        Self {
            shards,
            schemas,
            readiness,
            unreachable: Vec::new(),
        }
    }

    /// Returns the background task that looks from time to time until the drain.
    pub(super) fn worker(self) -> Worker {
        Arc::new(move |draining| Box::pin(self.clone().run(draining)))
    }

    async fn run(mut self, mut draining: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(PROBE_INTERVAL) => {}
                () = begun(&mut draining) => return,
            }
            self.look().await;
        }
    }

    /// Asks every database whether it answers.
    pub(super) async fn look(&mut self) {
        self.shards.admit(&self.schemas).await;
        let (mut any_shard, mut unreachable) = (false, Vec::new());
        for (database, answer) in self.shards.ping().await {
            let Err(error) = answer else {
                any_shard |= matches!(database, DatabaseName::Shard(_));
                continue;
            };
            let now = Unreachable {
                database: database.to_string(),
                reason: reason(&error),
            };
            if !self.unreachable.contains(&now) {
                tracing::warn!(%database, %error, causes = causes(&error), "a database does not answer");
            }
            unreachable.push(now);
        }
        for before in &self.unreachable {
            if !unreachable.iter().any(|now| now.database == before.database) {
                tracing::info!(database = before.database, "a database answers again");
            }
        }
        self.readiness.set_databases(any_shard, &unreachable);
        self.unreachable = unreachable;
    }
}

/// Says why a database does not answer to whoever may ask: no address, none of the driver's words.
fn reason(error: &StoreError) -> String {
    match error {
        StoreError::Unavailable { .. } => match error.closed() {
            Some(closed) => closed.to_string(),
            None => "it cannot be reached".to_owned(),
        },
        StoreError::Busy { .. } => "it did not answer in time".to_owned(),
        _ => "it answers with an error: see the log".to_owned(),
    }
}
