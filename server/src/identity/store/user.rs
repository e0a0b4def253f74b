//! Queries on users, each on the user's shard and under its fence.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text};
use diesel_async::RunQueryDsl;
use millrace_chassis::shard::fence::{self, owned_row};
use millrace_chassis::shard::{Conn, ShardId, StoreError, UserId, UserScope};
use millrace_chassis::{on, owned, readable};

use crate::identity::schema::users;

/// A user as stored; or a tombstone.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(diesel::pg::Pg, diesel::sqlite::Sqlite))]
pub(in crate::identity) struct UserRow {
    pub(in crate::identity) user_id: i64,
    pub(in crate::identity) display_name: String,
    pub(in crate::identity) email: String,
    pub(in crate::identity) email_norm: String,
    pub(in crate::identity) version: i64,
    pub(in crate::identity) tombstone: i32,
    pub(in crate::identity) created_at: i64,
    pub(in crate::identity) updated_at: i64,
}

impl UserRow {
    /// A user who is new.
    pub(in crate::identity) fn new(
        user: UserId,
        display_name: &str,
        email: &crate::identity::email::Email,
        now_us: i64,
    ) -> Self {
        Self {
            user_id: user.get(),
            display_name: display_name.to_owned(),
            email: email.shown.clone(),
            email_norm: email.normal.clone(),
            version: 1,
            tombstone: 0,
            created_at: now_us,
            updated_at: now_us,
        }
    }

    /// What keeps an id from ever becoming a user.
    pub(in crate::identity) fn tombstone(user: UserId, now_us: i64) -> Self {
        Self {
            user_id: user.get(),
            display_name: String::new(),
            email: String::new(),
            email_norm: String::new(),
            version: 1,
            tombstone: 1,
            created_at: now_us,
            updated_at: now_us,
        }
    }
}

/// Inserts a user or a tombstone; false if the id has a row already.
pub(in crate::identity) async fn insert(conn: &mut Conn<UserScope>, row: &UserRow) -> Result<bool, StoreError> {
    let bucket = conn.scope().bucket();
    let inserted = on!(conn, c => owned_row(bucket)
        .select((
            row.user_id.into_sql::<BigInt>(),
            i32::from(bucket.number()).into_sql::<Integer>(),
            row.display_name.as_str().into_sql::<Text>(),
            row.email.as_str().into_sql::<Text>(),
            row.email_norm.as_str().into_sql::<Text>(),
            0_i64.into_sql::<BigInt>(),
            row.version.into_sql::<BigInt>(),
            row.tombstone.into_sql::<Integer>(),
            row.created_at.into_sql::<BigInt>(),
            row.updated_at.into_sql::<BigInt>(),
        ))
        .insert_into(users::table)
        .into_columns((
            users::user_id,
            users::bucket,
            users::display_name,
            users::email,
            users::email_norm,
            users::event_seq,
            users::version,
            users::tombstone,
            users::created_at,
            users::updated_at,
        ))
        .on_conflict_do_nothing()
        .execute(c)
        .await)?;
    if inserted == 0 {
        fence::check(conn).await?;
    }
    Ok(inserted == 1)
}

/// Reads the row of an id, be it a user or a tombstone.
pub(in crate::identity) async fn any(conn: &mut Conn<UserScope>) -> Result<Option<UserRow>, StoreError> {
    let (user, bucket) = (conn.scope().user().get(), conn.scope().bucket());
    let found = on!(conn, c => users::table
        .find(user)
        .filter(owned!(bucket))
        .select(UserRow::as_select())
        .first(c)
        .await
        .optional())?;
    if found.is_none() {
        fence::check(conn).await?;
    }
    Ok(found)
}

/// Reads the user.
pub(in crate::identity) async fn get(conn: &mut Conn<UserScope>) -> Result<Option<UserRow>, StoreError> {
    Ok(any(conn).await?.filter(|row| row.tombstone == 0))
}

/// Locks the user for a change, and returns the row.
pub(in crate::identity) async fn lock(conn: &mut Conn<UserScope>) -> Result<Option<UserRow>, StoreError> {
    let (user, bucket) = (conn.scope().user().get(), conn.scope().bucket());
    let locked = on!(conn, c => diesel::update(users::table.find(user))
        .filter(users::tombstone.eq(0))
        .filter(owned!(bucket))
        .set(users::version.eq(users::version))
        .returning(UserRow::as_returning())
        .get_result(c)
        .await
        .optional())?;
    if locked.is_none() {
        fence::check(conn).await?;
    }
    Ok(locked)
}

/// Writes what may change of a locked user.
pub(in crate::identity) async fn save(conn: &mut Conn<UserScope>, row: &UserRow) -> Result<(), StoreError> {
    on!(conn, c => diesel::update(users::table.find(row.user_id))
        .set((
            users::display_name.eq(&row.display_name),
            users::email.eq(&row.email),
            users::email_norm.eq(&row.email_norm),
            users::version.eq(row.version),
            users::updated_at.eq(row.updated_at),
        ))
        .execute(c)
        .await)?;
    Ok(())
}

/// Raises the version of a user who does not have the address, so that a late change to it fails; false if there is no
/// such user.
pub(in crate::identity) async fn outrun_change_to(
    conn: &mut Conn<UserScope>,
    email_norm: &str,
) -> Result<bool, StoreError> {
    let (user, bucket) = (conn.scope().user().get(), conn.scope().bucket());
    let outrun = on!(conn, c => diesel::update(users::table.find(user))
        .filter(users::tombstone.eq(0))
        .filter(users::email_norm.ne(email_norm))
        .filter(owned!(bucket))
        .set(users::version.eq(users::version + 1))
        .execute(c)
        .await)?;
    Ok(outrun == 1)
}

/// Reads users of one shard by id, beginning after `after`.
pub(in crate::identity) async fn list(
    conn: &mut Conn<ShardId>,
    after: i64,
    limit: usize,
) -> Result<Vec<UserRow>, StoreError> {
    on!(conn, c => users::table
        .filter(users::user_id.gt(after))
        .filter(users::tombstone.eq(0))
        .filter(readable!(users::bucket))
        .order(users::user_id)
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .select(UserRow::as_select())
        .load(c)
        .await)
}
