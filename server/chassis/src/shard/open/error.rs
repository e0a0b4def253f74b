//! Everything that can be wrong with a set of databases, each with its remedy.

use std::path::PathBuf;

use crate::shard::map::MapDamage;
use crate::shard::open::SHARDS_MAX;
use crate::shard::pg::ConnectError;
use crate::shard::{Closed, DatabaseName, MigrateError, StoreError, pool};

/// Why a set of databases cannot be opened. Each message names the database and the remedy, and never a password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The number of shards is not possible.
    #[error("{0} shards: a cluster has 1 to {SHARDS_MAX}")]
    Count(usize),
    /// A URL cannot be read, or asks for what there is not.
    #[error("{0}: its URL {1}")]
    Url(DatabaseName, &'static str),
    /// The folder cannot be made or written.
    #[error("folder {}: cannot be written; give the process the right to write there, or another folder", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// Another process has the files open.
    #[error("folder {}: in use by another millrace process{}; stop it, or give another folder", folder.display(), holder(*pid))]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// The number of the process, if it has noted it.
        pid: Option<u32>,
    },
    /// The database cannot be reached or used.
    #[error("{database}: cannot be used; check that it runs, is writable and has space, and that its address is right")]
    Unusable {
        /// Name and address.
        database: String,
        /// What the driver said.
        #[source]
        source: StoreError,
    },
    /// Another process holds a lock.
    #[error("{0}: locked by another process; stop it, then start again")]
    Locked(String),
    /// Another number of shards than the cluster has.
    #[error(
        "{given} shards given, but this cluster has {stored}; give {stored}, or start a new cluster on empty databases"
    )]
    OtherCount {
        /// As settings have it.
        given: u16,
        /// As the cluster has it.
        stored: u16,
    },
    /// A database of the cluster is empty or has vanished.
    #[error("{0}: missing or empty, though the cluster has it; restore it, or give the right address")]
    Missing(String),
    /// All databases are empty, and not to be made now.
    #[error(
        "{0}: empty, and so are the shards; run `millrace migrate` to make a cluster of them, or give the right address"
    )]
    Unmade(String),
    /// The global database is empty, but a shard is not.
    #[error("{global}: missing or empty, but {shard} belongs to a cluster; restore it, or give the right address")]
    GlobalMissing {
        /// Name and address of the global database.
        global: String,
        /// Name and address of a shard that is not empty.
        shard: String,
    },
    /// Two addresses are one database.
    #[error("{database}: the same database as {other}; give each its own")]
    Repeated {
        /// Name and address.
        database: String,
        /// The other name.
        other: DatabaseName,
    },
    /// The addresses of two databases are in the wrong order.
    #[error("{database}: holds {holds} of this cluster; put the addresses in the right order")]
    Swapped {
        /// Name and address.
        database: String,
        /// What is there.
        holds: DatabaseName,
    },
    /// The database belongs to another cluster.
    #[error("{0}: belongs to another cluster; give the right address")]
    Foreign(String),
    /// The database holds somebody else's tables.
    #[error("{0}: holds tables that are not Millrace's; give an empty database")]
    Others(String),
    /// The map in the global database is damaged.
    #[error(
        "{database}: the bucket map (table `bucket`) is damaged: {damage}; restore the table from a backup, or write \
         each bucket's row as the table `bucket_fence` of the shard has it that owns the bucket"
    )]
    Map {
        /// Name and address.
        database: String,
        /// What is wrong with it.
        damage: MapDamage,
    },
    /// The schema is newer than this program, or cannot be made.
    #[error("{database}: its schema does not fit")]
    Schema {
        /// Name and address.
        database: String,
        /// What does not fit.
        #[source]
        source: MigrateError,
    },
}

impl OpenError {
    /// Tells whether the database is down: nobody answered, or the server said that it cannot serve now or takes no
    /// write. A server that knows no such database or refuses the user is another matter: the address is wrong.
    pub fn is_down(&self) -> bool {
        match self {
            Self::Unusable {
                source: StoreError::Unavailable { source, .. },
                ..
            } => !pool::connect_error(source.as_ref()).is_some_and(ConnectError::is_refusal),
            _ => false,
        }
    }

    /// Returns for what a shard that is down is closed to calls.
    pub(crate) fn closed(&self) -> Closed {
        match self {
            Self::Unusable { source, .. } => source.closed().unwrap_or(Closed::Down),
            _ => Closed::Down,
        }
    }
}

fn holder(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
}
