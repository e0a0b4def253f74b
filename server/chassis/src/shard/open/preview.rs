//! What migrating would do, told without doing any of it: every database is opened for reading only, and one that does
//! not exist stays so.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::config;
use crate::id::Ids;
use crate::shard::identity::{Cluster, Found};
use crate::shard::map::BucketMap;
use crate::shard::migrate::{self, Change};
use crate::shard::pg::Role;
use crate::shard::pool::PoolLimits;
use crate::shard::{Conn, Database, DatabaseName, Inner, ModuleSchema, OpenError, Shards};

use super::place::{check_global_file, is_empty_global, is_empty_shard, is_empty_too, stored_cluster};
use super::site::{Site, Sites};

/// Readers wait as long as opening would: a server may be far away or just starting.
const WAIT: Duration = Duration::from_secs(10);

/// Returns what the databases lack: of an empty set, all that makes it a cluster.
///
/// # Errors
/// What opening or migrating would refuse.
pub async fn preview(database: &config::Database, modules: &[ModuleSchema]) -> Result<Vec<Change>, OpenError> {
    let Sites { global, shards } = Sites::of(database)?;
    check_global_file(&global, &shards)?;
    let mut changes = Vec::new();

    let (found, conn) = look(&global).await?;
    let cluster = match conn {
        Some(mut conn) if !is_empty_global(&global, found)? => {
            changes.extend(pending(&global, &mut conn, modules).await?);
            Some(stored_cluster(&global, &mut conn, &shards).await?)
        }
        _ => {
            changes.extend(migrate::with_base(modules).flat_map(|module| Change::all(global.name, module)));
            None
        }
    };
    for shard in &shards {
        let (found, conn) = look(shard).await?;
        let empty = match &cluster {
            Some(cluster) => is_empty_shard(shard, cluster, found)?,
            None => {
                is_empty_too(&global, shard, found)?;
                true
            }
        };
        match conn {
            Some(mut conn) if !empty => changes.extend(pending(shard, &mut conn, modules).await?),
            _ => changes.extend(migrate::with_base(modules).flat_map(|module| Change::all(shard.name, module))),
        }
    }
    Ok(changes)
}

impl Shards {
    /// Returns databases that are not opened: nothing is checked or made, and every call is refused. It is what modules
    /// are listed with where nothing of theirs runs, as for [`preview`].
    ///
    /// # Errors
    /// The settings name no possible set of databases.
    pub fn unopened(database: &config::Database, clock: Clock, ids: Ids) -> Result<Self, OpenError> {
        let Sites { global, shards } = Sites::of(database)?;
        let limits = PoolLimits::default();
        let closed = |site: Site| Database::unopened(site.location, site.name, &limits);
        let count = shards.len() as u16;
        Ok(Self(Arc::new(Inner {
            map: BucketMap::first(count),
            global: closed(global),
            shards: shards.into_iter().map(closed).collect(),
            cluster: Cluster {
                id: String::new(),
                shards: count,
                ready: false,
            },
            made: Vec::new(),
            clock,
            ids,
            limits,
            _lock: None,
        })))
    }
}

/// Looks what a database is; a file that is not there is empty.
async fn look(site: &Site) -> Result<(Found, Option<Conn<DatabaseName>>), OpenError> {
    if site.is_absent() {
        return Ok((Found::Empty, None));
    }
    let limits = PoolLimits {
        size: 1,
        wait: WAIT,
        ..PoolLimits::default()
    };
    let mut conn = site.connect(Role::Reader, &limits).await?;
    Ok((site.look(&mut conn).await?, Some(conn)))
}

/// Compares all modules' lists with a database's ledger.
async fn pending(
    site: &Site,
    conn: &mut Conn<DatabaseName>,
    modules: &[ModuleSchema],
) -> Result<Vec<Change>, OpenError> {
    migrate::pending_in(conn, modules).await.map_err(|e| site.schema(e))
}
