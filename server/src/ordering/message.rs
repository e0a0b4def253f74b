//! Orders and events as the API shows them. Pure.

use millrace_chassis::name;
use millrace_proto::ordering::v1::{Order, OrderEvent, OrderLine};

use super::store::{EventRow, LineRow, OrderRow, StoredOrder};
use crate::{etag, money, timestamp};

/// Returns the name of an order.
pub(super) fn name_of(user_id: i64, order_id: i64) -> String {
    format!("{}/orders/{order_id}", name::of_user(user_id))
}

/// Tells whether an etag allows a change of an order.
pub(super) fn etag_allows(etag: &str, row: &OrderRow) -> bool {
    etag::allows(etag, &name_of(row.user_id, row.order_id), row.version)
}

impl From<StoredOrder> for Order {
    fn from(order: StoredOrder) -> Self {
        let StoredOrder { row, lines } = order;
        let name = name_of(row.user_id, row.order_id);
        Self {
            etag: etag::of(&name, row.version),
            name,
            state: row.state,
            lines: lines
                .into_iter()
                .map(|line| line_message(line, &row.currency))
                .collect(),
            total: Some(money::of(&row.currency, row.total_minor)),
            create_time: Some(timestamp::of(row.created_at)),
            update_time: Some(timestamp::of(row.updated_at)),
            events: Vec::new(),
        }
    }
}

fn line_message(line: LineRow, currency: &str) -> OrderLine {
    OrderLine {
        product: format!("products/{}", line.product_id),
        quantity: line.quantity,
        unit_price: Some(money::of(currency, line.unit_minor)),
        display_name: line.display_name,
    }
}

impl From<EventRow> for OrderEvent {
    fn from(row: EventRow) -> Self {
        Self {
            // A user with 2^31 events is beyond what one shard holds.
            number: i32::try_from(row.number).unwrap_or(i32::MAX),
            order: name_of(row.user_id, row.order_id),
            state: row.state,
            time: Some(timestamp::of(row.at)),
        }
    }
}
