//! Settles addresses that were reserved by calls that never came back. It runs at start and then at an interval.
//!
//! What a reservation stands for is asked of the user's shard. Where the user has the address, it becomes active. Where
//! not, the reservation is dropped, but first a late writer is outrun: a tombstone under the user id stops the insert
//! of a new user, a raised version stops the change of a present one. So no two users ever get one address.

use std::time::Duration;

use millrace_chassis::module::{Worker, periodic};
use millrace_chassis::{Platform, name};

use super::Error;
use super::store::email::{self, EmailRow};
use super::store::user::{self, UserRow};

/// How often the reaper looks.
const INTERVAL: Duration = Duration::from_secs(10);
/// How many reservations it reads at once.
const BATCH: i64 = 100;

/// What a reservation stands for.
#[derive(Debug, PartialEq, Eq)]
enum Finding {
    /// The user has the address.
    Kept,
    /// Nobody has it, and the call that reserved it can no longer take it.
    Dropped,
}

/// Settles one reservation that has expired.
pub(super) async fn settle(platform: &Platform, reservation: &EmailRow) -> Result<(), Error> {
    let user = reservation.user()?;
    let tombstone = UserRow::tombstone(user, platform.clock.now_us());
    let finding = platform
        .shards
        .for_user(user)
        .fenced(async |scope| {
            let mut conn = scope.write().await?;
            if user::outrun_change_to(&mut conn, &reservation.email_norm).await?
                || user::insert(&mut conn, &tombstone).await?
            {
                return Ok::<_, Error>(Finding::Dropped);
            }
            let row = user::get(&mut conn).await?;
            let kept = row.is_some_and(|row| row.email_norm == reservation.email_norm);
            Ok(if kept { Finding::Kept } else { Finding::Dropped })
        })
        .await?;
    let mut conn = platform.shards.global().write().await?;
    match finding {
        Finding::Kept => email::activate(&mut conn, &reservation.email_norm, user).await?,
        Finding::Dropped => email::release(&mut conn, reservation).await?,
    }
    tracing::info!(user.name = %name::of_user(reservation.user_id), ?finding, "a reserved e-mail was settled");
    Ok(())
}

/// Settles every reservation that has expired; one that cannot be settled now is left for the next time.
pub(super) async fn sweep(platform: &Platform) -> Result<(), Error> {
    let mut after = String::new();
    loop {
        let mut conn = platform.shards.global().read().await?;
        let rows = email::expired(&mut conn, platform.clock.now_us(), &after, BATCH).await?;
        drop(conn);
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after.clone_from(&last.email_norm);
        for row in &rows {
            if let Err(error) = settle(platform, row).await {
                tracing::warn!(%error, "a reserved e-mail cannot be settled now");
            }
        }
    }
}

/// Returns the reaper as a background task.
pub(super) fn worker(platform: Platform) -> Worker {
    let ids = platform.ids.clone();
    periodic(&ids, INTERVAL, move |_draining| {
        let platform = platform.clone();
        async move {
            if let Err(error) = sweep(&platform).await {
                tracing::warn!(%error, "reserved e-mails cannot be read now");
            }
        }
    })
}
