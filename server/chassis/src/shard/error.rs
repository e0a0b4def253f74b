//! What can go wrong between a scope and its rows. Every failure names its database, as `shard 3` or `global database`:
//! none is made without (see [`StoreError::of`]).

use diesel::result::{DatabaseErrorKind, Error};

use crate::shard::{DatabaseName, ShardId};
use crate::status::{Fault, Kind};

/// A failure of the store. No variant shows SQL, a URL or a secret.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, or cannot work: disk full, read-only.
    #[error("{database} cannot be reached")]
    Unavailable {
        /// The database.
        database: DatabaseName,
        /// What the driver said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No connection was free in time, or a lock was not.
    #[error("{database} is busy")]
    Busy {
        /// The database.
        database: DatabaseName,
    },
    /// The shard no longer owns the user's bucket; the router refreshes its map and retries.
    #[error("shard {0} does not own the bucket")]
    WrongEpoch(ShardId),
    /// A row breaks a unique constraint.
    #[error("{database}: a row with this key exists")]
    Duplicate {
        /// The database.
        database: DatabaseName,
    },
    /// A stored value is none that this program writes.
    #[error("{database}: a stored value cannot be read: {problem}")]
    Damaged {
        /// The database.
        database: DatabaseName,
        /// What is wrong with it, without the value of another user's field.
        problem: String,
    },
    /// Any other failure of a query.
    #[error("{database}: a query failed")]
    Query {
        /// The database.
        database: DatabaseName,
        /// What the driver said.
        #[source]
        source: Error,
    },
}

/// Sorts what the drivers only say in words. They give these failures no kind of their own, and diesel hands on no
/// SQLSTATE, so the words of both engines are listed here, once.
fn words(message: &str) -> Option<Words> {
    const BUSY: [&str; 6] = [
        "due to lock timeout",
        "due to statement timeout",
        // An operator ended the statement, not its caller: a caller who gives up does not read the answer.
        "due to user request",
        "database is locked",
        "database table is locked",
        "deadlock detected",
    ];
    const UNAVAILABLE: [&str; 11] = [
        "connection closed",
        "database or disk is full",
        "disk I/O error",
        "attempt to write a readonly database",
        "unable to open database file",
        "terminating connection",
        "the database system is",
        "too many clients",
        // PostgreSQL's resources; a disk that is full speaks in the system's words.
        "No space left on device",
        "out of memory",
        "out of shared memory",
    ];
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| message.contains(phrase));
    if says(&BUSY) {
        Some(Words::Busy)
    } else if says(&UNAVAILABLE) {
        Some(Words::Unavailable)
    } else {
        None
    }
}

enum Words {
    Busy,
    Unavailable,
}

impl StoreError {
    /// Sorts the failure of a query on a database.
    pub fn of(error: Error, database: DatabaseName) -> Self {
        let Error::DatabaseError(kind, info) = &error else {
            return match error {
                // A connection that broke earlier in the same call.
                Error::BrokenTransactionManager => Self::unavailable(error, database),
                source => Self::Query { database, source },
            };
        };
        match (kind, words(info.message())) {
            (DatabaseErrorKind::UniqueViolation, _) => Self::Duplicate { database },
            (DatabaseErrorKind::SerializationFailure, _) | (_, Some(Words::Busy)) => Self::Busy { database },
            // A primary that has become a standby refuses writes.
            (DatabaseErrorKind::ReadOnlyTransaction, _)
            | (DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand, _)
            | (_, Some(Words::Unavailable)) => Self::unavailable(error, database),
            _ => Self::Query {
                database,
                source: error,
            },
        }
    }

    fn unavailable(source: Error, database: DatabaseName) -> Self {
        Self::Unavailable {
            database,
            source: Box::new(source),
        }
    }
}

impl Fault for StoreError {
    fn kind(&self) -> Kind {
        match self {
            Self::Unavailable { .. } | Self::Busy { .. } | Self::WrongEpoch(_) => Kind::Unavailable,
            Self::Duplicate { .. } => Kind::AlreadyExists,
            Self::Damaged { .. } | Self::Query { .. } => Kind::Internal,
        }
    }

    fn reason(&self) -> &'static str {
        match self.kind() {
            Kind::Unavailable => "STORE_UNAVAILABLE",
            Kind::AlreadyExists => "ALREADY_EXISTS",
            _ => "INTERNAL",
        }
    }

    fn retry_after(&self) -> Option<std::time::Duration> {
        match self {
            Self::Unavailable { .. } => Some(std::time::Duration::from_secs(1)),
            Self::Busy { .. } | Self::WrongEpoch(_) => Some(std::time::Duration::from_millis(100)),
            Self::Duplicate { .. } | Self::Damaged { .. } | Self::Query { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARD_3: DatabaseName = DatabaseName::Shard(ShardId(3));

    fn sorted(kind: DatabaseErrorKind, message: &str) -> &'static str {
        match StoreError::of(Error::DatabaseError(kind, Box::new(message.to_owned())), SHARD_3) {
            StoreError::Unavailable { .. } => "unavailable",
            StoreError::Busy { .. } => "busy",
            StoreError::WrongEpoch(_) => "wrong epoch",
            StoreError::Duplicate { .. } => "duplicate",
            StoreError::Damaged { .. } => "damaged",
            StoreError::Query { .. } => "query",
        }
    }

    #[test]
    fn drivers_errors_are_sorted() {
        use DatabaseErrorKind::{ClosedConnection, SerializationFailure, UniqueViolation, Unknown};
        for (kind, message, expected) in [
            (UniqueViolation, "UNIQUE constraint failed: users.user_id", "duplicate"),
            (SerializationFailure, "could not serialize access", "busy"),
            (Unknown, "canceling statement due to lock timeout", "busy"),
            (Unknown, "canceling statement due to statement timeout", "busy"),
            (Unknown, "canceling statement due to user request", "busy"),
            (Unknown, "database is locked", "busy"),
            (Unknown, "database or disk is full", "unavailable"),
            (Unknown, "attempt to write a readonly database", "unavailable"),
            (
                Unknown,
                "terminating connection due to administrator command",
                "unavailable",
            ),
            (
                Unknown,
                "could not extend file \"base/5/16384\": No space left on device",
                "unavailable",
            ),
            (Unknown, "out of memory", "unavailable"),
            (Unknown, "out of shared memory", "unavailable"),
            (
                Unknown,
                "terminating connection because of crash of another server process",
                "unavailable",
            ),
            (ClosedConnection, "connection closed", "unavailable"),
            (Unknown, "relation \"x\" does not exist", "query"),
        ] {
            assert_eq!(sorted(kind, message), expected, "{message}");
        }
    }

    #[test]
    fn every_failure_names_its_database() {
        use DatabaseErrorKind::{ClosedConnection, SerializationFailure, UniqueViolation, Unknown};
        for kind in [ClosedConnection, SerializationFailure, UniqueViolation, Unknown] {
            let driver = || Error::DatabaseError(kind, Box::new("SELECT secret".to_owned()));
            for (database, name) in [(SHARD_3, "shard 3"), (DatabaseName::Global, "global database")] {
                let text = StoreError::of(driver(), database).to_string();
                assert!(text.contains(name) && !text.contains("SELECT"), "{text}");
            }
        }
        let text = StoreError::of(Error::NotFound, SHARD_3).to_string();
        assert_eq!(text, "shard 3: a query failed");
    }
}
