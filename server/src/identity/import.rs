//! Many users at once, for sample data: the steps of a sign-up, each for all of them.

use millrace_chassis::Platform;
use millrace_chassis::shard::UserId;
use millrace_proto::identity::v1::User;

use super::store::email::{self, EmailRow, RESERVED};
use super::store::user::{self, UserRow};
use super::user::Draft;
use super::{Error, sign_up};
use crate::field::Check;

/// A user to be imported under an id that was drawn before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImportedUser {
    /// The id.
    pub(crate) user: UserId,
    /// Shown to people.
    pub(crate) display_name: String,
    /// The user's e-mail.
    pub(crate) email: String,
}

/// Creates users; those that are there stay as they are, and an address that somebody else has is left out.
///
/// # Errors
/// A user is not valid, or the store failed.
pub(crate) async fn import(platform: &Platform, users: &[ImportedUser], created_us: i64) -> Result<(), Error> {
    let mut check = Check::default();
    let mut rows = Vec::with_capacity(users.len());
    for imported in users {
        let message = User {
            display_name: imported.display_name.clone(),
            email: imported.email.clone(),
            ..Default::default()
        };
        if let Some(draft) = Draft::read(&message, &mut check) {
            let row = UserRow::new(imported.user, &draft.display_name, &draft.email, created_us);
            rows.push((imported.user, row));
        }
    }
    check.done()?;

    let rows = reserve(platform, rows).await?;
    for (user, row) in &rows {
        platform
            .shards
            .for_user(*user)
            .fenced(async |scope| user::insert(&mut scope.write().await?, row).await)
            .await?;
    }
    let mut conn = platform.shards.global().write().await?;
    conn.transaction(async |conn| {
        for (user, row) in &rows {
            email::activate_in(conn, &row.email_norm, *user).await?;
        }
        Ok(())
    })
    .await
}

/// Reserves all addresses, and returns the users who have theirs.
async fn reserve(platform: &Platform, rows: Vec<(UserId, UserRow)>) -> Result<Vec<(UserId, UserRow)>, Error> {
    let expires_at = platform.clock.now_us().saturating_add(sign_up::RESERVATION_US);
    let mut conn = platform.shards.global().write().await?;
    conn.transaction(async move |conn| {
        let mut mine = Vec::with_capacity(rows.len());
        for (user, row) in rows {
            let reservation = EmailRow {
                email_norm: row.email_norm.clone(),
                user_id: row.user_id,
                state: RESERVED,
                request_key: None,
                request_hash: None,
                expires_at,
            };
            let reserved = email::reserve(conn, &reservation).await?;
            let owner = if reserved {
                None
            } else {
                email::by_address(conn, &row.email_norm).await?
            };
            if reserved || owner.is_some_and(|owner| owner.user_id == row.user_id) {
                mine.push((user, row));
            }
        }
        Ok(mine)
    })
    .await
}
