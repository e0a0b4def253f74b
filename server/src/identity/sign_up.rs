//! Creating a user over two databases, so that a crash after any step leaves nothing that is not settled later:
//! the address is reserved in the global database, the user is inserted on its shard, the address becomes active.
//! A retry with the same request id goes on where the first call stopped; the [reaper](super::reaper) settles what
//! nobody retries.

use millrace_chassis::Platform;
use millrace_chassis::idempotency::ClaimError;
use millrace_chassis::shard::{StoreError, UserId};

use super::store::email::{self, EmailRow, RESERVED};
use super::store::user::{self, UserRow};
use super::user::Draft;
use super::{Error, reaper};

/// How long an address stays reserved for a call that has not come back.
pub(super) const RESERVATION_US: i64 = 60 * 1_000_000;
/// How often a call looks again when a reservation in its way goes away.
const ATTEMPTS: u32 = 3;
/// How many shards that are down a new user may be drawn on before one of them is taken.
const SHARDS_TRIED: u32 = 8;

/// What makes a sign-up safe to retry.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// The caller and the request id.
    pub(super) key: String,
    /// SHA-256 of the request.
    pub(super) hash: [u8; 32],
}

/// Creates a user, or finds the one that the same request created before.
pub(super) async fn sign_up(platform: &Platform, draft: &Draft, request: Option<&Request>) -> Result<UserRow, Error> {
    let reservation = reserve(platform, draft, request).await?;
    let user = insert(platform, draft, &reservation).await?;
    if reservation.state == RESERVED {
        let mut conn = platform.shards.global().write().await?;
        email::activate(&mut conn, &reservation.email_norm, reservation.user()?).await?;
    }
    Ok(user)
}

/// Reserves the address for a new user id, or returns the row that the same request made before.
async fn reserve(platform: &Platform, draft: &Draft, request: Option<&Request>) -> Result<EmailRow, Error> {
    for _ in 0..ATTEMPTS {
        let now_us = platform.clock.now_us();
        let row = EmailRow {
            email_norm: draft.email.normal.clone(),
            user_id: new_user_id(platform).await.get(),
            state: RESERVED,
            request_key: request.map(|request| request.key.clone()),
            request_hash: request.map(|request| request.hash.to_vec()),
            expires_at: now_us.saturating_add(RESERVATION_US),
        };
        let mut conn = platform.shards.global().write().await?;
        if email::reserve(&mut conn, &row).await? {
            return Ok(row);
        }
        if let Some(request) = request
            && let Some(earlier) = email::by_request(&mut conn, &request.key).await?
        {
            let same_body = earlier.request_hash.as_deref() == Some(&request.hash);
            return if same_body {
                Ok(earlier)
            } else {
                Err(ClaimError::Reused.into())
            };
        }
        let taken = email::by_address(&mut conn, &row.email_norm).await?;
        // There is one connection for writing, and settling needs it.
        drop(conn);
        match taken {
            Some(lapsed) if lapsed.state == RESERVED && lapsed.expires_at <= now_us => {
                reaper::settle(platform, &lapsed).await?;
            }
            Some(_) => return Err(Error::EmailTaken(draft.email.shown.clone())),
            // Released since the first statement.
            None => {}
        }
    }
    Err(Error::Lapsed)
}

/// Draws the id of a new user on a shard that can be reached, if that is soon found: a user who is not there yet is no
/// user of a shard that is down, and an address that is reserved for one stays taken until the shard is back.
async fn new_user_id(platform: &Platform) -> UserId {
    let mut user = platform.ids.user_id();
    for _ in 0..SHARDS_TRIED {
        // Given back at once: it only tells whether one can be had.
        match platform.shards.for_user(user).write().await {
            Err(StoreError::Unavailable { .. }) => user = platform.ids.user_id(),
            Ok(_) | Err(_) => break,
        }
    }
    user
}

/// Inserts the user of a reservation, or finds the one that an earlier attempt inserted.
async fn insert(platform: &Platform, draft: &Draft, reservation: &EmailRow) -> Result<UserRow, Error> {
    let user = reservation.user()?;
    let new = UserRow::new(user, &draft.display_name, &draft.email, platform.clock.now_us());
    let found = platform
        .shards
        .for_user(user)
        .fenced(async |scope| {
            let mut conn = scope.write().await?;
            if user::insert(&mut conn, &new).await? {
                return Ok(Some(new.clone()));
            }
            user::get(&mut conn).await.map_err(Error::from)
        })
        .await?;
    match found {
        // An address that is active may have changed since the first answer; the user is the same.
        Some(row) if row.email_norm == draft.email.normal || reservation.state != RESERVED => Ok(row),
        // Another user has the id, by a chance of 1 in 2^62.
        Some(_) => {
            let mut conn = platform.shards.global().write().await?;
            email::release(&mut conn, reservation).await?;
            Err(Error::Lapsed)
        }
        // A tombstone: the reservation had expired and was settled while this call slept.
        None => Err(Error::Lapsed),
    }
}
