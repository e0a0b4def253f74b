//! Connections to PostgreSQL: how one is made, when it may be used again, and what happens to a statement whose caller
//! went away.
//!
//! A future dropped in the middle of a statement leaves the statement running in the server and its answer on the wire.
//! diesel-async notices that only inside a transaction. [`Tracked`] notices it always: the macro [`on!`](crate::on)
//! marks the connection while a statement runs, a marked connection is never used again, and dropping it asks the
//! server to stop.

use std::time::Duration;

use diesel_async::pooled_connection::PoolableConnection;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use tokio_postgres::{CancelToken, NoTls};

use crate::shard::identity::Expected;
use crate::shard::{Closed, read_only};

/// Longest time for making one connection; without it an unreachable host would hold its place in the pool for ever.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// Longest silence of a peer before the kernel gives the connection up.
const PEER_SILENCE_MAX: Duration = Duration::from_secs(10);

/// What a pool's connections are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Reads and writes on the primary.
    Writer,
    /// Reads only; the database refuses anything else.
    Reader,
    /// Opening, migrating: no time limit on a statement.
    Admin,
}

impl Role {
    /// Returns the name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Writer => "writer",
            Self::Reader => "reader",
            Self::Admin => "admin",
        }
    }

    /// Returns the limits of a session. They are of last resort: a call's own deadline is shorter.
    fn limits(self) -> &'static str {
        match self {
            Self::Writer => {
                "SET statement_timeout = '10s'; SET lock_timeout = '2s'; \
                 SET idle_in_transaction_session_timeout = '10s'"
            }
            Self::Reader => {
                "SET statement_timeout = '10s'; SET lock_timeout = '2s'; \
                 SET idle_in_transaction_session_timeout = '10s'; SET default_transaction_read_only = on"
            }
            Self::Admin => "SET lock_timeout = '30s'; SET idle_in_transaction_session_timeout = '60s'",
        }
    }
}

/// Makes the server speak English: some failures are only known by their words (see [`StoreError`]). Only a superuser
/// or a role with that grant may; what else helps is said when the database is opened.
///
/// [`StoreError`]: crate::shard::StoreError
const ENGLISH: &str = "DO $$ BEGIN PERFORM set_config('lc_messages', 'C', false); \
    EXCEPTION WHEN insufficient_privilege THEN NULL; END $$";

/// Why no connection could be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The server refused or cannot be reached.
    #[error("PostgreSQL refused the connection: {}", reason(.0))]
    Postgres(#[source] tokio_postgres::Error),
    /// The server did not answer in time.
    #[error("PostgreSQL did not answer within {} s", CONNECT_MAX.as_secs())]
    Timeout,
    /// The session cannot be set up.
    #[error("the session cannot be set up")]
    Setup(#[from] diesel::ConnectionError),
    /// A statement of the set-up failed.
    #[error("the session cannot be set up")]
    Session(#[from] diesel::result::Error),
    /// The address now leads to another database than the one that was opened.
    #[error("it is not the database that it should be: its identity is another's, or it has none")]
    Another,
    /// The server answers, and takes no write; or, for a reader, may be behind.
    #[error("the server only reads: it is a standby, or `default_transaction_read_only` is on")]
    ReadOnly,
    /// A connection was given back broken; the pool replaces it.
    #[error("the connection is broken")]
    Broken,
}

impl ConnectError {
    /// Returns what a server that answers lacks for its database to be used.
    pub(crate) fn closed(&self) -> Option<Closed> {
        match self {
            Self::Another => Some(Closed::Wrong),
            Self::ReadOnly => Some(Closed::ReadOnly),
            _ => None,
        }
    }

    /// Tells whether the server answered that it will not have us: there is no such database, the user or the password
    /// is wrong, the user may not connect. Waiting does not help; the URL is wrong.
    pub(crate) fn is_refusal(&self) -> bool {
        // Classes of SQLSTATE: invalid authorization, invalid catalog name, access rule violation.
        const REFUSALS: [&str; 3] = ["28", "3D", "42"];
        match self {
            Self::Postgres(error) => error
                .code()
                .is_some_and(|state| REFUSALS.iter().any(|class| state.code().starts_with(class))),
            _ => false,
        }
    }
}

/// The server's own words if it spoke (`database "x" does not exist`), else what the driver knows. Neither holds the
/// password.
fn reason(error: &tokio_postgres::Error) -> String {
    error
        .as_db_error()
        .map_or_else(|| error.to_string(), |db| db.message().to_owned())
}

/// A connection that knows whether a statement is under way.
pub struct Tracked {
    conn: AsyncPgConnection,
    cancel: CancelToken,
    in_flight: bool,
}

impl Tracked {
    /// Marks that a statement starts. Only [`on!`](crate::on) calls it.
    #[doc(hidden)]
    pub fn begin(&mut self) -> &mut AsyncPgConnection {
        self.in_flight = true;
        &mut self.conn
    }

    /// Marks that the answer has been read. Only [`on!`](crate::on) calls it.
    #[doc(hidden)]
    pub fn end(&mut self) {
        self.in_flight = false;
    }

    /// Returns the connection for BEGIN, COMMIT and ROLLBACK. They are not marked: once COMMIT is on the wire no cancel
    /// request may follow it. diesel-async itself keeps a connection from being used again whose COMMIT was dropped.
    pub(crate) fn unmarked(&mut self) -> &mut AsyncPgConnection {
        &mut self.conn
    }

    fn is_broken(&mut self) -> bool {
        self.in_flight || std::thread::panicking() || PoolableConnection::is_broken(&mut self.conn)
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        if !self.in_flight {
            return;
        }
        // The server stops the statement at once instead of at `statement_timeout`. Without a runtime (the process
        // ends) there is nobody left to send the request, and the closing socket does the rest.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let cancel = self.cancel.clone();
            runtime.spawn(async move {
                let _ = tokio::time::timeout(CONNECT_MAX, cancel.cancel_query(NoTls)).await;
            });
        }
    }
}

/// Makes connections for one database and role.
#[derive(Debug)]
pub struct PgManager {
    config: tokio_postgres::Config,
    role: Role,
    /// Where each connection must lead; `None` while that is being found out.
    expected: Option<Expected>,
}

impl PgManager {
    /// Makes a manager of a parsed URL.
    pub(super) fn new(mut config: tokio_postgres::Config, role: Role, expected: Option<Expected>) -> Self {
        config
            .connect_timeout(CONNECT_MAX)
            .tcp_user_timeout(PEER_SILENCE_MAX)
            .keepalives_idle(PEER_SILENCE_MAX)
            .application_name("millrace");
        Self { config, role, expected }
    }

    async fn establish(&self) -> Result<Tracked, ConnectError> {
        let (client, connection) = self.config.connect(NoTls).await.map_err(ConnectError::Postgres)?;
        let cancel = client.cancel_token();
        let mut conn = AsyncPgConnection::try_from_client_and_connection(client, connection).await?;
        conn.batch_execute(&format!("{ENGLISH}; {}", self.role.limits()))
            .await?;
        if let Some(expected) = &self.expected
            && !expected.is_at(&mut conn).await?
        {
            return Err(ConnectError::Another);
        }
        // Who reads before it is known what is there, as a preview does, may read anywhere.
        let anywhere = self.role == Role::Reader && self.expected.is_none();
        if !anywhere && read_only::is_unfit(&mut conn, self.role).await? {
            return Err(ConnectError::ReadOnly);
        }
        Ok(Tracked {
            conn,
            cancel,
            in_flight: false,
        })
    }
}

impl bb8::ManageConnection for PgManager {
    /// Boxed: it is moved with every checkout.
    type Connection = Box<Tracked>;
    type Error = ConnectError;

    async fn connect(&self) -> Result<Box<Tracked>, ConnectError> {
        tokio::time::timeout(CONNECT_MAX, self.establish())
            .await
            .unwrap_or(Err(ConnectError::Timeout))
            .map(Box::new)
    }

    /// Checks without a round trip; a closed socket is seen.
    async fn is_valid(&self, conn: &mut Box<Tracked>) -> Result<(), ConnectError> {
        if conn.is_broken() {
            Err(ConnectError::Broken)
        } else {
            Ok(())
        }
    }

    fn has_broken(&self, conn: &mut Box<Tracked>) -> bool {
        conn.is_broken()
    }
}
