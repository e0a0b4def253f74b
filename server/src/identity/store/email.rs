//! Queries on the e-mails of the global database: reserve, activate, release.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use millrace_chassis::on;
use millrace_chassis::shard::{Conn, DatabaseName, Global, StoreError, UserId};

use crate::identity::schema::identity_email;

/// State of an address whose user may not be there yet.
pub(in crate::identity) const RESERVED: i32 = 1;
/// State of an address of a user who is there.
pub(in crate::identity) const ACTIVE: i32 = 2;

/// Whose an address is.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = identity_email, check_for_backend(diesel::pg::Pg, diesel::sqlite::Sqlite))]
pub(in crate::identity) struct EmailRow {
    pub(in crate::identity) email_norm: String,
    pub(in crate::identity) user_id: i64,
    pub(in crate::identity) state: i32,
    pub(in crate::identity) request_key: Option<String>,
    pub(in crate::identity) request_hash: Option<Vec<u8>>,
    pub(in crate::identity) expires_at: i64,
}

impl EmailRow {
    /// Returns the user.
    pub(in crate::identity) fn user(&self) -> Result<UserId, StoreError> {
        UserId::new(self.user_id).ok_or_else(|| out_of_range(self.user_id))
    }
}

/// The failure of a row whose user id cannot be one.
pub(in crate::identity) fn out_of_range(user_id: i64) -> StoreError {
    StoreError::Damaged {
        database: DatabaseName::Global,
        problem: format!("{user_id} is no user id"),
    }
}

/// Reserves an address; false if the address or the request key is taken.
pub(in crate::identity) async fn reserve(conn: &mut Conn<Global>, row: &EmailRow) -> Result<bool, StoreError> {
    let inserted = on!(conn, c => diesel::insert_into(identity_email::table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(c)
        .await)?;
    Ok(inserted == 1)
}

/// Reads the row of an address.
pub(in crate::identity) async fn by_address(
    conn: &mut Conn<Global>,
    email_norm: &str,
) -> Result<Option<EmailRow>, StoreError> {
    on!(conn, c => identity_email::table
        .find(email_norm)
        .select(EmailRow::as_select())
        .first(c)
        .await
        .optional())
}

/// Reads the row that a CreateUser of this key made.
pub(in crate::identity) async fn by_request(
    conn: &mut Conn<Global>,
    request_key: &str,
) -> Result<Option<EmailRow>, StoreError> {
    on!(conn, c => identity_email::table
        .filter(identity_email::request_key.eq(request_key))
        .select(EmailRow::as_select())
        .first(c)
        .await
        .optional())
}

/// Puts off the end of a user's own reservation; false if it is not there any more.
pub(in crate::identity) async fn extend(
    conn: &mut Conn<Global>,
    email_norm: &str,
    user: UserId,
    expires_at: i64,
) -> Result<bool, StoreError> {
    let extended = on!(conn, c => diesel::update(identity_email::table.find(email_norm))
        .filter(identity_email::user_id.eq(user.get()))
        .filter(identity_email::state.eq(RESERVED))
        .set(identity_email::expires_at.eq(expires_at))
        .execute(c)
        .await)?;
    Ok(extended == 1)
}

/// Makes a user's reserved address the active one, and drops the one that was active before, whose request key it
/// takes over. Only the call that finds the reservation does anything: a late one must not drop a later address.
pub(in crate::identity) async fn activate(
    conn: &mut Conn<Global>,
    email_norm: &str,
    user: UserId,
) -> Result<(), StoreError> {
    conn.transaction(async |conn| activate_in(conn, email_norm, user).await)
        .await
}

/// The same as [`activate`] in a transaction of the caller.
pub(in crate::identity) async fn activate_in(
    conn: &mut Conn<Global>,
    email_norm: &str,
    user: UserId,
) -> Result<(), StoreError> {
    let locked = on!(conn, c => diesel::update(identity_email::table.find(email_norm))
        .filter(identity_email::user_id.eq(user.get()))
        .filter(identity_email::state.eq(RESERVED))
        .set(identity_email::state.eq(RESERVED))
        .returning((identity_email::request_key, identity_email::request_hash))
        .get_result::<(Option<String>, Option<Vec<u8>>)>(c)
        .await
        .optional())?;
    let Some(own_request) = locked else {
        return Ok(());
    };
    let dropped = on!(conn, c => diesel::delete(identity_email::table)
        .filter(identity_email::user_id.eq(user.get()))
        .filter(identity_email::state.eq(ACTIVE))
        .returning((identity_email::request_key, identity_email::request_hash))
        .get_result::<(Option<String>, Option<Vec<u8>>)>(c)
        .await
        .optional())?;
    let (request_key, request_hash) = dropped.unwrap_or(own_request);
    on!(conn, c => diesel::update(identity_email::table.find(email_norm))
        .set((
            identity_email::state.eq(ACTIVE),
            identity_email::request_key.eq(request_key),
            identity_email::request_hash.eq(request_hash),
        ))
        .execute(c)
        .await)?;
    Ok(())
}

/// Drops a reservation as it was read: one that was extended since stays.
pub(in crate::identity) async fn release(conn: &mut Conn<Global>, row: &EmailRow) -> Result<(), StoreError> {
    on!(conn, c => diesel::delete(identity_email::table.find(&row.email_norm))
        .filter(identity_email::user_id.eq(row.user_id))
        .filter(identity_email::state.eq(RESERVED))
        .filter(identity_email::expires_at.eq(row.expires_at))
        .execute(c)
        .await)?;
    Ok(())
}

/// Reads reservations that have expired, by address, beginning after `after`.
pub(in crate::identity) async fn expired(
    conn: &mut Conn<Global>,
    now_us: i64,
    after: &str,
    limit: i64,
) -> Result<Vec<EmailRow>, StoreError> {
    on!(conn, c => identity_email::table
        .filter(identity_email::state.eq(RESERVED))
        .filter(identity_email::expires_at.le(now_us))
        .filter(identity_email::email_norm.gt(after))
        .order(identity_email::email_norm)
        .limit(limit)
        .select(EmailRow::as_select())
        .load(c)
        .await)
}
