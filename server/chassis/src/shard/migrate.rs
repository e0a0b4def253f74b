//! Schema changes: each module ships them for both engines; a ledger in every database says which are applied.
//!
//! All changes that a database lacks of one module are one transaction, under one lock per database. A ledger that
//! knows a change which this program does not, belongs to a newer program: it is refused.

pub(super) mod ledger;

use diesel::prelude::*;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};

use crate::on;
use crate::shard::base::{self, schema_ledger};
use crate::shard::pg::Role;
use crate::shard::pool::{Location, Pool};
use crate::shard::{Conn, DatabaseName, Shards, StoreError};

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

/// The schema changes of one module.
#[derive(Debug, Clone, Copy)]
pub struct ModuleSchema {
    /// Name in the ledger.
    pub module: &'static str,
    /// Changes of the global database, oldest first.
    pub global: &'static [Migration],
    /// Changes of every shard, oldest first.
    pub shard: &'static [Migration],
}

impl ModuleSchema {
    /// Returns the list of one database.
    pub(super) fn of(&self, database: DatabaseName) -> &'static [Migration] {
        match database {
            DatabaseName::Global => self.global,
            DatabaseName::Shard(_) => self.shard,
        }
    }
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
    /// Another program has changed the schema: one with a module that this one does not have.
    #[error(
        "{database}: schema change {module} {migration} is of a module that this program does not have; run the program \
         that has it, or, if the module was given up, delete its rows in the table `schema_ledger` of every database"
    )]
    UnknownModule {
        /// The database.
        database: DatabaseName,
        /// The unknown module.
        module: String,
        /// A change of it.
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

/// Applies what the global database and every shard lack of the platform's own tables and of all modules, the global
/// database first, then shard by shard. Returns what was applied. It is safe to call again after a failure.
///
/// # Errors
/// A database is newer or has another program's module, a migration was edited or fails, or a database cannot be
/// reached.
pub async fn apply(shards: &Shards, modules: &[ModuleSchema]) -> Result<Vec<Change>, MigrateError> {
    let now_us = shards.0.clock.now_us();
    let mut applied = Vec::new();
    for name in shards.names() {
        let mut conn = shards.admin(name).await?;
        ledger::check_modules(&mut conn, modules).await?;
        for module in with_base(modules) {
            let done = conn
                .transaction(async |conn| apply_in_transaction(conn, module, now_us).await)
                .await?;
            applied.extend(Change::each(name, module.module, done));
        }
    }
    Ok(applied)
}

/// Returns what [`apply`] would do. A server with pending changes does not start. A shard that was down when the
/// databases were opened for serving is left out: [`Shards::admit`] looks at it when it is back.
///
/// # Errors
/// A database is newer or has another program's module, a migration was edited, or a database cannot be reached.
pub async fn pending(shards: &Shards, modules: &[ModuleSchema]) -> Result<Vec<Change>, MigrateError> {
    let mut pending = Vec::new();
    for name in shards.names().filter(|name| shards.database(*name).closed().is_none()) {
        pending.extend(pending_in(&mut shards.admin(name).await?, modules).await?);
    }
    Ok(pending)
}

/// Returns what one database lacks.
pub(super) async fn pending_in(
    conn: &mut Conn<DatabaseName>,
    modules: &[ModuleSchema],
) -> Result<Vec<Change>, MigrateError> {
    ledger::check_modules(conn, modules).await?;
    let mut pending = Vec::new();
    for module in with_base(modules) {
        let missing = ledger::missing(conn, module).await?;
        pending.extend(Change::each(conn.database(), module.module, missing));
    }
    Ok(pending)
}

/// The platform's own schema comes before the modules'.
pub(super) fn with_base(modules: &[ModuleSchema]) -> impl Iterator<Item = &ModuleSchema> {
    std::iter::once(&base::SCHEMA).chain(modules)
}

/// Takes the database's lock and applies what it lacks; the caller's transaction makes it all or nothing.
pub(super) async fn apply_in_transaction(
    conn: &mut Conn<DatabaseName>,
    module: &ModuleSchema,
    now_us: i64,
) -> Result<&'static [Migration], MigrateError> {
    let lock = format!("SELECT pg_advisory_xact_lock({PG_LOCK})");
    // SQLite needs no other lock: the transaction began with the only write lock there is.
    on!(conn, pg c => c.batch_execute(&lock).await, sqlite _c => Ok(()))?;
    on!(conn, pg c => c.batch_execute(base::LEDGER.pg).await, sqlite c => c.batch_execute(base::LEDGER.sqlite).await)?;
    let missing = ledger::missing(conn, module).await?;
    for migration in missing {
        on!(conn, pg c => c.batch_execute(migration.pg).await, sqlite c => c.batch_execute(migration.sqlite).await)
            .map_err(|error| MigrateError::Failed {
                database: conn.database(),
                module: module.module.to_owned(),
                migration: migration.name.to_owned(),
                source: error,
            })?;
        let row = (
            schema_ledger::module.eq(module.module),
            schema_ledger::name.eq(migration.name),
            schema_ledger::digest.eq(ledger::digest(conn.engine(), migration)),
            schema_ledger::applied_at.eq(now_us),
        );
        on!(conn, c => diesel::insert_into(schema_ledger::table).values(row).execute(c).await)?;
    }
    Ok(missing)
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
