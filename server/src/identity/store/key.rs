//! Queries on API keys, each on the user's shard and under its fence.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use millrace_chassis::shard::{Conn, StoreError, UserScope, fence};
use millrace_chassis::{on, owned};

use crate::identity::schema::{api_key, users};

/// A key as stored, without its secret, which nobody stores.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = api_key, check_for_backend(diesel::pg::Pg, diesel::sqlite::Sqlite))]
pub(in crate::identity) struct KeyRow {
    pub(in crate::identity) user_id: i64,
    pub(in crate::identity) key_id: i64,
    pub(in crate::identity) bucket: i32,
    pub(in crate::identity) secret_hash: Vec<u8>,
    pub(in crate::identity) display_name: String,
    pub(in crate::identity) admin: i32,
    pub(in crate::identity) created_at: i64,
    pub(in crate::identity) revoked_at: Option<i64>,
}

/// Inserts a key, in a transaction whose first statement was under the fence; false if its number is taken. A violation
/// would end the transaction on PostgreSQL.
pub(in crate::identity) async fn insert(conn: &mut Conn<UserScope>, row: &KeyRow) -> Result<bool, StoreError> {
    let inserted = on!(conn, c => diesel::insert_into(api_key::table)
        .values(row)
        .on_conflict((api_key::user_id, api_key::key_id))
        .do_nothing()
        .execute(c)
        .await)?;
    Ok(inserted == 1)
}

/// Reads a key that works: not revoked, and of a user who is there.
pub(in crate::identity) async fn working(
    conn: &mut Conn<UserScope>,
    key_id: i64,
) -> Result<Option<KeyRow>, StoreError> {
    let (user, bucket) = (conn.scope().user().get(), conn.scope().bucket());
    let found = on!(conn, c => api_key::table
        .find((user, key_id))
        .filter(api_key::revoked_at.is_null())
        .filter(diesel::dsl::exists(users::table.filter(users::user_id.eq(user)).filter(users::tombstone.eq(0))))
        .filter(owned!(bucket))
        .select(KeyRow::as_select())
        .first(c)
        .await
        .optional())?;
    if found.is_none() {
        fence::check(conn).await?;
    }
    Ok(found)
}

/// Reads keys of the user, newest first, beginning before `before`.
pub(in crate::identity) async fn list(
    conn: &mut Conn<UserScope>,
    before: i64,
    limit: usize,
) -> Result<Vec<KeyRow>, StoreError> {
    let (user, bucket) = (conn.scope().user().get(), conn.scope().bucket());
    let found = on!(conn, c => api_key::table
        .filter(api_key::user_id.eq(user))
        .filter(api_key::key_id.lt(before))
        .filter(owned!(bucket))
        .order(api_key::key_id.desc())
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .select(KeyRow::as_select())
        .load(c)
        .await)?;
    if found.is_empty() {
        fence::check(conn).await?;
    }
    Ok(found)
}

/// Revokes a key at a time, or leaves the time at which it was revoked before.
pub(in crate::identity) async fn revoke(
    conn: &mut Conn<UserScope>,
    key_id: i64,
    now_us: i64,
) -> Result<Option<KeyRow>, StoreError> {
    let (user, bucket) = (conn.scope().user().get(), conn.scope().bucket());
    on!(conn, c => diesel::update(api_key::table.find((user, key_id)))
        .filter(api_key::revoked_at.is_null())
        .filter(owned!(bucket))
        .set(api_key::revoked_at.eq(now_us))
        .execute(c)
        .await)?;
    let found = on!(conn, c => api_key::table
        .find((user, key_id))
        .filter(owned!(bucket))
        .select(KeyRow::as_select())
        .first(c)
        .await
        .optional())?;
    if found.is_none() {
        fence::check(conn).await?;
    }
    Ok(found)
}
