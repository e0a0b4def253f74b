//! Readiness of the databases.

use std::time::Duration;

use diesel::QueryDsl;
use diesel_async::RunQueryDsl;
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::on;
use crate::shard::pg::Role;
use crate::shard::{DatabaseName, Shards, StoreError, base};

/// Longest time for one database to answer a probe.
const PING_MAX: Duration = Duration::from_millis(500);

impl Shards {
    /// Asks every database at the same time whether it answers and would take a write, for half a second at most.
    pub async fn ping(&self) -> Vec<(DatabaseName, Result<(), StoreError>)> {
        join_all(
            self.names()
                .map(|name| async move { (name, self.ping_one(name).await) }),
        )
        .await
    }

    /// Asks through the pool of the readers, as a call would: an exhausted pool is not ready either.
    async fn ping_one(&self, name: DatabaseName) -> Result<(), StoreError> {
        let until = Instant::now() + PING_MAX;
        let answer = async {
            let mut conn = self.database(name).conn(Role::Reader, name, Some(until)).await?;
            let row = base::identity_row::table.select(base::identity_row::only_row);
            on!(conn, c => row.first::<i32>(c).await)?;
            drop(conn);
            self.check_writable(name, until).await
        };
        tokio::time::timeout_at(until, answer)
            .await
            .unwrap_or_else(|_| Err(StoreError::Busy { database: name }))
    }
}
