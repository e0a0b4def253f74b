//! Opening a set of databases: makes an empty set into a cluster, in steps that a kill at any point leaves continuable,
//! and refuses any set that is not exactly the one it was.
//!
//! The order is what makes it safe: the global database first, in one transaction, marked as being made; then every
//! shard, in one transaction each; then the mark is taken off. While the mark stands an empty shard is one that was not
//! reached; afterwards it is one that was lost.

mod error;
mod hold;
mod place;
mod preview;
mod site;

use std::sync::Arc;

use diesel_async::SimpleAsyncConnection;
use futures_util::{StreamExt, stream};

pub use error::OpenError;
use place::{check_global_file, is_empty_global, is_empty_shard, is_empty_too, stored_cluster};
pub use preview::preview;
pub(super) use site::Site;
use site::Sites;

use crate::clock::Clock;
use crate::config;
use crate::id::Ids;
use crate::on;
use crate::shard::identity::{self, Cluster, Found};
use crate::shard::late::Closed;
use crate::shard::map::BucketMap;
use crate::shard::migrate::{self, Change, ledger};
use crate::shard::open::hold::Hold;
use crate::shard::pg::Role;
use crate::shard::pool::PoolLimits;
use crate::shard::{BUCKETS, Conn, Database, DatabaseName, Inner, Shards, base};
use crate::status::causes;

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

/// What it means that all databases are empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Empty {
    /// They become a new cluster.
    Made,
    /// The addresses may be wrong: nothing is written.
    Refused,
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
        let (sites, hold) = (Sites::of(database)?, Hold::take(database)?);
        sites.open(hold, Down::Refused, Empty::Made, limits, clock, ids).await
    }

    /// The same for serving: an empty set is refused, and a PostgreSQL shard that is down is left out, and its users'
    /// calls are refused, until [`Shards::admit`] finds it to be there and right. Only a cluster that was made whole
    /// opens so.
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
        let (sites, hold) = (Sites::of(database)?, Hold::take(database)?);
        sites.open(hold, down, Empty::Refused, limits, clock, ids).await
    }

    /// Opens the databases for a few statements beside a server that may run on them. PostgreSQL is made for it, and so
    /// is SQLite: its own locks keep two processes apart. A set that the other process is still making is refused.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open_beside(database: &config::Database, clock: Clock, ids: Ids) -> Result<Self, OpenError> {
        let sites = Sites::of(database)?;
        let hold = match Hold::take(database) {
            Err(in_use @ OpenError::InUse { .. }) => Hold::Another(in_use),
            taken => taken?,
        };
        sites
            .open(hold, Down::Refused, Empty::Refused, PoolLimits::default(), clock, ids)
            .await
    }
}

impl Shards {
    /// Reads the map, which must be whole; the label is that of the global database.
    async fn load_whole_map(&self, label: String) -> Result<(), OpenError> {
        let loaded = self.load_map().await.map_err(|e| site::fault(label.clone(), e))?;
        loaded.map_err(|damage| OpenError::Map {
            database: label,
            damage,
        })
    }
}

/// What looking at every database of a set found.
struct Examined {
    cluster: Cluster,
    /// The shards that are down, and for what they are closed.
    left_out: Vec<(DatabaseName, Closed)>,
    /// What was made.
    made: Vec<Change>,
}

impl Sites {
    /// Examines all, makes what is to be made, and opens the pools.
    async fn open(
        self,
        hold: Hold,
        down: Down,
        empty: Empty,
        limits: PoolLimits,
        clock: Clock,
        ids: Ids,
    ) -> Result<Shards, OpenError> {
        check_global_file(&self.global, &self.shards)?;
        let lock = match hold {
            Hold::Shared => None,
            Hold::Folder(file) => Some(file),
            // What is not there yet is the other process's to make.
            Hold::Another(in_use) if !self.is_made(&limits).await? => return Err(in_use),
            Hold::Another(_) => None,
        };
        let Examined {
            cluster,
            left_out,
            made,
        } = self.examine(down, empty, &limits, &ids, clock.now_us()).await?;
        if !BUCKETS.is_multiple_of(cluster.shards) {
            tracing::info!(
                shards = cluster.shards,
                "this number does not divide {BUCKETS}: a user's shard is the bucket's, not exactly user id mod shards"
            );
        }
        let global_label = self.global.label();
        let opened = Shards(Arc::new(Inner {
            map: BucketMap::first(cluster.shards),
            global: Database::new(self.global.location, self.global.name, &limits, &cluster.id),
            shards: self
                .shards
                .into_iter()
                .map(|shard| {
                    let database = Database::new(shard.location, shard.name, &limits, &cluster.id);
                    if let Some((_, why)) = left_out.iter().find(|(name, _)| *name == shard.name) {
                        database.close(*why);
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
        let open = opened.names().filter(|name| opened.database(*name).closed().is_none());
        futures_util::future::join_all(open.map(|name| opened.database(name).warm())).await;
        opened.load_whole_map(global_label).await?;
        Ok(opened)
    }

    /// Looks at every database, in order, and makes those that are to be made.
    async fn examine(
        &self,
        down: Down,
        empty: Empty,
        limits: &PoolLimits,
        ids: &Ids,
        now_us: i64,
    ) -> Result<Examined, OpenError> {
        let global = &self.global;
        let mut conn = global.connect(Role::Admin, limits).await?;
        // Two processes that start on one new set must not both make it. The lock ends with the connection.
        let opening = format!("SELECT pg_advisory_lock({})", migrate::PG_OPENING_LOCK);
        on!(conn, pg c => c.batch_execute(&opening).await, sqlite _c => Ok(())).map_err(|e| global.fault(e))?;
        let mut made = Vec::new();
        if is_empty_global(global, global.look(&mut conn).await?)? {
            self.make_global(&mut conn, empty, limits, ids, now_us).await?;
            made.extend(Change::all(global.name, &base::SCHEMA));
        }
        check_ready_to_use(global, &mut conn).await?;
        let mut cluster = stored_cluster(global, &mut conn, &self.shards).await?;
        let left_out = open_shards(&self.shards, &cluster, limits, now_us, down, &mut made).await?;
        if !cluster.ready {
            identity::set_ready(&mut conn).await.map_err(|e| global.fault(e))?;
            cluster.ready = true;
        }
        // The file's one writer goes back here, before the pools open theirs.
        Ok(Examined {
            cluster,
            left_out,
            made,
        })
    }

    /// Makes the global database of a set that is empty.
    async fn make_global(
        &self,
        conn: &mut Conn<DatabaseName>,
        empty: Empty,
        limits: &PoolLimits,
        ids: &Ids,
        now_us: i64,
    ) -> Result<(), OpenError> {
        let site = &self.global;
        // Nothing is written before it is known that everything is empty.
        for shard in self.shards.iter().filter(|shard| !shard.is_absent()) {
            let mut conn = shard.connect(Role::Admin, limits).await?;
            is_empty_too(site, shard, shard.look(&mut conn).await?)?;
        }
        if empty == Empty::Refused {
            return Err(OpenError::Unmade(site.label()));
        }
        identity::make_global(conn, self.shards.len() as u16, ids, now_us)
            .await
            .map_err(|e| site.schema(e))
    }

    /// Whether the set is a cluster whose databases were all made.
    async fn is_made(&self, limits: &PoolLimits) -> Result<bool, OpenError> {
        let global = &self.global;
        if global.is_absent() {
            return Ok(false);
        }
        let mut conn = global.connect(Role::Admin, limits).await?;
        match global.look(&mut conn).await? {
            Found::Ours { .. } => {
                let cluster = identity::cluster(&mut conn).await.map_err(|e| global.fault(e))?;
                Ok(cluster.ready)
            }
            Found::Empty | Found::Others => Ok(false),
        }
    }
}

/// Opens the shards, and returns those that are down and left out. The first failure in the shards' order counts.
async fn open_shards(
    sites: &[Site],
    cluster: &Cluster,
    limits: &PoolLimits,
    now_us: i64,
    down: Down,
    made: &mut Vec<Change>,
) -> Result<Vec<(DatabaseName, Closed)>, OpenError> {
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
                    %error,
                    causes = causes(&error),
                    "a shard cannot be used: its users' calls are refused until it can"
                );
                left_out.push((site.name, error.closed()));
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
    check_ready_to_use(site, &mut conn).await?;
    Ok(empty)
}

/// Refuses a schema that is newer than this program, and a database that cannot be written.
async fn check_ready_to_use(site: &Site, conn: &mut Conn<DatabaseName>) -> Result<(), OpenError> {
    ledger::missing(conn, &base::SCHEMA).await.map_err(|e| site.schema(e))?;
    identity::warn_of_language(conn).await.map_err(|e| site.fault(e))?;
    identity::probe_writing(conn).await.map_err(|e| site.fault(e))
}
