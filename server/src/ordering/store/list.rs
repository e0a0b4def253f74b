//! Lists of orders with their lines: of one user, and of one shard for operators.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use millrace_chassis::shard::{Conn, ShardId, StoreError, UserScope, fence};
use millrace_chassis::{on, owned, readable};

use super::{LineRow, OrderRow, StoredOrder};
use crate::ordering::schema::{order_line, orders};
use crate::paging::ANSWER_BYTES_MAX;

/// Orders whose lines are read by one statement.
const ORDERS_AT_ONCE: usize = 100;

/// Reads orders of the user, newest first, beginning before `before`.
pub(in crate::ordering) async fn list_of_user(
    conn: &mut Conn<UserScope>,
    before: i64,
    limit: usize,
) -> Result<Vec<StoredOrder>, StoreError> {
    let (user, bucket) = (conn.scope().user().get(), conn.scope().bucket());
    let rows = on!(conn, c => orders::table
        .filter(orders::user_id.eq(user))
        .filter(orders::order_id.lt(before))
        .filter(owned!(bucket))
        .order(orders::order_id.desc())
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .select(OrderRow::as_select())
        .load(c)
        .await)?;
    if rows.is_empty() {
        fence::check(conn).await?;
    }
    with_lines(conn, rows).await
}

/// Reads orders of all users of one shard, newest first, beginning before `before`.
pub(in crate::ordering) async fn list_of_shard(
    conn: &mut Conn<ShardId>,
    before: i64,
    limit: usize,
) -> Result<Vec<StoredOrder>, StoreError> {
    // UNIQUE(order_id) is walked backwards: no bucket, which would lead to a sort.
    let rows = on!(conn, c => orders::table
        .filter(orders::order_id.lt(before))
        .filter(readable!(orders::bucket))
        .order(orders::order_id.desc())
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .select(OrderRow::as_select())
        .load(c)
        .await)?;
    with_lines(conn, rows).await
}

/// Reads the lines of orders that were found. It stops behind the order with which they are more than an answer holds:
/// a page ends before that one, and the others would only cost memory. So it is over all shards, too: merged, the
/// orders of one shard alone are more than the page.
async fn with_lines<S>(conn: &mut Conn<S>, rows: Vec<OrderRow>) -> Result<Vec<StoredOrder>, StoreError> {
    let (mut orders, mut bytes) = (Vec::with_capacity(rows.len()), 0);
    for rows in rows.chunks(ORDERS_AT_ONCE) {
        for order in with_lines_at_once(conn, rows).await? {
            bytes += order.bytes();
            orders.push(order);
            if bytes > ANSWER_BYTES_MAX {
                return Ok(orders);
            }
        }
    }
    Ok(orders)
}

async fn with_lines_at_once<S>(conn: &mut Conn<S>, rows: &[OrderRow]) -> Result<Vec<StoredOrder>, StoreError> {
    // The primary key begins with the user, so the users are named too.
    let mut user_ids: Vec<i64> = rows.iter().map(|row| row.user_id).collect();
    user_ids.sort_unstable();
    user_ids.dedup();
    let order_ids: Vec<i64> = rows.iter().map(|row| row.order_id).collect();
    let lines: Vec<LineRow> = on!(conn, c => order_line::table
        .filter(order_line::user_id.eq_any(&user_ids))
        .filter(order_line::order_id.eq_any(&order_ids))
        .order((order_line::user_id, order_line::order_id, order_line::line_no))
        .select(LineRow::as_select())
        .load(c)
        .await)?;
    Ok(rows
        .iter()
        .map(|row| {
            // The lines are sorted by user and order, so those of one order stand together.
            let key = (row.user_id, row.order_id);
            let start = lines.partition_point(|line| (line.user_id, line.order_id) < key);
            let of_order = lines[start..]
                .iter()
                .take_while(|line| (line.user_id, line.order_id) == key);
            StoredOrder {
                lines: of_order.cloned().collect(),
                row: row.clone(),
            }
        })
        .collect())
}
