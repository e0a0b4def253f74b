//! Queries of ordering, each on the user's shard and under its fence, or over all shards for operators.

mod list;
mod watched;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use millrace_chassis::shard::{Conn, StoreError, UserScope, fence};
use millrace_chassis::{on, owned};
use millrace_proto::ordering::v1::OrderState;

use super::schema::{order_event, order_line, orders, users};
use crate::paging::FIXED_BYTES;

pub(super) use list::{list_of_shard, list_of_user};
pub(super) use watched::last_events;

/// An order as stored, without its lines.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = orders, check_for_backend(diesel::pg::Pg, diesel::sqlite::Sqlite))]
pub(super) struct OrderRow {
    pub(super) user_id: i64,
    pub(super) order_id: i64,
    pub(super) bucket: i32,
    pub(super) state: i32,
    pub(super) currency: String,
    pub(super) total_minor: i64,
    pub(super) version: i64,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
}

/// A line of an order as stored.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = order_line, check_for_backend(diesel::pg::Pg, diesel::sqlite::Sqlite))]
pub(super) struct LineRow {
    pub(super) user_id: i64,
    pub(super) order_id: i64,
    pub(super) line_no: i32,
    pub(super) bucket: i32,
    pub(super) product_id: String,
    pub(super) display_name: String,
    pub(super) quantity: i32,
    pub(super) unit_minor: i64,
}

/// One change of an order as stored.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = order_event, check_for_backend(diesel::pg::Pg, diesel::sqlite::Sqlite))]
pub(super) struct EventRow {
    pub(super) user_id: i64,
    pub(super) number: i64,
    pub(super) bucket: i32,
    pub(super) order_id: i64,
    pub(super) state: i32,
    pub(super) at: i64,
}

/// An order with its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredOrder {
    pub(super) row: OrderRow,
    pub(super) lines: Vec<LineRow>,
}

impl StoredOrder {
    /// About the bytes of the order as a message.
    pub(super) fn bytes(&self) -> usize {
        let lines = self.lines.iter();
        let line_bytes = |line: &LineRow| line.product_id.len() + line.display_name.len() + FIXED_BYTES;
        FIXED_BYTES + lines.map(line_bytes).sum::<usize>()
    }
}

/// Locks the user, so that the user's orders change one at a time, and returns the number of the last event; `None` if
/// there is no such user.
pub(super) async fn lock_user(conn: &mut Conn<UserScope>) -> Result<Option<i64>, StoreError> {
    let (user, bucket) = (conn.scope().user().get(), conn.scope().bucket());
    let locked = on!(conn, c => diesel::update(users::table.find(user))
        .filter(users::tombstone.eq(0))
        .filter(owned!(bucket))
        .set(users::event_seq.eq(users::event_seq))
        .returning(users::event_seq)
        .get_result(c)
        .await
        .optional())?;
    if locked.is_none() {
        fence::check(conn).await?;
    }
    Ok(locked)
}

/// Reads the number of the user's last event; `None` if there is no such user.
pub(super) async fn last_event(conn: &mut Conn<UserScope>) -> Result<Option<i64>, StoreError> {
    let (user, bucket) = (conn.scope().user().get(), conn.scope().bucket());
    let found = on!(conn, c => users::table
        .find(user)
        .filter(users::tombstone.eq(0))
        .filter(owned!(bucket))
        .select(users::event_seq)
        .first(c)
        .await
        .optional())?;
    if found.is_none() {
        fence::check(conn).await?;
    }
    Ok(found)
}

/// Writes the event that an order of a locked user is now in its state. Every change of an order ends in this.
pub(super) async fn append_event(conn: &mut Conn<UserScope>, order: &OrderRow) -> Result<EventRow, StoreError> {
    let number = on!(conn, c => diesel::update(users::table.find(order.user_id))
        .set(users::event_seq.eq(users::event_seq + 1))
        .returning(users::event_seq)
        .get_result(c)
        .await)?;
    let event = EventRow {
        user_id: order.user_id,
        number,
        bucket: order.bucket,
        order_id: order.order_id,
        state: order.state,
        at: order.updated_at,
    };
    on!(conn, c => diesel::insert_into(order_event::table).values(&event).execute(c).await)?;
    Ok(event)
}

/// Inserts a new order of a locked user, with its lines and its first event.
pub(super) async fn insert(conn: &mut Conn<UserScope>, order: &StoredOrder) -> Result<(), StoreError> {
    on!(conn, c => diesel::insert_into(orders::table).values(&order.row).execute(c).await)?;
    for line in &order.lines {
        on!(conn, c => diesel::insert_into(order_line::table).values(line).execute(c).await)?;
    }
    append_event(conn, &order.row).await?;
    Ok(())
}

/// Writes the state of an order of a locked user, and the event of its change.
pub(super) async fn save_state(conn: &mut Conn<UserScope>, order: &OrderRow) -> Result<(), StoreError> {
    on!(conn, c => diesel::update(orders::table.find((order.user_id, order.order_id)))
        .set((
            orders::state.eq(order.state),
            orders::version.eq(order.version),
            orders::updated_at.eq(order.updated_at),
        ))
        .execute(c)
        .await)?;
    append_event(conn, order).await?;
    Ok(())
}

/// Reads one order of the user.
pub(super) async fn get(conn: &mut Conn<UserScope>, order_id: i64) -> Result<Option<StoredOrder>, StoreError> {
    let (user, bucket) = (conn.scope().user().get(), conn.scope().bucket());
    let row = on!(conn, c => orders::table
        .find((user, order_id))
        .filter(owned!(bucket))
        .select(OrderRow::as_select())
        .first(c)
        .await
        .optional())?;
    let Some(row) = row else {
        fence::check(conn).await?;
        return Ok(None);
    };
    let lines = on!(conn, c => order_line::table
        .filter(order_line::user_id.eq(user))
        .filter(order_line::order_id.eq(order_id))
        .order(order_line::line_no)
        .select(LineRow::as_select())
        .load(c)
        .await)?;
    Ok(Some(StoredOrder { row, lines }))
}

/// Reads the history of one order, oldest first.
pub(super) async fn history(conn: &mut Conn<UserScope>, order_id: i64) -> Result<Vec<EventRow>, StoreError> {
    let user = conn.scope().user().get();
    on!(conn, c => order_event::table
        .filter(order_event::user_id.eq(user))
        .filter(order_event::order_id.eq(order_id))
        .order(order_event::number)
        .select(EventRow::as_select())
        .load(c)
        .await)
}

/// Reads the user's events by number, beginning after `after`.
pub(super) async fn events_after(
    conn: &mut Conn<UserScope>,
    after: i64,
    limit: i64,
) -> Result<Vec<EventRow>, StoreError> {
    let (user, bucket) = (conn.scope().user().get(), conn.scope().bucket());
    let events = on!(conn, c => order_event::table
        .filter(order_event::user_id.eq(user))
        .filter(order_event::number.gt(after))
        .filter(owned!(bucket))
        .order(order_event::number)
        .limit(limit)
        .select(EventRow::as_select())
        .load(c)
        .await)?;
    if events.is_empty() {
        fence::check(conn).await?;
    }
    Ok(events)
}

impl OrderRow {
    /// Returns the state.
    pub(super) fn state(&self) -> OrderState {
        OrderState::try_from(self.state).unwrap_or_default()
    }

    /// Changes the state at a time, which makes it another version.
    pub(super) fn change_to(&mut self, state: OrderState, at_us: i64) {
        self.state = state.into();
        self.version += 1;
        self.updated_at = at_us;
    }
}
