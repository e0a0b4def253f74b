//! Changing a user. A new address is reserved, the user is changed, the new address becomes active and the old one is
//! dropped, in this order; the [reaper](super::reaper) settles what a crash leaves between two of these steps.

use millrace_chassis::shard::UserScope;
use millrace_chassis::{Platform, name};

use super::store::email::{self, EmailRow, RESERVED};
use super::store::user::{self, UserRow};
use super::user::Change;
use super::{Error, reaper, sign_up};
use crate::etag;

/// Changes a user.
pub(super) async fn update(
    platform: &Platform,
    scope: &UserScope,
    change: &Change,
    etag: &str,
) -> Result<UserRow, Error> {
    let name = name::of_user(scope.user().get());
    let present = scope
        .fenced(async |scope| Ok::<_, Error>(user::get(&mut scope.read().await?).await?))
        .await?
        .ok_or_else(|| Error::NotFound(name.clone()))?;
    // Whatever its etag: it may be the retry of the call that made the user so.
    if change.is_met_by(&present) {
        activate(platform, change, scope).await?;
        return Ok(present);
    }
    if !etag::allows(etag, &name, present.version) {
        return Err(Error::EtagMismatch(name));
    }
    let new_address = change.email.as_ref().map(|email| email.normal.as_str());
    let new_address = new_address.filter(|address| *address != present.email_norm);
    if let Some(address) = new_address {
        reserve(platform, &present, address).await?;
    }
    // A new address rests on what was read before it was reserved: see `reaper`. Any other change only on the etag.
    let strict = new_address.is_some() || change.email.is_some() || !etag.is_empty();
    let row = write(platform, scope, change, strict.then_some(present.version)).await?;
    activate(platform, change, scope).await?;
    Ok(row)
}

/// Makes the address of a change that is done the active one; nothing if it is, or if the change has none.
async fn activate(platform: &Platform, change: &Change, scope: &UserScope) -> Result<(), Error> {
    if let Some(email) = &change.email {
        let mut conn = platform.shards.global().write().await?;
        email::activate(&mut conn, &email.normal, scope.user()).await?;
    }
    Ok(())
}

/// Reserves a new address for a user who is there.
async fn reserve(platform: &Platform, present: &UserRow, address: &str) -> Result<(), Error> {
    let now_us = platform.clock.now_us();
    let row = EmailRow {
        email_norm: address.to_owned(),
        user_id: present.user_id,
        state: RESERVED,
        request_key: None,
        request_hash: None,
        expires_at: now_us.saturating_add(sign_up::RESERVATION_US),
    };
    let user = row.user()?;
    let mut conn = platform.shards.global().write().await?;
    // Ends an earlier change that has not activated its address yet; else its late activation would drop ours.
    email::activate(&mut conn, &present.email_norm, user).await?;
    if email::reserve(&mut conn, &row).await? || email::extend(&mut conn, address, user, row.expires_at).await? {
        return Ok(());
    }
    let taken = email::by_address(&mut conn, address).await?;
    drop(conn);
    match taken {
        Some(lapsed) if lapsed.state == RESERVED && lapsed.expires_at <= now_us => {
            reaper::settle(platform, &lapsed).await?;
            let mut conn = platform.shards.global().write().await?;
            if email::reserve(&mut conn, &row).await? {
                return Ok(());
            }
            Err(Error::EmailTaken(address.to_owned()))
        }
        // The same change was made by another call since the user was read.
        Some(own) if own.user_id == present.user_id => Ok(()),
        Some(_) => Err(Error::EmailTaken(address.to_owned())),
        None => Err(Error::Lapsed),
    }
}

/// Writes the change; with a version only if the user still has it. A reservation stays if this fails: another call of
/// the same user may share it, and the reaper knows whether one does.
async fn write(
    platform: &Platform,
    scope: &UserScope,
    change: &Change,
    version: Option<i64>,
) -> Result<UserRow, Error> {
    let now_us = platform.clock.now_us();
    let name = name::of_user(scope.user().get());
    scope
        .fenced(async |scope| {
            let mut conn = scope.write().await?;
            conn.transaction(async |conn| {
                let mut row = user::lock(conn).await?.ok_or_else(|| Error::NotFound(name.clone()))?;
                if change.is_met_by(&row) {
                    return Ok(row);
                }
                if version.is_some_and(|version| version != row.version) {
                    return Err(Error::EtagMismatch(name.clone()));
                }
                change.apply(&mut row, now_us);
                user::save(conn, &row).await?;
                Ok(row)
            })
            .await
        })
        .await
}
