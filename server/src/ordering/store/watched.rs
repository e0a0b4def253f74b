//! The numbers of many users' last events at once: what watchers without news cost.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use millrace_chassis::shard::{Conn, ShardId, StoreError, UserId};
use millrace_chassis::{on, readable};

use crate::ordering::schema::users;

/// Reads the numbers of the last events of users of one shard; who is not there, or not there any more, has no row.
pub(in crate::ordering) async fn last_events(
    conn: &mut Conn<ShardId>,
    users: &[UserId],
) -> Result<Vec<(UserId, i64)>, StoreError> {
    let ids: Vec<i64> = users.iter().map(|user| user.get()).collect();
    let rows: Vec<(i64, i64)> = on!(conn, c => users::table
        .filter(users::user_id.eq_any(&ids))
        .filter(users::tombstone.eq(0))
        .filter(readable!(users::bucket))
        .select((users::user_id, users::event_seq))
        .load(c)
        .await)?;
    let with_id = |(user, last)| Some((UserId::new(user)?, last));
    Ok(rows.into_iter().filter_map(with_id).collect())
}
