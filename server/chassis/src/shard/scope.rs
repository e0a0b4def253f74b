//! Scopes: what a connection is asked from. A scope carries the deadline of the call in which it was made, which bounds
//! every wait. Outside of calls the pools' own limit bounds it.

use std::time::Duration;

use diesel::QueryDsl;
use diesel_async::RunQueryDsl;
use tokio::time::Instant;

use crate::shard::map::MapDamage;
use crate::shard::pg::Role;
use crate::shard::{Bucket, Conn, DatabaseName, ShardId, Shards, StoreError, UserId, base};
use crate::stack::Deadline;
use crate::status::{Fault, Kind, status};

/// One user's place in the store: the only way to that user's rows.
#[derive(Debug, Clone)]
pub struct UserScope {
    shards: Shards,
    user: UserId,
    deadline: Option<Instant>,
}

/// Returns the deadline of the call in progress.
pub(super) fn of_call() -> Option<Instant> {
    Deadline::current().map(|deadline| deadline.0)
}

/// How often a call whose map was stale tries again.
const STALE_MAP_RETRIES: u32 = 3;

/// An error that may hold a failure of the store.
pub trait HoldsStoreError: From<StoreError> {
    /// Returns the failure of the store.
    fn store(&self) -> Option<&StoreError>;
}

impl HoldsStoreError for StoreError {
    fn store(&self) -> Option<&StoreError> {
        Some(self)
    }
}

/// A method asks for the scope of a user and declares no shard key: a defect of the service.
#[derive(Debug, thiserror::Error)]
#[error("the method declares no shard key")]
struct NoShardKey;

impl Fault for NoShardKey {
    fn kind(&self) -> Kind {
        Kind::Internal
    }

    fn reason(&self) -> &'static str {
        "INTERNAL"
    }
}

impl UserScope {
    pub(crate) fn new(shards: Shards, user: UserId) -> Self {
        Self {
            shards,
            user,
            deadline: of_call(),
        }
    }

    /// Sets another deadline than that of the call in progress.
    #[must_use]
    pub fn until(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Returns the scope that the policy layer found for a request.
    ///
    /// # Errors
    /// INTERNAL if the method declares no shard key and so has none.
    pub fn of<T>(request: &tonic::Request<T>) -> Result<Self, tonic::Status> {
        request
            .extensions()
            .get::<Self>()
            .cloned()
            .ok_or_else(|| status(&NoShardKey))
    }

    /// Returns the user.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// Returns the user's bucket.
    pub fn bucket(&self) -> Bucket {
        self.user.bucket()
    }

    /// Returns the shard of the user, by the map as this process knows it.
    pub fn shard(&self) -> ShardId {
        self.shards.locate(self.user)
    }

    /// Returns a connection for reading.
    ///
    /// # Errors
    /// The shard cannot be reached or its pool is exhausted.
    pub async fn read(&self) -> Result<Conn<Self>, StoreError> {
        self.conn(Role::Reader).await
    }

    /// Returns a connection for writing.
    ///
    /// # Errors
    /// The shard cannot be reached or its pool is exhausted.
    pub async fn write(&self) -> Result<Conn<Self>, StoreError> {
        self.conn(Role::Writer).await
    }

    async fn conn(&self, role: Role) -> Result<Conn<Self>, StoreError> {
        let database = self.shards.database(DatabaseName::Shard(self.shard()));
        database.conn(role, self.clone(), self.deadline).await
    }

    /// Runs a whole unit of work; if it ends in [`StoreError::WrongEpoch`] the map is refreshed and the work is run
    /// again, up to three times. Nothing was done by then: the fence is in the work's first statement. The closure
    /// borrows what it needs (`async |scope|`, not `async move`), as it may run again.
    ///
    /// ```text
    /// scope.fenced(async |scope| {
    ///     let mut conn = scope.read().await?;
    ///     let found = on!(conn, c => users::table.find(user).filter(owned!(bucket)).first(c).await.optional())?;
    ///     if found.is_none() { fence::check(&mut conn).await?; }
    ///     Ok(found)
    /// }).await
    /// ```
    ///
    /// # Errors
    /// What `work` returned.
    pub async fn fenced<'a, R, E, F>(&self, work: F) -> Result<R, E>
    where
        for<'c> F: AsyncFn(&'c Self) -> Result<R, E> + FencedWork<&'c Self, Result<R, E>, Fut: Send> + Send + 'a,
        E: HoldsStoreError + Send,
        R: Send,
    {
        let mut retries_left = STALE_MAP_RETRIES;
        loop {
            let result = work(self).await;
            let stale = matches!(&result, Err(error) if matches!(error.store(), Some(StoreError::WrongEpoch(_))));
            if !stale || retries_left == 0 {
                return result;
            }
            let attempt = STALE_MAP_RETRIES - retries_left;
            retries_left -= 1;
            // A bucket on its way has no owner for some tens of milliseconds; the jitter keeps its callers apart.
            let jitter_ms = self.shards.0.ids.random_u64() % 10;
            tokio::time::sleep(Duration::from_millis((10 << attempt) + jitter_ms)).await;
            self.shards.refresh_map().await?;
        }
    }
}

/// What `AsyncFn` cannot yet say: that the future is `Send`. See [`AsyncFunc`](crate::shard::conn::AsyncFunc).
pub trait FencedWork<T, R>: AsyncFn(T) -> R + Fn(T) -> <Self as FencedWork<T, R>>::Fut {
    /// The future of the closure.
    type Fut: Future<Output = R>;
}

impl<F, T, Fut, R> FencedWork<T, R> for F
where
    F: AsyncFn(T) -> R + Fn(T) -> Fut,
    Fut: Future<Output = R>,
{
    type Fut = Fut;
}

/// The global database: catalog, e-mails, shard map.
#[derive(Debug, Clone)]
pub struct Global {
    shards: Shards,
    deadline: Option<Instant>,
}

impl Global {
    pub(crate) fn new(shards: Shards) -> Self {
        Self {
            shards,
            deadline: of_call(),
        }
    }

    /// Sets another deadline than that of the call in progress.
    #[must_use]
    pub fn until(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Returns a connection for reading.
    ///
    /// # Errors
    /// The database cannot be reached or its pool is exhausted.
    pub async fn read(&self) -> Result<Conn<Self>, StoreError> {
        self.conn(Role::Reader).await
    }

    /// Returns a connection for writing.
    ///
    /// # Errors
    /// The database cannot be reached or its pool is exhausted.
    pub async fn write(&self) -> Result<Conn<Self>, StoreError> {
        self.conn(Role::Writer).await
    }

    async fn conn(&self, role: Role) -> Result<Conn<Self>, StoreError> {
        let database = self.shards.database(DatabaseName::Global);
        database.conn(role, self.clone(), self.deadline).await
    }
}

/// One shard, for the workers that tend every shard; no call of a user gets one.
#[derive(Debug, Clone)]
pub struct ShardScope {
    shards: Shards,
    shard: ShardId,
    deadline: Option<Instant>,
}

impl ShardScope {
    /// `None` if there is no such shard.
    pub(crate) fn new(shards: Shards, shard: ShardId, deadline: Option<Instant>) -> Option<Self> {
        (shard.0 < shards.count()).then_some(Self {
            shards,
            shard,
            deadline,
        })
    }

    /// Returns the shard's number.
    pub fn shard(&self) -> ShardId {
        self.shard
    }

    /// Returns a connection for reading.
    ///
    /// # Errors
    /// The shard cannot be reached or its pool is exhausted.
    pub async fn read(&self) -> Result<Conn<ShardId>, StoreError> {
        self.conn(Role::Reader).await
    }

    /// Returns a connection for writing.
    ///
    /// # Errors
    /// The shard cannot be reached or its pool is exhausted.
    pub async fn write(&self) -> Result<Conn<ShardId>, StoreError> {
        self.conn(Role::Writer).await
    }

    async fn conn(&self, role: Role) -> Result<Conn<ShardId>, StoreError> {
        let database = self.shards.database(DatabaseName::Shard(self.shard));
        database.conn(role, self.shard, self.deadline).await
    }
}

impl Shards {
    /// Reads the map again from the global database. Rows that make no sense are logged and left out.
    ///
    /// # Errors
    /// The global database cannot be read. The old map stays.
    pub async fn refresh_map(&self) -> Result<(), StoreError> {
        if let Err(damage) = self.load_map().await? {
            // It may also be that the cluster has a shard more than this process has databases: it is older than the
            // map.
            tracing::error!(%damage, "the bucket map in the global database makes no sense");
        }
        Ok(())
    }

    /// Reads the map again, and tells what is wrong with it.
    pub(super) async fn load_map(&self) -> Result<Result<(), MapDamage>, StoreError> {
        let mut conn = self.global().read().await?;
        let rows: Vec<(i32, i32)> = crate::on!(conn, c => base::bucket::table
            .select((base::bucket::number, base::bucket::shard))
            .load(c)
            .await)?;
        Ok(self.0.map.take_over(&rows, self.count()))
    }
}
