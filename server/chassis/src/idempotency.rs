//! Stored answers by request id (AIP-155). The row is the first write of the effect's own transaction, so a duplicate
//! waits for the first (on the unique index in PostgreSQL, on the file's write lock in SQLite) and then gets its
//! answer. Nobody can see an uncommitted row: "under way" is only ever the answer of a wait that took too long.
//!
//! ```text
//! conn.transaction(async |conn| {
//!     if let Claim::Replay(answer) = claim_user(conn, key).await? { return decode(answer); }
//!     // .. the effect ..
//!     store_user(conn, key, &answer).await?;
//! })
//! ```

mod sweep;

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Integer, Text};
use diesel_async::RunQueryDsl;

use crate::on;
use crate::shard::fence::{self, owned_row};
use crate::shard::scope::HoldsStoreError;
use crate::shard::{Conn, DatabaseName, Global, StoreError, UserScope};
use crate::status::{Fault, Kind};

pub use sweep::{Swept, sweep};

/// What a request id stands for.
#[derive(Debug, PartialEq, Eq)]
pub enum Claim {
    /// New: the caller carries out the effect and then stores the answer.
    Fresh,
    /// Seen before with the same body: the stored answer, encoded.
    Replay(Vec<u8>),
}

/// Why a request id cannot be claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Used before with another body.
    #[error("request_id was used before with another body: draw a new one")]
    Reused,
    /// The first call with this request id did not end in time; ABORTED, and a retry will find its answer.
    #[error("the first call with this request_id is still under way: send the request again")]
    InProgress,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl HoldsStoreError for ClaimError {
    fn store(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            Self::Reused | Self::InProgress => None,
        }
    }
}

impl Fault for ClaimError {
    fn kind(&self) -> Kind {
        match self {
            Self::Reused => Kind::Invalid,
            Self::InProgress => Kind::Aborted,
            Self::Store(error) => error.kind(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Reused => "IDEMPOTENCY_KEY_REUSED",
            Self::InProgress => "IN_PROGRESS",
            Self::Store(error) => error.reason(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Reused => None,
            Self::InProgress => Some(Duration::from_millis(100)),
            Self::Store(error) => error.retry_after(),
        }
    }
}

/// One request of one method.
#[derive(Debug, Clone, Copy)]
pub struct Key<'a> {
    /// Full name of the RPC.
    pub method: &'a str,
    /// The request id; never empty.
    pub request_id: &'a str,
    /// SHA-256 of the request without its id.
    pub request_hash: &'a [u8],
    /// When the row may be swept, microseconds since the epoch.
    pub expires_at_us: i64,
}

diesel::table! {
    #[sql_name = "idempotency"]
    /// Answers of methods on one user's rows; in the user's shard.
    user_idempotency (user_id, method, key) {
        /// The user.
        user_id -> BigInt,
        /// The user's bucket.
        bucket -> Integer,
        /// Full name of the RPC.
        method -> Text,
        /// The request id.
        key -> Text,
        /// SHA-256 of the request without its id.
        request_hash -> Binary,
        /// The answer, encoded; null until the effect's transaction stores it.
        response -> Nullable<Binary>,
        /// When the row may be swept, microseconds since the epoch.
        expires_at -> BigInt,
    }
}

diesel::table! {
    #[sql_name = "idempotency"]
    /// Answers of methods on the global database.
    global_idempotency (method, key) {
        /// Full name of the RPC.
        method -> Text,
        /// The request id.
        key -> Text,
        /// SHA-256 of the request without its id.
        request_hash -> Binary,
        /// The answer, encoded; null until the effect's transaction stores it.
        response -> Nullable<Binary>,
        /// When the row may be swept, microseconds since the epoch.
        expires_at -> BigInt,
    }
}

/// Hash and answer of a row that was there already.
type Earlier = Option<(Vec<u8>, Option<Vec<u8>>)>;

/// Claims a request id for one user, inside the caller's transaction and as its first statement, under the fence.
///
/// # Errors
/// The id was used with another body, its first call takes too long, or the store failed;
/// [`StoreError::WrongEpoch`] if the shard does not own the user's bucket.
pub async fn claim_user(conn: &mut Conn<UserScope>, key: Key<'_>) -> Result<Claim, ClaimError> {
    use user_idempotency as t;
    let (user, bucket) = (conn.scope().user(), conn.scope().bucket());
    let row = owned_row(bucket).select((
        user.get().into_sql::<BigInt>(),
        i32::from(bucket.number()).into_sql::<Integer>(),
        key.method.into_sql::<Text>(),
        key.request_id.into_sql::<Text>(),
        key.request_hash.into_sql::<Binary>(),
        key.expires_at_us.into_sql::<BigInt>(),
    ));
    let inserted = on!(conn, c => row
        .insert_into(t::table)
        .into_columns((t::user_id, t::bucket, t::method, t::key, t::request_hash, t::expires_at))
        .on_conflict_do_nothing()
        .execute(c)
        .await)
    .map_err(waited)?;
    if inserted == 1 {
        return Ok(Claim::Fresh);
    }
    let earlier: Earlier = on!(conn, c => t::table
        .find((user.get(), key.method, key.request_id))
        .filter(fence::owned(bucket))
        .select((t::request_hash, t::response))
        .first(c)
        .await
        .optional())?;
    if earlier.is_none() {
        fence::check(conn).await?;
    }
    answer(key, earlier)
}

/// Stores the answer of a claimed request id, in the same transaction.
///
/// # Errors
/// The store failed, or the id was not claimed.
pub async fn store_user(conn: &mut Conn<UserScope>, key: Key<'_>, response: &[u8]) -> Result<(), StoreError> {
    use user_idempotency as t;
    let user = conn.scope().user().get();
    let stored = on!(conn, c => diesel::update(t::table.find((user, key.method, key.request_id)))
        .set(t::response.eq(response))
        .execute(c)
        .await)?;
    claimed(stored, conn.database())
}

/// The same as [`claim_user`] for methods on the global database.
///
/// # Errors
/// The id was used with another body, its first call takes too long, or the store failed.
pub async fn claim_global(conn: &mut Conn<Global>, key: Key<'_>) -> Result<Claim, ClaimError> {
    use global_idempotency as t;
    let row = (
        t::method.eq(key.method),
        t::key.eq(key.request_id),
        t::request_hash.eq(key.request_hash),
        t::expires_at.eq(key.expires_at_us),
    );
    let inserted = on!(conn, c => diesel::insert_into(t::table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(c)
        .await)
    .map_err(waited)?;
    if inserted == 1 {
        return Ok(Claim::Fresh);
    }
    let earlier: Earlier = on!(conn, c => t::table
        .find((key.method, key.request_id))
        .select((t::request_hash, t::response))
        .first(c)
        .await
        .optional())?;
    answer(key, earlier)
}

/// The same as [`store_user`] for methods on the global database.
///
/// # Errors
/// The store failed, or the id was not claimed.
pub async fn store_global(conn: &mut Conn<Global>, key: Key<'_>, response: &[u8]) -> Result<(), StoreError> {
    use global_idempotency as t;
    let stored = on!(conn, c => diesel::update(t::table.find((key.method, key.request_id)))
        .set(t::response.eq(response))
        .execute(c)
        .await)?;
    claimed(stored, conn.database())
}

fn answer(key: Key<'_>, earlier: Earlier) -> Result<Claim, ClaimError> {
    match earlier {
        Some((hash, _)) if hash != key.request_hash => Err(ClaimError::Reused),
        Some((_, Some(response))) => Ok(Claim::Replay(response)),
        // A row without an answer, or one that was swept since the insert found it: a retry meets neither.
        Some((_, None)) | None => Err(ClaimError::InProgress),
    }
}

/// A lock that could not be had in time, in the claiming statement, is the first call's row.
fn waited(error: StoreError) -> ClaimError {
    match error {
        StoreError::Busy { .. } => ClaimError::InProgress,
        other => ClaimError::Store(other),
    }
}

fn claimed(rows: usize, database: DatabaseName) -> Result<(), StoreError> {
    if rows == 1 {
        Ok(())
    } else {
        Err(StoreError::of(diesel::result::Error::NotFound, database))
    }
}
