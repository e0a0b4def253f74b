//! Whether what was found is what belongs in its place.

use crate::shard::identity::{self, Cluster, Found};
use crate::shard::open::site::Site;
use crate::shard::{Conn, DatabaseName, OpenError};

/// Refuses files of shards without the file of the global database.
pub(super) fn check_global_file(global: &Site, shards: &[Site]) -> Result<(), OpenError> {
    match shards.iter().find(|shard| !shard.is_absent()) {
        Some(shard) if global.is_absent() => Err(OpenError::GlobalMissing {
            global: global.label(),
            shard: shard.label(),
        }),
        _ => Ok(()),
    }
}

/// Tells whether the global database is empty; it is refused if it is anything else but the global one.
pub(super) fn is_empty_global(site: &Site, found: Found) -> Result<bool, OpenError> {
    match found {
        Found::Empty => Ok(true),
        Found::Others => Err(OpenError::Others(site.label())),
        Found::Ours { name, .. } if name == site.name => Ok(false),
        Found::Ours { name, .. } => Err(OpenError::Swapped {
            database: site.label(),
            holds: name,
        }),
    }
}

/// Refuses a shard that is not empty though the global database is.
pub(super) fn is_empty_too(global: &Site, shard: &Site, found: Found) -> Result<(), OpenError> {
    match found {
        Found::Empty => Ok(()),
        Found::Others => Err(OpenError::Others(shard.label())),
        Found::Ours { .. } => Err(OpenError::GlobalMissing {
            global: global.label(),
            shard: shard.label(),
        }),
    }
}

/// Reads the cluster, which must have as many shards as are given.
pub(super) async fn stored_cluster(
    site: &Site,
    conn: &mut Conn<DatabaseName>,
    shards: &[Site],
) -> Result<Cluster, OpenError> {
    let cluster = identity::cluster(conn).await.map_err(|e| site.fault(e))?;
    // At most `SHARDS_MAX`: checked by `Sites::of`.
    let given = shards.len() as u16;
    if cluster.shards != given {
        return Err(OpenError::OtherCount {
            given,
            stored: cluster.shards,
        });
    }
    Ok(cluster)
}

/// Tells whether a shard is empty and may be made; it is refused if it is not the one that belongs here.
pub(super) fn is_empty_shard(site: &Site, cluster: &Cluster, found: Found) -> Result<bool, OpenError> {
    match found {
        Found::Empty if cluster.ready => Err(OpenError::Missing(site.label())),
        Found::Empty => Ok(true),
        Found::Others => Err(OpenError::Others(site.label())),
        Found::Ours { cluster_id, .. } if cluster_id != cluster.id => Err(OpenError::Foreign(site.label())),
        Found::Ours { name, .. } if name == site.name => Ok(false),
        // An earlier one was found in its place already, so this is the same database once more.
        Found::Ours { name, .. } if name < site.name => Err(OpenError::Repeated {
            database: site.label(),
            other: name,
        }),
        Found::Ours { name, .. } => Err(OpenError::Swapped {
            database: site.label(),
            holds: name,
        }),
    }
}
