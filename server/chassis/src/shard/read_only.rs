//! Servers that only read: a standby, or one whose `default_transaction_read_only` is on, for all, for the database or
//! for the user. Who asks such a server what it holds gets an answer, so it looks well until somebody writes.

use diesel::QueryableByName;
use diesel::sql_types::Bool;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tokio::time::Instant;

use crate::on;
use crate::shard::pg::Role;
use crate::shard::pool::Location;
use crate::shard::{Closed, DatabaseName, Shards, StoreError};

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    unfit: bool,
}

/// Tells whether the server of a connection only reads, and so is of no use for a role.
pub(super) async fn is_unfit(conn: &mut AsyncPgConnection, role: Role) -> diesel::QueryResult<bool> {
    let question = match role {
        // True on a standby as well: it begins every transaction so.
        Role::Writer | Role::Admin => "SELECT current_setting('transaction_read_only')::bool AS unfit",
        // A reader's session is read-only by its own limits. It may read where nobody writes, but not from a standby:
        // that may be behind what the caller has just written.
        Role::Reader => "SELECT pg_is_in_recovery() AS unfit",
    };
    let answer: Answer = diesel::sql_query(question).get_result(conn).await?;
    Ok(answer.unfit)
}

impl Shards {
    /// Asks through the pool of the writers whether the database's server would take a write. (A file was written when
    /// it was opened; its one writer is left to the calls.)
    pub(super) async fn check_writable(&self, name: DatabaseName, until: Instant) -> Result<(), StoreError> {
        let database = self.database(name);
        if let Location::File(_) = database.location {
            return Ok(());
        }
        let mut conn = match database.conn(Role::Writer, name, Some(until)).await {
            // All are lent to calls that write: no answer, and no need of one.
            Err(StoreError::Busy { .. }) if database.writer.figures().used > 0 => return Ok(()),
            lent => lent?,
        };
        if on!(conn, pg c => is_unfit(c, Role::Writer).await, sqlite _c => Ok(false))? {
            return Err(Closed::ReadOnly.fault(name));
        }
        Ok(())
    }
}
