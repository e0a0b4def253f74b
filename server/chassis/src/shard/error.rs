//! What can go wrong between a scope and its rows.

use diesel::result::{DatabaseErrorKind, Error};

use crate::shard::{DatabaseName, ShardId};
use crate::status::{Fault, Kind};

/// A failure of the store. No variant shows SQL, a URL or a secret.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, or cannot work: disk full, read-only.
    #[error("{database} cannot be reached")]
    Unavailable {
        /// `shard 3`, or `global database`.
        database: String,
        /// What the driver said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No connection was free in time, or a lock was not.
    #[error("{database} is busy")]
    Busy {
        /// `shard 3`, or `global database`.
        database: String,
    },
    /// The shard no longer owns the user's bucket; the router refreshes its map and retries.
    #[error("shard {0} does not own the bucket")]
    WrongEpoch(ShardId),
    /// A row breaks a unique constraint.
    #[error("a row with this key exists")]
    Duplicate,
    /// Any other failure of a query.
    #[error("a query failed")]
    Query(#[source] Error),
}

/// The name of a database that `From` cannot know.
const UNNAMED: &str = "a database";

impl StoreError {
    /// Names the database, if no name is known yet.
    #[must_use]
    pub fn at(mut self, name: DatabaseName) -> Self {
        if let Self::Unavailable { database, .. } | Self::Busy { database } = &mut self
            && database == UNNAMED
        {
            *database = name.to_string();
        }
        self
    }
}

/// Sorts what the drivers only say in words. They give these failures no kind of their own, so the words of both
/// engines are listed here, once.
fn words(message: &str) -> Option<Words> {
    const BUSY: [&str; 5] = [
        "due to lock timeout",
        "due to statement timeout",
        "database is locked",
        "database table is locked",
        "deadlock detected",
    ];
    const UNAVAILABLE: [&str; 8] = [
        "connection closed",
        "database or disk is full",
        "disk I/O error",
        "attempt to write a readonly database",
        "unable to open database file",
        "terminating connection",
        "the database system is",
        "too many clients",
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

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        let busy = || Self::Busy {
            database: UNNAMED.to_owned(),
        };
        let Error::DatabaseError(kind, info) = &error else {
            return match error {
                // A connection that broke earlier in the same call.
                Error::BrokenTransactionManager => Self::Unavailable {
                    database: UNNAMED.to_owned(),
                    source: Box::new(error),
                },
                other => Self::Query(other),
            };
        };
        match (kind, words(info.message())) {
            (DatabaseErrorKind::UniqueViolation, _) => Self::Duplicate,
            (DatabaseErrorKind::SerializationFailure, _) | (_, Some(Words::Busy)) => busy(),
            // A primary that has become a standby refuses writes.
            (DatabaseErrorKind::ReadOnlyTransaction, _)
            | (DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand, _)
            | (_, Some(Words::Unavailable)) => Self::Unavailable {
                database: UNNAMED.to_owned(),
                source: Box::new(error),
            },
            _ => Self::Query(error),
        }
    }
}

impl Fault for StoreError {
    fn kind(&self) -> Kind {
        match self {
            Self::Unavailable { .. } | Self::Busy { .. } | Self::WrongEpoch(_) => Kind::Unavailable,
            Self::Duplicate => Kind::AlreadyExists,
            Self::Query(_) => Kind::Internal,
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
            Self::Duplicate | Self::Query(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(kind: DatabaseErrorKind, message: &str) -> &'static str {
        match StoreError::from(Error::DatabaseError(kind, Box::new(message.to_owned()))) {
            StoreError::Unavailable { .. } => "unavailable",
            StoreError::Busy { .. } => "busy",
            StoreError::WrongEpoch(_) => "wrong epoch",
            StoreError::Duplicate => "duplicate",
            StoreError::Query(_) => "query",
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
            (Unknown, "database is locked", "busy"),
            (Unknown, "database or disk is full", "unavailable"),
            (Unknown, "attempt to write a readonly database", "unavailable"),
            (
                Unknown,
                "terminating connection due to administrator command",
                "unavailable",
            ),
            (ClosedConnection, "connection closed", "unavailable"),
            (Unknown, "relation \"x\" does not exist", "query"),
        ] {
            assert_eq!(sorted(kind, message), expected, "{message}");
        }
    }

    #[test]
    fn a_name_is_given_once() {
        let busy = StoreError::Busy {
            database: UNNAMED.to_owned(),
        };
        let named = busy.at(DatabaseName::Shard(ShardId(3))).at(DatabaseName::Global);
        assert_eq!(named.to_string(), "shard 3 is busy");
    }
}
