//! What a test runs on: a set of empty databases of one engine, and the means to damage them.

use diesel::prelude::*;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use futures_util::FutureExt;

use super::server::Server;
use crate::clock::Clock;
use crate::config::Database;
use crate::id::Ids;
use crate::on;
use crate::shard::{
    Conn, DatabaseName, Migration, ModuleSchema, OpenError, PoolLimits, ShardId, Shards, StoreError, UserScope, migrate,
};

/// Number of shards in most tests.
pub(super) const SHARDS: u16 = 3;
/// Where the tests' clock stands.
pub(super) const NOW_US: i64 = 1_800_000_000_000_000;

/// A user's table, as a module would have it.
pub(super) const NOTES: &[Migration] = &[Migration {
    name: "0001_note",
    pg: "CREATE TABLE note (
            user_id bigint NOT NULL,
            bucket integer NOT NULL CHECK (bucket = user_id % 960),
            note_id bigint NOT NULL,
            body text NOT NULL,
            PRIMARY KEY (user_id, note_id)
        )",
    sqlite: "CREATE TABLE note (
            user_id INTEGER NOT NULL,
            bucket INTEGER NOT NULL CHECK (bucket = user_id % 960),
            note_id INTEGER NOT NULL,
            body TEXT NOT NULL,
            PRIMARY KEY (user_id, note_id)
        ) STRICT",
}];

/// The module of that table.
pub(super) const NOTES_SCHEMA: ModuleSchema = ModuleSchema {
    module: "notes",
    global: &[],
    shard: NOTES,
};

diesel::table! {
    note (user_id, note_id) {
        user_id -> BigInt,
        bucket -> Integer,
        note_id -> BigInt,
        body -> Text,
    }
}

/// A set of databases.
pub(super) struct Bench {
    pub(super) database: Database,
    engine: Engine,
}

enum Engine {
    Sqlite { _folder: tempfile::TempDir },
    Postgres(Server),
}

/// Runs a test on SQLite files.
pub(super) async fn sqlite(test: impl AsyncFnOnce(&mut Bench)) {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench {
        database: Database::Embedded {
            data_dir: folder.path().join("data"),
            shards: SHARDS,
        },
        engine: Engine::Sqlite { _folder: folder },
    };
    test(&mut bench).await;
}

/// Runs a test on a PostgreSQL server.
pub(super) async fn postgres(test: impl AsyncFnOnce(&mut Bench)) {
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration")]
    let admin_url = std::env::var("MILLRACE_TEST_POSTGRES").expect("./tests/run sets it");
    let mut bench = Bench {
        database: Database::Postgres {
            global: String::new(),
            shards: Vec::new(),
        },
        engine: Engine::Postgres(Server::new(admin_url)),
    };
    let global = bench.server().database().await;
    let mut shards = Vec::new();
    for _ in 0..SHARDS {
        shards.push(bench.server().database().await);
    }
    bench.database = Database::Postgres { global, shards };
    let outcome = std::panic::AssertUnwindSafe(test(&mut bench)).catch_unwind().await;
    if let Engine::Postgres(server) = &mut bench.engine {
        server.give_back(outcome.is_err()).await;
    }
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

impl Bench {
    /// Opens the databases.
    pub(super) async fn open(&self) -> Result<Shards, OpenError> {
        self.open_with(patient()).await
    }

    pub(super) async fn open_with(&self, limits: PoolLimits) -> Result<Shards, OpenError> {
        let clock = Clock::manual(NOW_US);
        Shards::open_with(&self.database, limits, clock.clone(), Ids::system(clock)).await
    }

    /// Opens the databases as a server does.
    pub(super) async fn open_for_serving(&self) -> Result<Shards, OpenError> {
        let clock = Clock::manual(NOW_US);
        Shards::open_for_serving(&self.database, patient(), clock.clone(), Ids::system(clock)).await
    }

    /// Takes a PostgreSQL database down: whoever is connected is thrown out, and nobody gets in.
    pub(super) async fn stop(&mut self, name: DatabaseName) {
        let place = self.place(name);
        self.admin(&format!("ALTER DATABASE {place} ALLOW_CONNECTIONS false"))
            .await;
        let cut = format!("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{place}'");
        self.admin(&cut).await;
    }

    /// Brings it back.
    pub(super) async fn start(&mut self, name: DatabaseName) {
        let place = self.place(name);
        self.admin(&format!("ALTER DATABASE {place} ALLOW_CONNECTIONS true"))
            .await;
    }

    /// Opens the databases and makes the table of notes.
    pub(super) async fn with_notes(&self) -> Shards {
        self.with_notes_and(patient()).await
    }

    pub(super) async fn with_notes_and(&self, limits: PoolLimits) -> Shards {
        let shards = self.open_with(limits).await.unwrap();
        migrate::apply(&shards, &[NOTES_SCHEMA]).await.unwrap();
        shards
    }

    pub(super) fn is_postgres(&self) -> bool {
        matches!(self.engine, Engine::Postgres(_))
    }

    fn server(&mut self) -> &mut Server {
        match &mut self.engine {
            Engine::Postgres(server) => server,
            Engine::Sqlite { .. } => panic!("files have no server"),
        }
    }

    /// Runs a statement in the server's maintenance database.
    pub(super) async fn admin(&mut self, sql: &str) {
        self.server().admin(sql).await;
    }

    /// Name of a database on the server, or path of its file.
    pub(super) fn place(&self, name: DatabaseName) -> String {
        match (&self.database, name) {
            (Database::Postgres { global, .. }, DatabaseName::Global) => global.rsplit('/').next().unwrap().to_owned(),
            (Database::Postgres { shards, .. }, DatabaseName::Shard(shard)) => {
                shards[usize::from(shard.0)].rsplit('/').next().unwrap().to_owned()
            }
            (Database::Embedded { data_dir, .. }, DatabaseName::Global) => {
                data_dir.join("global.db").display().to_string()
            }
            (Database::Embedded { data_dir, .. }, DatabaseName::Shard(shard)) => {
                data_dir.join(format!("shard-{:03}.db", shard.0)).display().to_string()
            }
        }
    }

    /// Empties a database, as if it had never been.
    pub(super) async fn lose(&self, name: DatabaseName) {
        let place = self.place(name);
        match &self.engine {
            Engine::Sqlite { .. } => {
                for end in ["", "-wal", "-shm"] {
                    let _ = std::fs::remove_file(format!("{place}{end}"));
                }
            }
            Engine::Postgres(server) => server.empty(&place).await,
        }
    }

    /// Runs a statement in a database that cannot be opened.
    pub(super) async fn repair(&self, name: DatabaseName, sql: &str) {
        let place = self.place(name);
        match &self.engine {
            Engine::Sqlite { .. } => {
                let mut conn = diesel::SqliteConnection::establish(&place).unwrap();
                diesel::connection::SimpleConnection::batch_execute(&mut conn, sql).unwrap();
            }
            Engine::Postgres(server) => server.run(&place, sql).await,
        }
    }

    /// Exchanges the addresses of two databases.
    pub(super) fn swap(&mut self, one: DatabaseName, other: DatabaseName) {
        let places = (self.place(one), self.place(other));
        match &mut self.database {
            Database::Embedded { data_dir, .. } => {
                let aside = data_dir.join("aside");
                std::fs::rename(&places.0, &aside).unwrap();
                std::fs::rename(&places.1, &places.0).unwrap();
                std::fs::rename(&aside, &places.1).unwrap();
            }
            Database::Postgres { global, shards } => match (one, other) {
                (DatabaseName::Shard(a), DatabaseName::Shard(b)) => shards.swap(usize::from(a.0), usize::from(b.0)),
                (DatabaseName::Global, DatabaseName::Shard(b)) => std::mem::swap(global, &mut shards[usize::from(b.0)]),
                _ => panic!("not used"),
            },
        }
    }

    /// Gives one more shard.
    pub(super) async fn one_more_shard(&mut self) {
        if self.is_postgres() {
            let url = self.server().database().await;
            let Database::Postgres { shards, .. } = &mut self.database else {
                return;
            };
            shards.push(url);
        } else if let Database::Embedded { shards, .. } = &mut self.database {
            *shards += 1;
        }
    }
}

/// Limits under which a busy machine fails no test.
fn patient() -> PoolLimits {
    PoolLimits {
        wait: std::time::Duration::from_secs(5),
        ..PoolLimits::default()
    }
}

/// Every shard's number.
pub(super) fn shard_ids() -> impl Iterator<Item = ShardId> {
    (0..SHARDS).map(ShardId)
}

/// Runs statements in one database.
pub(super) async fn run(shards: &Shards, name: DatabaseName, sql: &str) -> Result<(), StoreError> {
    let mut conn = shards.admin(name).await?;
    on!(conn, c => c.batch_execute(sql).await)?;
    Ok(())
}

/// Writes one note under the fence.
pub(super) async fn write_note(conn: &mut Conn<UserScope>, note: i64, body: &str) -> Result<(), StoreError> {
    use diesel::sql_types::{BigInt, Integer, Text};
    let (user, bucket) = (conn.scope().user(), conn.scope().bucket());
    let row = crate::shard::fence::owned_row(bucket).select((
        user.get().into_sql::<BigInt>(),
        i32::from(bucket.number()).into_sql::<Integer>(),
        note.into_sql::<BigInt>(),
        body.into_sql::<Text>(),
    ));
    let written = on!(conn, c => row
        .insert_into(note::table)
        .into_columns((note::user_id, note::bucket, note::note_id, note::body))
        .execute(c)
        .await)?;
    if written == 0 {
        crate::shard::fence::check(conn).await?;
    }
    Ok(())
}

/// Reads one note under the fence.
pub(super) async fn read_note(conn: &mut Conn<UserScope>, note: i64) -> Result<Option<String>, StoreError> {
    let (user, bucket) = (conn.scope().user().get(), conn.scope().bucket());
    let found: Option<String> = on!(conn, c => note::table
        .find((user, note))
        .filter(crate::owned!(bucket))
        .select(note::body)
        .first(c)
        .await
        .optional())?;
    if found.is_none() {
        crate::shard::fence::check(conn).await?;
    }
    Ok(found)
}
