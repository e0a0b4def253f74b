//! Deletes answers whose time is over, in every database. A worker calls it from time to time.
//!
//! It goes round: one small statement per database and round, so that a user's write never waits long behind it and no
//! database waits for the backlog of another. A database is left alone when it has no full batch left, or when it
//! fails.

use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;

use crate::on;
use crate::shard::{DatabaseName, Shards, StoreError};
use crate::status::causes;

/// Rows deleted by one statement.
const BATCH_ROWS: usize = 500;

const DELETE_GLOBAL: &str = "DELETE FROM idempotency WHERE (method, key) IN \
     (SELECT method, key FROM idempotency WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";
const DELETE_USERS: &str = "DELETE FROM idempotency WHERE (user_id, method, key) IN \
     (SELECT user_id, method, key FROM idempotency WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";

/// What a sweep did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Rows that were deleted.
    pub rows: usize,
    /// Databases that could not be swept to the end; each was logged.
    pub failed: Vec<DatabaseName>,
}

/// Deletes every row that has expired by `now_us`, in every database that can be used, as long as `go_on` says so. How
/// long that takes is bounded by the rows that are there: none expires later than `now_us`.
pub async fn sweep(shards: &Shards, now_us: i64, go_on: impl Fn() -> bool) -> Swept {
    let mut swept = Swept::default();
    let mut left: Vec<DatabaseName> = std::iter::once(DatabaseName::Global)
        .chain(shards.ids().map(DatabaseName::Shard))
        .collect();
    while !left.is_empty() && go_on() {
        let mut full = Vec::with_capacity(left.len());
        for database in left {
            match batch(shards, database, now_us).await {
                Ok(rows) => {
                    swept.rows += rows;
                    if rows >= BATCH_ROWS {
                        full.push(database);
                    }
                }
                Err(error) => {
                    tracing::warn!(%database, %error, causes = causes(&error), "old answers cannot be deleted now");
                    swept.failed.push(database);
                }
            }
        }
        left = full;
    }
    swept
}

/// Deletes the oldest rows of one database, and returns how many.
async fn batch(shards: &Shards, database: DatabaseName, now_us: i64) -> Result<usize, StoreError> {
    let delete = |sql: &str| {
        diesel::sql_query(sql)
            .bind::<BigInt, _>(now_us)
            .bind::<BigInt, _>(BATCH_ROWS as i64)
    };
    match database {
        DatabaseName::Global => {
            let mut conn = shards.global().write().await?;
            on!(conn, c => delete(DELETE_GLOBAL).execute(c).await)
        }
        DatabaseName::Shard(shard) => {
            let Some(scope) = shards.scatter().shard(shard) else {
                return Ok(0);
            };
            let mut conn = scope.write().await?;
            on!(conn, c => delete(DELETE_USERS).execute(c).await)
        }
    }
}
