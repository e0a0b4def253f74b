//! Opening a set of databases: makes an empty set into a cluster, in steps that a kill at any point leaves continuable,
//! and refuses any set that is not exactly the one it was.
//!
//! The order is what makes it safe: the global database first, in one transaction, marked as being made; then every
//! shard, in one transaction each; then the mark is taken off. While the mark stands an empty shard is one that was not
//! reached; afterwards it is one that was lost.

mod error;
mod place;
mod preview;
mod site;

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;

use diesel_async::SimpleAsyncConnection;
use futures_util::{StreamExt, stream};

pub use error::OpenError;
use place::{check_global_file, is_empty_global, is_empty_shard, is_empty_too, stored_cluster};
pub use preview::preview;
pub(super) use site::Site;
use site::sites;

use crate::clock::Clock;
use crate::config;
use crate::id::Ids;
use crate::on;
use crate::shard::identity::{self, Cluster};
use crate::shard::late::Closed;
use crate::shard::map::BucketMap;
use crate::shard::migrate::{self, Change};
use crate::shard::pg::Role;
use crate::shard::pool::PoolLimits;
use crate::shard::{BUCKETS, Conn, Database, DatabaseName, Inner, Shards, base};

/// The largest number of shards: beyond it the fullest of 960 buckets' shards is more than 5 % above the mean.
pub const SHARDS_MAX: u16 = 64;

/// Shards examined at the same time.
const EXAMINED_MAX: usize = 8;

/// What a shard that is down means for opening a cluster that was made before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Down {
    /// Nothing is opened.
    Refused,
    /// The others are opened; this one stays closed until [`Shards::admit`] finds it to be right.
    LeftOut,
}

impl Shards {
    /// Opens the databases with the default bounds of the pools.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(database: &config::Database, clock: Clock, ids: Ids) -> Result<Self, OpenError> {
        Self::open_with(database, PoolLimits::default(), clock, ids).await
    }

    /// Opens the databases. An empty set becomes a new cluster; any other must be exactly a cluster's.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open_with(
        database: &config::Database,
        limits: PoolLimits,
        clock: Clock,
        ids: Ids,
    ) -> Result<Self, OpenError> {
        Self::open_set(database, limits, clock, ids, Down::Refused).await
    }

    /// The same for serving: a PostgreSQL shard that is down is left out, and its users' calls are refused, until
    /// [`Shards::admit`] finds it to be there and right. Only a cluster that was made whole opens so.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open_for_serving(
        database: &config::Database,
        limits: PoolLimits,
        clock: Clock,
        ids: Ids,
    ) -> Result<Self, OpenError> {
        let down = match database {
            config::Database::Postgres { .. } => Down::LeftOut,
            // A file that cannot be used is no server that comes back.
            config::Database::Embedded { .. } => Down::Refused,
        };
        Self::open_set(database, limits, clock, ids, down).await
    }

    async fn open_set(
        database: &config::Database,
        limits: PoolLimits,
        clock: Clock,
        ids: Ids,
        down: Down,
    ) -> Result<Self, OpenError> {
        let (global, shards) = sites(database)?;
        let lock = match database {
            config::Database::Embedded { data_dir, .. } => Some(lock_folder(data_dir)?),
            config::Database::Postgres { .. } => None,
        };
        let now_us = clock.now_us();
        check_global_file(&global, &shards)?;

        let mut conn = global.connect(Role::Admin, &limits).await?;
        // Two processes that start on one new set must not both make it. The lock ends with the connection.
        let opening = format!("SELECT pg_advisory_lock({})", migrate::PG_LOCK + 1);
        on!(conn, pg c => c.batch_execute(&opening).await, sqlite _c => Ok(())).map_err(|e| global.fault(e))?;
        let mut made = Vec::new();
        let mut cluster = open_global(&global, &mut conn, &shards, &limits, &ids, now_us, &mut made).await?;
        let left_out = open_shards(&shards, &cluster, &limits, now_us, down, &mut made).await?;
        if !cluster.ready {
            identity::set_ready(&mut conn).await.map_err(|e| global.fault(e))?;
            cluster.ready = true;
        }
        if !BUCKETS.is_multiple_of(cluster.shards) {
            tracing::info!(
                shards = cluster.shards,
                "this number does not divide {BUCKETS}: a user's shard is the bucket's, not exactly user id mod shards"
            );
        }
        // The file's one writer goes back before the pools open theirs.
        drop(conn);

        let opened = Self(Arc::new(Inner {
            map: BucketMap::first(cluster.shards),
            global: Database::new(global.location.clone(), global.name, &limits),
            shards: shards
                .into_iter()
                .map(|shard| {
                    let database = Database::new(shard.location, shard.name, &limits);
                    if left_out.contains(&shard.name) {
                        database.close(Closed::Down);
                    }
                    database
                })
                .collect(),
            cluster,
            made,
            clock,
            ids,
            limits,
            _lock: lock,
        }));
        // A database that was lost since it was looked at is met by the first call.
        let open = opened.names().filter(|name| !left_out.contains(name));
        futures_util::future::join_all(open.map(|name| opened.database(name).warm())).await;
        match opened.load_map().await.map_err(|e| global.fault(e))? {
            Ok(()) => Ok(opened),
            Err(damage) => Err(OpenError::Map {
                database: global.label(),
                damage,
            }),
        }
    }
}

/// Opens the global database, making it if the whole set is empty.
async fn open_global(
    site: &Site,
    conn: &mut Conn<DatabaseName>,
    shards: &[Site],
    limits: &PoolLimits,
    ids: &Ids,
    now_us: i64,
    made: &mut Vec<Change>,
) -> Result<Cluster, OpenError> {
    if is_empty_global(site, site.look(conn).await?)? {
        // Nothing is written before it is known that everything is empty.
        for shard in shards.iter().filter(|shard| !shard.is_absent()) {
            let mut conn = shard.connect(Role::Admin, limits).await?;
            is_empty_too(site, shard, shard.look(&mut conn).await?)?;
        }
        identity::make_global(conn, shards.len() as u16, ids, now_us)
            .await
            .map_err(|e| site.schema(e))?;
        made.extend(Change::all(site.name, &base::SCHEMA));
    }
    check_ready_to_use(site, conn, base::GLOBAL).await?;
    stored_cluster(site, conn, shards).await
}

/// Opens the shards, and returns those that are down and left out. The first failure in the shards' order counts.
async fn open_shards(
    sites: &[Site],
    cluster: &Cluster,
    limits: &PoolLimits,
    now_us: i64,
    down: Down,
    made: &mut Vec<Change>,
) -> Result<Vec<DatabaseName>, OpenError> {
    // They are made one after the other: a kill leaves a beginning of the list.
    let at_once = if cluster.ready { EXAMINED_MAX } else { 1 };
    let examined: Vec<_> = sites
        .iter()
        .map(|site| open_shard(site, cluster, limits, now_us))
        .collect();
    let mut outcomes = stream::iter(examined).buffered(at_once).zip(stream::iter(sites));
    let mut left_out = Vec::new();
    while let Some((outcome, site)) = outcomes.next().await {
        match outcome {
            Ok(false) => {}
            Ok(true) => made.extend(Change::all(site.name, &base::SCHEMA)),
            Err(error) if cluster.ready && down == Down::LeftOut && error.is_down() => {
                tracing::error!(
                    database = %site.name,
                    error = &error as &dyn std::error::Error,
                    "a shard is down: its users' calls are refused until it is back"
                );
                left_out.push(site.name);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(left_out)
}

/// Opens one shard, making it if the cluster is being made and had not come to it. Returns whether it was made.
pub(super) async fn open_shard(
    site: &Site,
    cluster: &Cluster,
    limits: &PoolLimits,
    now_us: i64,
) -> Result<bool, OpenError> {
    let DatabaseName::Shard(shard) = site.name else {
        return Ok(false);
    };
    if cluster.ready && site.is_absent() {
        return Err(OpenError::Missing(site.label()));
    }
    let mut conn = site.connect(Role::Admin, limits).await?;
    let empty = is_empty_shard(site, cluster, site.look(&mut conn).await?)?;
    if empty {
        identity::make_shard(&mut conn, shard, cluster, now_us)
            .await
            .map_err(|e| site.schema(e))?;
    }
    check_ready_to_use(site, &mut conn, base::SHARD).await?;
    Ok(empty)
}

/// Refuses a schema that is newer than this program, and a database that cannot be written.
async fn check_ready_to_use(
    site: &Site,
    conn: &mut Conn<DatabaseName>,
    list: &[migrate::Migration],
) -> Result<(), OpenError> {
    migrate::missing(conn, base::MODULE, list)
        .await
        .map_err(|e| site.schema(e))?;
    identity::warn_of_language(conn).await.map_err(|e| site.fault(e))?;
    identity::probe_writing(conn).await.map_err(|e| site.fault(e))
}

/// Makes the folder and takes its lock, which ends with the process.
fn lock_folder(folder: &Path) -> Result<File, OpenError> {
    let fault = |source| OpenError::Folder {
        folder: folder.to_owned(),
        source,
    };
    // The files hold what users trusted us with: a folder that we make is the owner's alone.
    let mut made = std::fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut made, 0o700);
    made.recursive(true).create(folder).map_err(fault)?;
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("millrace.lock"))
        .map_err(fault)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(folder.to_owned())),
        Err(TryLockError::Error(source)) => Err(fault(source)),
    }
}
