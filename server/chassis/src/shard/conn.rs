//! Connections: one enum over both engines, one macro that writes each query once for both, one kind of transaction.

use std::future::Future;

use bb8::PooledConnection;
use diesel::connection::AnsiTransactionManager as SyncTransactions;
use diesel_async::{AnsiTransactionManager, AsyncConnection, SimpleAsyncConnection, TransactionManager};
use tokio::time::Instant;

use crate::shard::lite::{self, LiteManager};
use crate::shard::pg::{PgManager, Role};
use crate::shard::{DatabaseName, StoreError};

pub use crate::shard::lite::Lite;

/// A connection of either engine, lent by a pool.
pub enum ShardConn {
    /// PostgreSQL.
    Pg(PooledConnection<'static, PgManager>),
    /// SQLite.
    Sqlite(PooledConnection<'static, LiteManager>),
}

impl ShardConn {
    async fn begin(&mut self, role: Role) -> diesel::QueryResult<()> {
        match self {
            Self::Pg(held) => {
                let sql = match role {
                    // Several statements of one reader see one state.
                    Role::Reader => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
                    Role::Writer | Role::Admin => "BEGIN ISOLATION LEVEL READ COMMITTED",
                };
                AnsiTransactionManager::begin_transaction_sql(held.unmarked(), sql).await
            }
            Self::Sqlite(held) => {
                let sql = match role {
                    Role::Reader => "BEGIN DEFERRED",
                    // The write lock is taken at once: a transaction that first reads and then writes could otherwise
                    // find that another came between, and no wait would help.
                    Role::Writer | Role::Admin => "BEGIN IMMEDIATE",
                };
                held.spawn_blocking(move |conn| SyncTransactions::begin_transaction_sql(conn, sql))
                    .await
            }
        }
    }

    async fn commit(&mut self) -> diesel::QueryResult<()> {
        match self {
            Self::Pg(held) => AnsiTransactionManager::commit_transaction(held.unmarked()).await,
            Self::Sqlite(held) => <Lite as AsyncConnection>::TransactionManager::commit_transaction(&mut **held).await,
        }
    }

    async fn rollback(&mut self) -> diesel::QueryResult<()> {
        match self {
            Self::Pg(held) => AnsiTransactionManager::rollback_transaction(held.unmarked()).await,
            Self::Sqlite(held) => {
                <Lite as AsyncConnection>::TransactionManager::rollback_transaction(&mut **held).await
            }
        }
    }
}

/// A connection together with the scope for which it was given.
pub struct Conn<S> {
    engine: ShardConn,
    scope: S,
    database: DatabaseName,
    role: Role,
}

impl<S> Conn<S> {
    pub(crate) fn new(engine: ShardConn, scope: S, database: DatabaseName, role: Role) -> Self {
        Self {
            engine,
            scope,
            database,
            role,
        }
    }

    /// Lets the file's locks be waited for until the call's deadline at the latest: a statement on a file runs in place
    /// and cannot be cancelled while it waits. (A reader of a WAL file waits for nobody; PostgreSQL is told to stop.)
    pub(super) async fn bound(&mut self, deadline: Option<Instant>) -> Result<(), StoreError> {
        let (ShardConn::Sqlite(held), Role::Writer) = (&mut self.engine, self.role) else {
            return Ok(());
        };
        let left = deadline.map_or(lite::BUSY_MAX, |deadline| deadline.duration_since(Instant::now()));
        let pragma = lite::busy_timeout(left.min(lite::BUSY_MAX));
        named(held.batch_execute(&pragma).await, self.database)
    }

    /// Returns the scope.
    pub fn scope(&self) -> &S {
        &self.scope
    }

    /// Returns the database to which this connection goes.
    pub fn database(&self) -> DatabaseName {
        self.database
    }

    /// Returns the connection for the macro [`on!`](crate::on).
    pub fn engine(&mut self) -> &mut ShardConn {
        &mut self.engine
    }

    /// Runs `work` in one transaction: BEGIN IMMEDIATE on SQLite, READ COMMITTED on PostgreSQL; on a connection for
    /// reading, one unchanging state of the database. It is rolled back if `work` fails or its future is dropped.
    ///
    /// `work` returns the error of a statement that failed: PostgreSQL refuses every statement after it. Transactions
    /// do not nest.
    ///
    /// # Errors
    /// What `work` returned, or a failure to begin or commit. A lost connection during the commit is
    /// [`StoreError::Unavailable`]: whether it took place is unknown, and the request id finds out on retry.
    pub async fn transaction<'a, R, E, F>(&mut self, work: F) -> Result<R, E>
    where
        for<'c> F:
            AsyncFnOnce(&'c mut Self) -> Result<R, E> + AsyncFunc<&'c mut Self, Result<R, E>, Fut: Send> + Send + 'a,
        E: From<StoreError> + Send,
        R: Send,
    {
        let role = self.role;
        self.engine.begin(role).await.map_err(|e| self.fault(e))?;
        match work(&mut *self).await {
            Ok(value) => match self.engine.commit().await {
                Ok(()) => Ok(value),
                Err(error) => Err(self.fault(error).into()),
            },
            // A rollback that fails leaves the connection broken, which the pool sees; the first error says more.
            Err(error) => {
                let _ = self.engine.rollback().await;
                Err(error)
            }
        }
    }

    fn fault(&self, error: diesel::result::Error) -> StoreError {
        StoreError::of(error, self.database)
    }
}

/// What `AsyncFnOnce` cannot yet say: that the future of a closure is `Send`. Every async closure whose future is,
/// has it.
pub trait AsyncFunc<T, R>: AsyncFnOnce(T) -> R + FnOnce(T) -> <Self as AsyncFunc<T, R>>::Fut {
    /// The future of the closure.
    type Fut: Future<Output = R>;
}

impl<F, T, Fut, R> AsyncFunc<T, R> for F
where
    F: AsyncFnOnce(T) -> R + FnOnce(T) -> Fut,
    Fut: Future<Output = R>,
{
    type Fut = Fut;
}

/// Names the database in the failure of a query. Only [`on!`](crate::on) calls it.
///
/// # Errors
/// The query failed.
#[doc(hidden)]
pub fn named<T>(answer: diesel::QueryResult<T>, database: DatabaseName) -> Result<T, StoreError> {
    answer.map_err(|error| StoreError::of(error, database))
}

/// Runs one query body on either engine: `on!(conn, c => users::table.find(id).first(c).await)`. Its failure is a
/// [`StoreError`] that names the database.
///
/// Leave the `?` outside: a body that is left early counts as a dropped statement, and its connection is replaced.
/// Where the dialects differ, write both: `on!(conn, pg c => {..}, sqlite c => {..})`.
#[macro_export]
macro_rules! on {
    ($conn:expr, $c:ident => $body:expr) => {
        $crate::on!($conn, pg $c => $body, sqlite $c => $body)
    };
    ($conn:expr, pg $p:ident => $pg:expr, sqlite $s:ident => $sqlite:expr) => {
        {
            let database = $conn.database();
            let answer = match $conn.engine() {
                $crate::shard::ShardConn::Pg(held) => {
                    let answer = {
                        let $p = held.begin();
                        $pg
                    };
                    held.end();
                    answer
                }
                $crate::shard::ShardConn::Sqlite(held) => {
                    let $s: &mut $crate::shard::conn::Lite = &mut **held;
                    $sqlite
                }
            };
            $crate::shard::conn::named(answer, database)
        }
    };
}
