//! A database as the settings name it: where it is, how it is reached and looked at.

use crate::config::{self, server_url};
use crate::shard::identity::{self, Found};
use crate::shard::open::SHARDS_MAX;
use crate::shard::pg::Role;
use crate::shard::pool::{Location, Pool, PoolLimits};
use crate::shard::{Conn, DatabaseName, MigrateError, OpenError, ShardId, StoreError};

/// One database under examination.
pub(in crate::shard) struct Site {
    pub(super) name: DatabaseName,
    pub(super) location: Location,
}

impl Site {
    pub(in crate::shard) fn new(name: DatabaseName, location: Location) -> Self {
        Self { name, location }
    }

    pub(super) fn label(&self) -> String {
        format!("{} ({})", self.name, self.location)
    }

    pub(super) fn is_absent(&self) -> bool {
        matches!(&self.location, Location::File(path) if !path.exists())
    }

    pub(super) fn fault(&self, error: StoreError) -> OpenError {
        fault(self.label(), error)
    }

    pub(super) fn schema(&self, error: MigrateError) -> OpenError {
        match error {
            MigrateError::Store(source) => self.fault(source),
            source => OpenError::Schema {
                database: self.label(),
                source,
            },
        }
    }

    pub(super) async fn connect(&self, role: Role, limits: &PoolLimits) -> Result<Conn<DatabaseName>, OpenError> {
        let pool = Pool::new(&self.location, self.name, role, limits);
        let engine = pool.get(None).await.map_err(|e| self.fault(e))?;
        Ok(Conn::new(engine, self.name, self.name, role))
    }

    pub(super) async fn look(&self, conn: &mut Conn<DatabaseName>) -> Result<Found, OpenError> {
        identity::look(conn).await.map_err(|e| self.fault(e))
    }
}

/// The databases of one set.
pub(super) struct Sites {
    pub(super) global: Site,
    pub(super) shards: Vec<Site>,
}

impl Sites {
    /// Lists the databases that the settings name; two equal addresses are refused before anything is opened.
    pub(super) fn of(database: &config::Database) -> Result<Self, OpenError> {
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

pub(super) fn fault(database: String, error: StoreError) -> OpenError {
    match error {
        StoreError::Busy { .. } => OpenError::Locked(database),
        source => OpenError::Unusable { database, source },
    }
}

fn server(url: &str, name: DatabaseName) -> Result<Location, OpenError> {
    let config = server_url::read(url).map_err(|problem| OpenError::Url(name, problem))?;
    Ok(Location::Server(Box::new(config)))
}
