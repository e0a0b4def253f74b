//! Opening a set of databases: makes an empty set into a cluster, in steps that a kill at any point leaves continuable,
//! and refuses any set that is not exactly the one it was.
//!
//! The order is what makes it safe: the global database first, in one transaction, marked as being made; then every
//! shard, in one transaction each; then the mark is taken off. While the mark stands an empty shard is one that was not
//! reached; afterwards it is one that was lost.

mod error;

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use diesel_async::SimpleAsyncConnection;

pub use error::OpenError;

use crate::clock::Clock;
use crate::config;
use crate::id::Ids;
use crate::on;
use crate::shard::identity::{self, Cluster, Found};
use crate::shard::map::BucketMap;
use crate::shard::pg::Role;
use crate::shard::pool::{Location, Pool, PoolLimits};
use crate::shard::{
    BUCKETS, Conn, Database, DatabaseName, Inner, MigrateError, ShardId, Shards, StoreError, base, migrate,
};

/// The largest number of shards: beyond it the fullest of 960 buckets' shards is more than 5 % above the mean.
pub const SHARDS_MAX: u16 = 64;

/// Longest wait for the pools' first connections.
const WARM_UP_MAX: Duration = Duration::from_secs(5);

/// One database under examination.
struct Site {
    name: DatabaseName,
    location: Location,
}

impl Site {
    fn label(&self) -> String {
        format!("{} ({})", self.name, self.location)
    }

    fn is_absent(&self) -> bool {
        matches!(&self.location, Location::File(path) if !path.exists())
    }

    fn fault(&self, error: StoreError) -> OpenError {
        match error {
            StoreError::Busy { .. } => OpenError::Locked(self.label()),
            source => OpenError::Unusable {
                database: self.label(),
                source,
            },
        }
    }

    fn schema(&self, error: MigrateError) -> OpenError {
        match error {
            MigrateError::Store(source) => self.fault(source),
            source => OpenError::Schema {
                database: self.label(),
                source,
            },
        }
    }

    async fn connect(&self, limits: &PoolLimits) -> Result<Conn<DatabaseName>, OpenError> {
        let pool = Pool::new(&self.location, self.name, Role::Admin, limits);
        let engine = pool.get(None).await.map_err(|e| self.fault(e))?;
        Ok(Conn::new(engine, self.name, self.name, Role::Admin))
    }

    async fn look(&self, conn: &mut Conn<DatabaseName>) -> Result<Found, OpenError> {
        identity::look(conn).await.map_err(|e| self.fault(e))
    }
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
        let (global, shards) = sites(database)?;
        let lock = match database {
            config::Database::Embedded { data_dir, .. } => Some(lock_folder(data_dir)?),
            config::Database::Postgres { .. } => None,
        };
        let now_us = clock.now_us();
        if global.is_absent()
            && let Some(shard) = shards.iter().find(|shard| !shard.is_absent())
        {
            return Err(OpenError::GlobalMissing {
                global: global.label(),
                shard: shard.label(),
            });
        }

        let mut conn = global.connect(&limits).await?;
        // Two processes that start on one new set must not both make it. The lock ends with the connection.
        let opening = format!("SELECT pg_advisory_lock({})", migrate::PG_LOCK + 1);
        on!(conn, pg c => c.batch_execute(&opening).await, sqlite _c => Ok(())).map_err(|e| global.fault(e))?;
        let cluster = open_global(&global, &mut conn, &shards, &limits, &ids, now_us).await?;
        for shard in &shards {
            open_shard(shard, &cluster, &limits, now_us).await?;
        }
        if !cluster.ready {
            identity::set_ready(&mut conn).await.map_err(|e| global.fault(e))?;
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
                .map(|shard| Database::new(shard.location, shard.name, &limits))
                .collect(),
            clock,
            ids,
            limits,
            _lock: lock,
        }));
        // A database that was lost since it was looked at is met by the first call.
        let pools = opened.names().flat_map(|name| {
            let database = opened.database(name);
            [database.writer.warm(), database.reader.warm()]
        });
        let _ = tokio::time::timeout(WARM_UP_MAX, futures_util::future::join_all(pools)).await;
        opened.refresh_map().await.map_err(|e| global.fault(e))?;
        Ok(opened)
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
) -> Result<Cluster, OpenError> {
    // At most 64: checked by `sites`.
    let given = shards.len() as u16;
    match site.look(conn).await? {
        Found::Others => return Err(OpenError::Others(site.label())),
        Found::Ours { name, .. } if name != site.name => {
            return Err(OpenError::Swapped {
                database: site.label(),
                holds: name,
            });
        }
        Found::Ours { .. } => {}
        Found::Empty => {
            // Nothing is written before it is known that everything is empty.
            for shard in shards.iter().filter(|shard| !shard.is_absent()) {
                let mut conn = shard.connect(limits).await?;
                match shard.look(&mut conn).await? {
                    Found::Empty => {}
                    Found::Others => return Err(OpenError::Others(shard.label())),
                    Found::Ours { .. } => {
                        return Err(OpenError::GlobalMissing {
                            global: site.label(),
                            shard: shard.label(),
                        });
                    }
                }
            }
            identity::make_global(conn, given, ids, now_us)
                .await
                .map_err(|e| site.schema(e))?;
        }
    }
    check_ready_to_use(site, conn, base::GLOBAL).await?;
    let cluster = identity::cluster(conn).await.map_err(|e| site.fault(e))?;
    if cluster.shards != given {
        return Err(OpenError::OtherCount {
            given,
            stored: cluster.shards,
        });
    }
    Ok(cluster)
}

/// Opens one shard, making it if the cluster is being made and had not come to it.
async fn open_shard(site: &Site, cluster: &Cluster, limits: &PoolLimits, now_us: i64) -> Result<(), OpenError> {
    if cluster.ready && site.is_absent() {
        return Err(OpenError::Missing(site.label()));
    }
    let DatabaseName::Shard(shard) = site.name else {
        return Ok(());
    };
    let mut conn = site.connect(limits).await?;
    match site.look(&mut conn).await? {
        Found::Empty if cluster.ready => return Err(OpenError::Missing(site.label())),
        Found::Empty => identity::make_shard(&mut conn, shard, cluster, now_us)
            .await
            .map_err(|e| site.schema(e))?,
        Found::Others => return Err(OpenError::Others(site.label())),
        Found::Ours { cluster_id, .. } if cluster_id != cluster.id => return Err(OpenError::Foreign(site.label())),
        Found::Ours { name, .. } if name == site.name => {}
        // An earlier one was found in its place already, so this is the same database once more.
        Found::Ours { name, .. } if name < site.name => {
            return Err(OpenError::Repeated {
                database: site.label(),
                other: name,
            });
        }
        Found::Ours { name, .. } => {
            return Err(OpenError::Swapped {
                database: site.label(),
                holds: name,
            });
        }
    }
    check_ready_to_use(site, &mut conn, base::SHARD).await
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
    identity::probe_writing(conn).await.map_err(|e| site.fault(e))
}

/// Lists the databases that the settings name; two equal addresses are refused before anything is opened.
fn sites(database: &config::Database) -> Result<(Site, Vec<Site>), OpenError> {
    let count = match database {
        config::Database::Embedded { shards, .. } => usize::from(*shards),
        config::Database::Postgres { shards, .. } => shards.len(),
    };
    let count = u16::try_from(count)
        .ok()
        .filter(|count| (1..=SHARDS_MAX).contains(count))
        .ok_or(OpenError::Count(count))?;
    let site = |name: DatabaseName| -> Result<Site, OpenError> {
        let location = match (database, name) {
            (config::Database::Embedded { data_dir, .. }, name) => Location::file(data_dir, name),
            (config::Database::Postgres { global, .. }, DatabaseName::Global) => server(global, name)?,
            (config::Database::Postgres { shards, .. }, DatabaseName::Shard(shard)) => {
                server(&shards[usize::from(shard.0)], name)?
            }
        };
        Ok(Site { name, location })
    };
    let global = site(DatabaseName::Global)?;
    let shards = (0..count)
        .map(|shard| site(DatabaseName::Shard(ShardId(shard))))
        .collect::<Result<Vec<_>, _>>()?;
    let mut seen = std::collections::HashMap::new();
    for site in std::iter::once(&global).chain(&shards) {
        if let Some(other) = seen.insert(site.location.to_string(), site.name) {
            return Err(OpenError::Repeated {
                database: site.label(),
                other,
            });
        }
    }
    Ok((global, shards))
}

fn server(url: &str, name: DatabaseName) -> Result<Location, OpenError> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(OpenError::Url(name));
    }
    url.parse()
        .map(|config| Location::Server(Box::new(config)))
        .map_err(|_| OpenError::Url(name))
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
