//! Shards that were down, or read-only, when the databases were opened for serving. Such a shard stays closed, which
//! its users' calls are told, until it is there, is the shard that it should be, and has the schema of this program:
//! what opening checks of the others.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::shard::migrate::{self, Change, ModuleSchema};
use crate::shard::open::{Site, open_shard};
use crate::shard::pg::ConnectError;
use crate::shard::pool::connect_error;
use crate::shard::{Database, DatabaseName, MigrateError, OpenError, ShardId, Shards, StoreError};
use crate::status::causes;

/// Longest wait for the pools' first connections.
const WARM_UP_MAX: Duration = Duration::from_secs(5);

/// Why a database is closed to calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// It was down at the start and has not come back.
    #[error("it has been down since the start")]
    Down,
    /// It answers, and takes no write.
    #[error("it is read-only: a standby, or `default_transaction_read_only` is on")]
    ReadOnly,
    /// It came back, and is another database than it should be.
    #[error("it is not the database that it should be: see the log")]
    Wrong,
    /// It came back, and its schema is older or newer than this program's.
    #[error("its schema does not fit this program: run `millrace migrate`")]
    Schema,
}

impl Closed {
    const ALL: [Self; 4] = [Self::Down, Self::ReadOnly, Self::Wrong, Self::Schema];

    /// The failure of a call that would use the database.
    pub(super) fn fault(self, database: DatabaseName) -> StoreError {
        StoreError::Unavailable {
            database,
            source: Box::new(self),
        }
    }
}

impl StoreError {
    /// Returns why the database is closed to calls, `None` if it is not: it was found to be so, or a new connection
    /// was.
    pub(crate) fn closed(&self) -> Option<Closed> {
        let Self::Unavailable { source, .. } = self else {
            return None;
        };
        let met = || connect_error(source.as_ref()).and_then(ConnectError::closed);
        source.downcast_ref().copied().or_else(met)
    }
}

impl Database {
    /// Returns why no call may use the database, `None` if calls may.
    pub(super) fn closed(&self) -> Option<Closed> {
        match self.closed.load(Ordering::Acquire) {
            0 => None,
            number => Closed::ALL.get(usize::from(number) - 1).copied(),
        }
    }

    pub(super) fn close(&self, why: Closed) {
        let place = Closed::ALL.iter().position(|each| *each == why).unwrap_or_default();
        self.closed.store(place as u8 + 1, Ordering::Release);
    }

    /// Makes the pools' first connections; one that fails is met by the first call.
    pub(super) async fn warm(&self) {
        let both = futures_util::future::join(self.writer.warm(), self.reader.warm());
        let _ = tokio::time::timeout(WARM_UP_MAX, both).await;
    }

    fn open(&self) {
        self.closed.store(0, Ordering::Release);
    }
}

/// Why a shard cannot be admitted now.
#[derive(Debug, thiserror::Error)]
enum AdmitError {
    #[error("it cannot be opened")]
    Open(#[from] OpenError),
    #[error("its schema cannot be compared")]
    Migrate(#[from] MigrateError),
    #[error("schema change {} of module {} is not applied; run `millrace migrate`", .0.name, .0.module)]
    Pending(Change),
}

impl AdmitError {
    fn closed(&self) -> Closed {
        match self {
            Self::Open(OpenError::Locked(_)) => Closed::Down,
            Self::Open(error) if error.is_down() => error.closed(),
            Self::Migrate(MigrateError::Store(error)) => error.closed().unwrap_or(Closed::Down),
            Self::Open(OpenError::Schema { .. }) | Self::Migrate(_) | Self::Pending(..) => Closed::Schema,
            Self::Open(_) => Closed::Wrong,
        }
    }
}

impl Shards {
    /// Looks again at the shards that were left out at the start, and opens those that are back and right. A change of
    /// what is wrong with one is logged once.
    pub async fn admit(&self, modules: &[ModuleSchema]) {
        for shard in self.ids() {
            let name = DatabaseName::Shard(shard);
            let database = self.database(name);
            let Some(before) = database.closed() else { continue };
            match self.examine(shard, modules).await {
                Ok(()) => {
                    // The calls that have waited for it must not find it busy with making connections.
                    database.warm().await;
                    database.open();
                    tracing::info!(database = %name, "a shard that was left out at the start is back");
                }
                Err(error) => {
                    let now = error.closed();
                    database.close(now);
                    if now != before {
                        let causes = causes(&error);
                        tracing::error!(database = %name, %error, causes, "a shard stays closed: {now}");
                    }
                }
            }
        }
    }

    /// Checks a shard as opening would, and its schema as starting to serve would.
    async fn examine(&self, shard: ShardId, modules: &[ModuleSchema]) -> Result<(), AdmitError> {
        let name = DatabaseName::Shard(shard);
        let site = Site::new(name, self.database(name).location.clone());
        open_shard(&site, &self.0.cluster, &self.0.limits, self.0.clock.now_us()).await?;
        let mut conn = self.admin(name).await.map_err(MigrateError::Store)?;
        match migrate::pending_in(&mut conn, modules).await?.into_iter().next() {
            Some(missing) => Err(AdmitError::Pending(missing)),
            None => Ok(()),
        }
    }
}
