//! The sharded store. A user's rows live on one shard: `bucket = user_id mod 960`, `shard = map[bucket]`.
//!
//! A connection is only had from a scope: [`UserScope`] (one user's shard), [`Global`], or [`Scatter`] (all shards, on
//! purpose). A query without one does not compile, since nothing else has a connection to give:
//!
//! ```compile_fail,E0599
//! use diesel_async::RunQueryDsl;
//! use millrace_chassis::{on, shard::{Shards, fence::bucket_fence}};
//! async fn everything(shards: &Shards) -> diesel::QueryResult<Vec<(i32, i64, i32)>> {
//!     on!(shards, c => bucket_fence::table.load(c).await) // `Shards` is no scope
//! }
//! ```
//! The same query through a scope:
//! ```
//! use diesel_async::RunQueryDsl;
//! use millrace_chassis::{on, shard::{Shards, StoreError, UserId, fence::bucket_fence}};
//! async fn of_one(shards: &Shards, user: UserId) -> Result<Vec<(i32, i64, i32)>, StoreError> {
//!     let mut conn = shards.for_user(user).read().await?;
//!     on!(conn, c => bucket_fence::table.load(c).await)
//! }
//! ```
//!
//! The authority over a bucket is its fence row in the shard itself; [`fence`] is the predicate that the first
//! statement of every single-user read and write carries. A call whose map was stale gets [`StoreError::WrongEpoch`];
//! [`UserScope::fenced`] refreshes the map and tries again.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;

use tokio::time::Instant;

use crate::clock::Clock;
use crate::id::Ids;

pub mod base;
pub mod conn;
pub mod error;
pub mod fence;
mod identity;
pub mod key;
mod late;
pub mod lite;
mod map;
mod metrics;
pub mod migrate;
pub mod open;
pub mod pg;
mod ping;
mod pool;
mod read_only;
pub mod scatter;
pub mod scope;

pub use conn::{Conn, ShardConn};
pub use error::StoreError;
pub use key::{BUCKETS, Bucket, DatabaseName, ShardId, UserId};
pub use late::Closed;
pub use map::MapDamage;
pub use migrate::{MigrateError, Migration, ModuleSchema};
pub use open::OpenError;
pub use pool::PoolLimits;
pub use scatter::{Gathered, Scatter};
pub use scope::{Global, ShardScope, UserScope};

#[cfg(test)]
mod tests;

use identity::Cluster;
use map::BucketMap;
use migrate::Change;
use pg::Role;
use pool::{Location, Pool};

/// The databases of a platform; cheap to clone.
#[derive(Clone)]
pub struct Shards(Arc<Inner>);

struct Inner {
    global: Database,
    shards: Box<[Database]>,
    cluster: Cluster,
    /// The platform's own changes that opening made.
    made: Vec<Change>,
    map: BucketMap,
    clock: Clock,
    ids: Ids,
    limits: PoolLimits,
    /// Held as long as the files are in use: its lock keeps other processes out.
    _lock: Option<File>,
}

/// One database: where it is, and its pools.
struct Database {
    location: Location,
    writer: Pool,
    reader: Pool,
    /// Why no call may use it, if so.
    closed: AtomicU8,
}

impl Database {
    fn new(location: Location, name: DatabaseName, limits: &PoolLimits, cluster_id: &str) -> Self {
        Self {
            writer: Pool::of_cluster(&location, name, Role::Writer, limits, cluster_id),
            reader: Pool::of_cluster(&location, name, Role::Reader, limits, cluster_id),
            closed: AtomicU8::new(0),
            location,
        }
    }

    /// A database that no call uses. Its pools make no connection by themselves.
    fn unopened(location: Location, name: DatabaseName, limits: &PoolLimits) -> Self {
        let database = Self {
            writer: Pool::new(&location, name, Role::Admin, limits),
            reader: Pool::new(&location, name, Role::Admin, limits),
            closed: AtomicU8::new(0),
            location,
        };
        database.close(Closed::Down);
        database
    }

    async fn conn<S>(&self, role: Role, scope: S, deadline: Option<Instant>) -> Result<Conn<S>, StoreError> {
        if let Some(closed) = self.closed() {
            return Err(closed.fault(self.writer.name()));
        }
        let pool = if role == Role::Reader {
            &self.reader
        } else {
            &self.writer
        };
        let mut conn = Conn::new(pool.get(deadline).await?, scope, pool.name(), pool.role());
        conn.bound(deadline).await?;
        Ok(conn)
    }
}

impl Shards {
    /// Returns the number of shards.
    pub fn count(&self) -> u16 {
        // At most `SHARDS_MAX`: checked by `open`.
        self.0.shards.len() as u16
    }

    /// Returns the shards' numbers.
    pub fn ids(&self) -> impl Iterator<Item = ShardId> + use<> {
        (0..self.count()).map(ShardId)
    }

    /// Returns the shard that owns a user's bucket by the map as this process knows it: a remainder and one load.
    #[inline]
    pub fn locate(&self, user: UserId) -> ShardId {
        self.0.map.shard(user.bucket())
    }

    /// Returns the scope of one user.
    pub fn for_user(&self, user: UserId) -> UserScope {
        UserScope::new(self.clone(), user)
    }

    /// Returns the scope of the global database.
    pub fn global(&self) -> Global {
        Global::new(self.clone())
    }

    /// Returns the scope of all shards at once.
    pub fn scatter(&self) -> Scatter {
        Scatter::new(self.clone())
    }

    fn database(&self, name: DatabaseName) -> &Database {
        match name {
            DatabaseName::Global => &self.0.global,
            // The map holds no number above the count: checked by `BucketMap::take_over`; `ShardScope` checks its own.
            DatabaseName::Shard(shard) => &self.0.shards[usize::from(shard.0)],
        }
    }

    /// Returns the schema changes by which opening made an empty set of databases into a cluster.
    pub fn made(&self) -> &[Change] {
        &self.0.made
    }

    /// Returns every database, the global one first.
    fn names(&self) -> impl Iterator<Item = DatabaseName> + use<> {
        std::iter::once(DatabaseName::Global).chain(self.ids().map(DatabaseName::Shard))
    }
}

impl std::fmt::Debug for Shards {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shards({})", self.count())
    }
}
