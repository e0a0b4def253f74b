//! Opening a set of databases: makes an empty set into a cluster, in steps that a kill at any point leaves continuable,
//! and refuses any set that is not exactly the one it was.
//!
//! The order is what makes it safe: the global database first, in one transaction, marked as being made; then every
//! shard, in one transaction each; then the mark is taken off. While the mark stands an empty shard is one that was not
//! reached; afterwards it is one that was lost.

mod error;
mod hold;

use std::sync::Arc;
use std::time::Duration;

use diesel_async::SimpleAsyncConnection;

pub use error::OpenError;

use crate::clock::Clock;
use crate::config::{self, server_url};
use crate::id::Ids;
use crate::on;
use crate::shard::identity::{self, Cluster, Found};
use crate::shard::map::BucketMap;
use crate::shard::open::hold::Hold;
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
        fault(self.label(), error)
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

    /// Opens the databases. An empty set becomes a new cluster; any other must be exactly a cluster's. A folder of files
    /// is this process's alone from here on.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open_with(
        database: &config::Database,
        limits: PoolLimits,
        clock: Clock,
        ids: Ids,
    ) -> Result<Self, OpenError> {
        let sites = Sites::of(database)?;
        let hold = Hold::take(database)?;
        sites.open(hold, limits, clock, ids).await
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
        sites.open(hold, PoolLimits::default(), clock, ids).await
    }
}

/// The databases of one set.
struct Sites {
    global: Site,
    shards: Vec<Site>,
}

impl Sites {
    /// Examines all, makes what is to be made, and opens the pools.
    async fn open(self, hold: Hold, limits: PoolLimits, clock: Clock, ids: Ids) -> Result<Shards, OpenError> {
        self.refuse_orphans()?;
        let lock = match hold {
            Hold::Shared => None,
            Hold::Folder(file) => Some(file),
            // What is not there yet is the other process's to make.
            Hold::Another(in_use) if !self.is_made(&limits).await? => return Err(in_use),
            Hold::Another(_) => None,
        };
        let cluster = self.examine(&limits, &ids, clock.now_us()).await?;
        if !BUCKETS.is_multiple_of(cluster.shards) {
            tracing::info!(
                shards = cluster.shards,
                "this number does not divide {BUCKETS}: a user's shard is the bucket's, not exactly user id mod shards"
            );
        }
        let global = self.global.name;
        let place = self.global.label();
        let opened = Shards(Arc::new(Inner {
            map: BucketMap::first(cluster.shards),
            global: Database::new(self.global.location, global, &limits),
            shards: self
                .shards
                .into_iter()
                .map(|shard| Database::new(shard.location, shard.name, &limits))
                .collect(),
            clock,
            ids,
            limits,
            _lock: lock,
        }));
        warm_up(&opened).await;
        opened.refresh_map().await.map_err(|error| fault(place, error))?;
        Ok(opened)
    }

    /// Refuses shards whose global database is not there.
    fn refuse_orphans(&self) -> Result<(), OpenError> {
        let orphan = self.shards.iter().find(|shard| !shard.is_absent());
        match orphan {
            Some(shard) if self.global.is_absent() => Err(OpenError::GlobalMissing {
                global: self.global.label(),
                shard: shard.label(),
            }),
            _ => Ok(()),
        }
    }

    /// Looks at every database, in order, and makes those that are to be made.
    async fn examine(&self, limits: &PoolLimits, ids: &Ids, now_us: i64) -> Result<Cluster, OpenError> {
        let global = &self.global;
        let mut conn = global.connect(limits).await?;
        // Two processes that start on one new set must not both make it. The lock ends with the connection.
        let opening = format!("SELECT pg_advisory_lock({})", migrate::PG_LOCK + 1);
        on!(conn, pg c => c.batch_execute(&opening).await, sqlite _c => Ok(())).map_err(|e| global.fault(e.into()))?;
        let cluster = open_global(global, &mut conn, &self.shards, limits, ids, now_us).await?;
        for shard in &self.shards {
            open_shard(shard, &cluster, limits, now_us).await?;
        }
        if !cluster.ready {
            identity::set_ready(&mut conn).await.map_err(|e| global.fault(e))?;
        }
        // The file's one writer goes back here, before the pools open theirs.
        Ok(cluster)
    }

    /// Whether the set is a cluster whose databases were all made.
    async fn is_made(&self, limits: &PoolLimits) -> Result<bool, OpenError> {
        let global = &self.global;
        if global.is_absent() {
            return Ok(false);
        }
        let mut conn = global.connect(limits).await?;
        match global.look(&mut conn).await? {
            Found::Ours { .. } => {
                let cluster = identity::cluster(&mut conn).await.map_err(|e| global.fault(e))?;
                Ok(cluster.ready)
            }
            Found::Empty | Found::Others => Ok(false),
        }
    }
}

/// Opens the first connections. A database that was lost since it was looked at is met by the first call.
async fn warm_up(opened: &Shards) {
    let pools = opened.names().flat_map(|name| {
        let database = opened.database(name);
        [database.writer.warm(), database.reader.warm()]
    });
    let _ = tokio::time::timeout(WARM_UP_MAX, futures_util::future::join_all(pools)).await;
}

fn fault(database: String, error: StoreError) -> OpenError {
    match error {
        StoreError::Busy { .. } => OpenError::Locked(database),
        source => OpenError::Unusable { database, source },
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

impl Sites {
    /// Lists the databases that the settings name; two equal addresses are refused before anything is opened.
    fn of(database: &config::Database) -> Result<Self, OpenError> {
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
        Ok(Self { global, shards })
    }
}

fn server(url: &str, name: DatabaseName) -> Result<Location, OpenError> {
    let config = server_url::read(url).map_err(|problem| OpenError::Url(name, problem))?;
    Ok(Location::Server(Box::new(config)))
}
