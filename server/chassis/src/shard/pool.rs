//! One pool per database and role, over bb8. The wait for a connection is bounded by the caller, and a pool knows
//! whether it is merely exhausted (busy) or cannot connect (unavailable).

mod failure;

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::time::Instant;

use crate::config::server_url;
use crate::shard::identity::Expected;
use crate::shard::lite::LiteManager;
use crate::shard::pg::{PgManager, Role};
use crate::shard::{DatabaseName, ShardConn, StoreError};
use failure::LastFailure;
pub(crate) use failure::connect_error;

/// Bounds of the pools.
#[derive(Debug, Clone)]
pub struct PoolLimits {
    /// Connections per database and role (writer, reader) on PostgreSQL, and readers per SQLite file; a SQLite file
    /// always has exactly one writer. Default 5: with four shards a process holds at most 50.
    pub size: u32,
    /// Longest wait for a connection to PostgreSQL. Default 100 ms: a server that is full is better told so.
    pub wait: Duration,
    /// Longest wait for a connection to a SQLite file, if the call has no earlier deadline. Default 5 s: nobody but
    /// this process uses the file, so the wait is for our own calls.
    pub file_wait: Duration,
    /// Age at which a connection to PostgreSQL is replaced. Default 30 min.
    pub age_max: Duration,
    /// Time without use after which a connection to PostgreSQL is closed, but for one per pool. Default 10 min.
    pub idle_max: Duration,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self {
            size: 5,
            wait: Duration::from_millis(100),
            file_wait: Duration::from_secs(5),
            age_max: Duration::from_secs(30 * 60),
            idle_max: Duration::from_secs(10 * 60),
        }
    }
}

/// Longest that bb8 itself would wait; the bound that counts is the caller's.
const BACKSTOP: Duration = Duration::from_secs(60);

/// Where a database is.
#[derive(Clone)]
pub(crate) enum Location {
    File(PathBuf),
    Server(Box<tokio_postgres::Config>),
}

impl Location {
    pub(crate) fn file(folder: &Path, name: DatabaseName) -> Self {
        Self::File(folder.join(match name {
            DatabaseName::Global => "global.db".to_owned(),
            DatabaseName::Shard(shard) => format!("shard-{:03}.db", shard.0),
        }))
    }
}

/// Shows where, without a password: a path, or `user@host:port/database`, or
/// `user@unix:/folder/.s.PGSQL.5432/database`.
impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Server(config) => write!(f, "{}@{}", server_url::user(config), server_url::place(config)),
        }
    }
}

/// Lends connections of one database for one role.
pub(crate) struct Pool {
    engine: Engine,
    name: DatabaseName,
    role: Role,
    wait: Duration,
    last_failure: LastFailure,
    waiting: AtomicU64,
    waits: AtomicU64,
    timeouts: AtomicU64,
    wait_us: AtomicU64,
}

/// A pool's figures at one moment.
pub(crate) struct Figures {
    /// Connections in use.
    pub(crate) used: i64,
    /// Connections that wait for a call.
    pub(crate) idle: i64,
    /// Calls that wait now.
    pub(crate) waiting: i64,
    /// Calls that had to wait, ever.
    pub(crate) waits: u64,
    /// Calls that waited in vain, ever.
    pub(crate) timeouts: u64,
    /// Time that calls waited, ever.
    pub(crate) waited: Duration,
}

enum Engine {
    Pg(bb8::Pool<PgManager>),
    Sqlite(bb8::Pool<LiteManager>),
}

impl Pool {
    /// Makes a pool; it connects when first used. Its connections may lead to any database: for looking what is there.
    pub(crate) fn new(location: &Location, name: DatabaseName, role: Role, limits: &PoolLimits) -> Self {
        Self::make(location, name, role, limits, None)
    }

    /// Makes a pool whose connections lead to this database of this cluster, or are refused. (That a file
    /// stays the one that was opened, its manager sees to.)
    pub(super) fn of_cluster(
        location: &Location,
        name: DatabaseName,
        role: Role,
        limits: &PoolLimits,
        cluster_id: &str,
    ) -> Self {
        let cluster_id = cluster_id.to_owned();
        Self::make(location, name, role, limits, Some(Expected { cluster_id, name }))
    }

    fn make(
        location: &Location,
        name: DatabaseName,
        role: Role,
        limits: &PoolLimits,
        expected: Option<Expected>,
    ) -> Self {
        let last_failure = LastFailure::default();
        let (engine, wait) = match location {
            Location::Server(config) => {
                let manager = PgManager::new((**config).clone(), role, expected);
                let (size, idle) = if role == Role::Admin {
                    (1, 0)
                } else {
                    (limits.size.max(1), 1)
                };
                let pool = bb8::Pool::builder()
                    .max_size(size)
                    // The next call does not wait for a connection to be made, which takes some milliseconds.
                    .min_idle(idle)
                    .max_lifetime(Some(limits.age_max))
                    .idle_timeout(Some(limits.idle_max))
                    .connection_timeout(BACKSTOP)
                    .retry_connection(false)
                    .error_sink(Box::new(last_failure.clone()))
                    .build_unchecked(manager);
                (Engine::Pg(pool), limits.wait)
            }
            Location::File(path) => {
                let size = if role == Role::Reader { limits.size } else { 1 };
                let pool = bb8::Pool::builder()
                    .max_size(size.max(1))
                    .max_lifetime(None)
                    .connection_timeout(BACKSTOP)
                    .retry_connection(false)
                    .error_sink(Box::new(last_failure.clone()))
                    .build_unchecked(LiteManager::new(path, role));
                (Engine::Sqlite(pool), limits.file_wait)
            }
        };
        // Opening and migrating connect to servers that may be far away or just starting.
        let wait = if role == Role::Admin {
            Duration::from_secs(10)
        } else {
            wait
        };
        Self {
            engine,
            name,
            role,
            wait,
            last_failure,
            waiting: AtomicU64::new(0),
            waits: AtomicU64::new(0),
            timeouts: AtomicU64::new(0),
            wait_us: AtomicU64::new(0),
        }
    }

    pub(crate) fn name(&self) -> DatabaseName {
        self.name
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// Makes the first connection to a server, so that the first call finds it. Files are opened in no time.
    pub(crate) async fn warm(&self) -> Result<(), StoreError> {
        let Engine::Pg(pool) = &self.engine else { return Ok(()) };
        match pool.get().await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.unavailable(Box::new(error))),
        }
    }

    /// Returns a free connection, waiting at most until the deadline and at most as long as the pool allows.
    pub(crate) async fn get(&self, deadline: Option<Instant>) -> Result<ShardConn, StoreError> {
        match &self.engine {
            Engine::Pg(pool) => self.bounded(deadline, pool.get_owned()).await.map(ShardConn::Pg),
            Engine::Sqlite(pool) => self.bounded(deadline, pool.get_owned()).await.map(ShardConn::Sqlite),
        }
    }

    async fn bounded<C, E>(
        &self,
        deadline: Option<Instant>,
        get: impl Future<Output = Result<C, bb8::RunError<E>>>,
    ) -> Result<C, StoreError>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let failures_before = self.last_failure.count();
        let mut get = pin!(get);
        let outcome = match futures_util::future::poll_immediate(&mut get).await {
            Some(outcome) => Some(outcome),
            None => {
                let started = Instant::now();
                let until = deadline.map_or(started + self.wait, |d| d.min(started + self.wait));
                let _waiting = Waiting::start(self, started);
                // A failure to connect ends the wait if nobody holds a connection that could come back.
                let failed = pin!(async {
                    self.last_failure.changed(failures_before).await;
                    if self.connections() != (0, 0) {
                        std::future::pending::<()>().await;
                    }
                });
                let bound = pin!(tokio::time::timeout_at(until, select(get, failed)));
                match bound.await {
                    Ok(Either::Left((outcome, _))) => Some(outcome),
                    Ok(Either::Right(_)) | Err(_) => None,
                }
            }
        };
        match outcome {
            Some(Ok(conn)) => Ok(conn),
            Some(Err(bb8::RunError::User(error))) => Err(self.unavailable(Box::new(error))),
            Some(Err(bb8::RunError::TimedOut)) | None => {
                self.timeouts.fetch_add(1, Ordering::Relaxed);
                match self.last_failure.since(failures_before) {
                    Some(source) => Err(self.unavailable(source)),
                    None => Err(StoreError::Busy { database: self.name }),
                }
            }
        }
    }

    fn unavailable(&self, source: Box<dyn std::error::Error + Send + Sync>) -> StoreError {
        StoreError::Unavailable {
            database: self.name,
            source,
        }
    }

    /// Returns the figures for the metrics.
    pub(crate) fn figures(&self) -> Figures {
        let (used, idle) = self.connections();
        Figures {
            used: used.into(),
            idle: idle.into(),
            waiting: i64::try_from(self.waiting.load(Ordering::Relaxed)).unwrap_or(i64::MAX),
            waits: self.waits.load(Ordering::Relaxed),
            timeouts: self.timeouts.load(Ordering::Relaxed),
            waited: Duration::from_micros(self.wait_us.load(Ordering::Relaxed)),
        }
    }

    /// Returns (connections in use, connections idle).
    fn connections(&self) -> (u32, u32) {
        let state = match &self.engine {
            Engine::Pg(pool) => pool.state(),
            Engine::Sqlite(pool) => pool.state(),
        };
        (
            state.connections.saturating_sub(state.idle_connections),
            state.idle_connections,
        )
    }
}

/// Counts a call that waits, also if its future is dropped.
struct Waiting<'a> {
    pool: &'a Pool,
    started: Instant,
}

impl<'a> Waiting<'a> {
    fn start(pool: &'a Pool, started: Instant) -> Self {
        pool.waiting.fetch_add(1, Ordering::Relaxed);
        pool.waits.fetch_add(1, Ordering::Relaxed);
        Self { pool, started }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let waited = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.pool.wait_us.fetch_add(waited, Ordering::Relaxed);
        self.pool.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
