//! Schema changes: each module ships them for both engines; a ledger in every database says which are applied.
//!
//! All changes that a database lacks of one module are one transaction, under one lock per database. A ledger that
//! knows a change which this program does not, belongs to a newer program: it is refused.

use diesel::prelude::*;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use sha2::{Digest, Sha256};

use crate::on;
use crate::shard::base::{self, schema_ledger};
use crate::shard::pg::Role;
use crate::shard::pool::{Location, Pool};
use crate::shard::{Conn, DatabaseName, ModuleSchema, ShardConn, Shards, StoreError};

/// One schema change, written for both engines. A migration that has shipped never changes.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Unique and rising within its list, as in `0001_users`.
    pub name: &'static str,
    /// Statements for PostgreSQL.
    pub pg: &'static str,
    /// Statements for SQLite; tables are STRICT.
    pub sqlite: &'static str,
}

/// A change of one database's schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The database.
    pub database: DatabaseName,
    /// The module.
    pub module: String,
    /// Name of the migration.
    pub name: &'static str,
}

impl Change {
    /// The changes of a list.
    pub(super) fn each(database: DatabaseName, module: &str, list: &[Migration]) -> impl Iterator<Item = Self> + use<> {
        let changes: Vec<Self> = list
            .iter()
            .map(|migration| Self {
                database,
                module: module.to_owned(),
                name: migration.name,
            })
            .collect();
        changes.into_iter()
    }

    /// All changes of a module.
    pub(super) fn all(database: DatabaseName, module: &ModuleSchema) -> impl Iterator<Item = Self> + use<> {
        Self::each(database, module.module, module.of(database))
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} {}", self.database, self.module, self.name)
    }
}

/// Why a schema cannot be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A newer program has changed the schema.
    #[error("{database}: schema change {module} {migration} is newer than this program; run the newer program")]
    Newer {
        /// The database.
        database: DatabaseName,
        /// The module.
        module: String,
        /// The unknown change.
        migration: String,
    },
    /// A shipped migration was edited.
    #[error("{database}: schema change {module} {migration} was applied with other statements; add a new one instead")]
    Edited {
        /// The database.
        database: DatabaseName,
        /// The module.
        module: String,
        /// The edited change.
        migration: String,
    },
    /// A module's list is not in rising order, or a change was inserted before one that is applied.
    #[error("{database}: schema change {module} {migration} is out of order; names must rise, new ones go last")]
    OutOfOrder {
        /// The database.
        database: DatabaseName,
        /// The module.
        module: String,
        /// The change out of order.
        migration: String,
    },
    /// A statement of a migration failed; nothing of it was kept.
    #[error("{database}: schema change {module} {migration} failed")]
    Failed {
        /// The database.
        database: DatabaseName,
        /// The module.
        module: String,
        /// The change.
        migration: String,
        /// What the database said.
        #[source]
        source: StoreError,
    },
    /// The database failed.
    #[error("the schema ledger cannot be used")]
    Store(#[from] StoreError),
}

/// Key of the advisory lock that one migrating process holds per PostgreSQL database ("millrace" in ASCII).
const PG_LOCK: i64 = 0x6d69_6c6c_7261_6365;
/// Key of the advisory lock on the global database that one process holds while it opens a set: not the same, since
/// opening may migrate.
pub(super) const PG_OPENING_LOCK: i64 = PG_LOCK + 1;

/// Applies what the global database and every shard lack of a module, the global database first, then shard by shard.
/// Returns what was applied. It is safe to call again after a failure.
///
/// # Errors
/// A database is newer, a migration was edited or fails, or a database cannot be reached.
pub async fn apply(
    shards: &Shards,
    module: &str,
    global: &[Migration],
    shard: &[Migration],
) -> Result<Vec<Change>, MigrateError> {
    let now_us = shards.0.clock.now_us();
    let mut applied = Vec::new();
    for name in shards.names() {
        let list = of(name, global, shard);
        let mut conn = shards.admin(name).await?;
        let names = conn
            .transaction(async |conn| apply_in_transaction(conn, module, list, now_us).await)
            .await?;
        applied.extend(names.into_iter().map(|name| Change {
            database: conn.database(),
            module: module.to_owned(),
            name,
        }));
    }
    Ok(applied)
}

/// Applies what the databases lack of the platform's own tables; see [`apply`].
///
/// # Errors
/// As [`apply`].
pub async fn apply_base(shards: &Shards) -> Result<Vec<Change>, MigrateError> {
    apply(shards, base::MODULE, base::GLOBAL, base::SHARD).await
}

/// Returns what [`apply`] would do. A server with pending changes does not start. A shard that was down when the
/// databases were opened for serving is left out: [`Shards::admit`] looks at it when it is back.
///
/// # Errors
/// A database is newer, a migration was edited, or a database cannot be reached.
pub async fn pending(
    shards: &Shards,
    module: &str,
    global: &[Migration],
    shard: &[Migration],
) -> Result<Vec<Change>, MigrateError> {
    let mut pending = Vec::new();
    for name in shards.names().filter(|name| shards.database(*name).closed().is_none()) {
        let list = of(name, global, shard);
        let mut conn = shards.admin(name).await?;
        let missing = missing(&mut conn, module, list).await?;
        pending.extend(Change::each(name, module, missing));
    }
    Ok(pending)
}

/// Returns what [`apply_base`] would do.
///
/// # Errors
/// As [`pending`].
pub async fn pending_base(shards: &Shards) -> Result<Vec<Change>, MigrateError> {
    pending(shards, base::MODULE, base::GLOBAL, base::SHARD).await
}

fn of<'m>(name: DatabaseName, global: &'m [Migration], shard: &'m [Migration]) -> &'m [Migration] {
    match name {
        DatabaseName::Global => global,
        DatabaseName::Shard(_) => shard,
    }
}

/// Takes the database's lock and applies what it lacks; the caller's transaction makes it all or nothing.
pub(super) async fn apply_in_transaction(
    conn: &mut Conn<DatabaseName>,
    module: &str,
    list: &[Migration],
    now_us: i64,
) -> Result<Vec<&'static str>, MigrateError> {
    let lock = format!("SELECT pg_advisory_xact_lock({PG_LOCK})");
    // SQLite needs no other lock: the transaction began with the only write lock there is.
    on!(conn, pg c => c.batch_execute(&lock).await, sqlite _c => Ok(()))?;
    on!(conn, pg c => c.batch_execute(base::LEDGER.pg).await, sqlite c => c.batch_execute(base::LEDGER.sqlite).await)?;
    let missing = missing(conn, module, list).await?;
    for migration in missing {
        on!(conn, pg c => c.batch_execute(migration.pg).await, sqlite c => c.batch_execute(migration.sqlite).await)
            .map_err(|error| MigrateError::Failed {
                database: conn.database(),
                module: module.to_owned(),
                migration: migration.name.to_owned(),
                source: error,
            })?;
        let row = (
            schema_ledger::module.eq(module),
            schema_ledger::name.eq(migration.name),
            schema_ledger::digest.eq(digest(conn.engine(), migration)),
            schema_ledger::applied_at.eq(now_us),
        );
        on!(conn, c => diesel::insert_into(schema_ledger::table).values(row).execute(c).await)?;
    }
    Ok(missing.iter().map(|migration| migration.name).collect())
}

/// Compares a module's list with the ledger and returns the tail that is not applied.
pub(super) async fn missing<'m>(
    conn: &mut Conn<DatabaseName>,
    module: &str,
    list: &'m [Migration],
) -> Result<&'m [Migration], MigrateError> {
    let database = conn.database();
    let applied: Vec<(String, String)> = on!(conn, c => schema_ledger::table
        .filter(schema_ledger::module.eq(module))
        .select((schema_ledger::name, schema_ledger::digest))
        .load(c)
        .await)?;
    let digests: Vec<String> = list.iter().map(|migration| digest(conn.engine(), migration)).collect();
    let names: Vec<&str> = list.iter().map(|migration| migration.name).collect();
    compare(&names, &digests, &applied)
        .map(|done| &list[done..])
        .map_err(|(problem, migration)| problem.error(database, module, migration))
}

/// What is wrong between a list and a ledger.
#[derive(Debug, PartialEq, Eq)]
enum Problem {
    Newer,
    Edited,
    OutOfOrder,
}

impl Problem {
    fn error(self, database: DatabaseName, module: &str, migration: String) -> MigrateError {
        let module = module.to_owned();
        match self {
            Self::Newer => MigrateError::Newer {
                database,
                module,
                migration,
            },
            Self::Edited => MigrateError::Edited {
                database,
                module,
                migration,
            },
            Self::OutOfOrder => MigrateError::OutOfOrder {
                database,
                module,
                migration,
            },
        }
    }
}

/// Returns how many of a list's changes are applied: they must be its first ones, with the same statements.
fn compare(names: &[&str], digests: &[String], applied: &[(String, String)]) -> Result<usize, (Problem, String)> {
    if let Some(pair) = names.windows(2).find(|pair| pair[0] >= pair[1]) {
        return Err((Problem::OutOfOrder, pair[1].to_owned()));
    }
    for (name, digest) in applied {
        match names.iter().position(|known| known == name) {
            None => return Err((Problem::Newer, name.clone())),
            Some(at) if digests[at] != *digest => return Err((Problem::Edited, name.clone())),
            Some(_) => {}
        }
    }
    match names[..applied.len()]
        .iter()
        .find(|name| !applied.iter().any(|(done, _)| done == *name))
    {
        Some(hole) => Err((Problem::OutOfOrder, (*hole).to_owned())),
        None => Ok(applied.len()),
    }
}

fn digest(engine: &ShardConn, migration: &Migration) -> String {
    let statements = match engine {
        ShardConn::Pg(_) => migration.pg,
        ShardConn::Sqlite(_) => migration.sqlite,
    };
    Sha256::digest(statements)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

impl Shards {
    /// Returns a connection without time limits on its statements: on PostgreSQL one of its own, on SQLite the file's
    /// one writer.
    pub(super) async fn admin(&self, name: DatabaseName) -> Result<Conn<DatabaseName>, StoreError> {
        let database = self.database(name);
        match &database.location {
            Location::File(_) => database.conn(Role::Writer, name, None).await,
            location @ Location::Server(_) => {
                let pool = Pool::new(location, name, Role::Admin, &self.0.limits);
                Ok(Conn::new(pool.get(None).await?, name, name, Role::Admin))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ledgers_are_compared() {
        let rows = |rows: &[(&str, &str)]| -> Vec<(String, String)> {
            rows.iter().map(|(n, d)| ((*n).to_owned(), (*d).to_owned())).collect()
        };
        let digests: Vec<String> = ["d1", "d2"].map(str::to_owned).to_vec();
        let names = ["0001_a", "0002_b"];
        for (applied, expected) in [
            (&[][..], Ok(0)),
            (&[("0001_a", "d1")], Ok(1)),
            (&[("0002_b", "d2"), ("0001_a", "d1")], Ok(2)),
            (&[("0002_b", "d2")], Err((Problem::OutOfOrder, "0001_a".to_owned()))),
            (&[("0001_a", "other")], Err((Problem::Edited, "0001_a".to_owned()))),
            (
                &[("0001_a", "d1"), ("0003_c", "d3")],
                Err((Problem::Newer, "0003_c".to_owned())),
            ),
        ] {
            assert_eq!(compare(&names, &digests, &rows(applied)), expected, "{applied:?}");
        }
        assert_eq!(
            compare(&["0002_b", "0001_a"], &digests, &[]),
            Err((Problem::OutOfOrder, "0001_a".to_owned()))
        );
    }
}
