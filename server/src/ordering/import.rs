//! Many orders of one user at once, for sample data: one transaction, through the same table of states.

use millrace_chassis::Platform;
use millrace_chassis::shard::UserId;
use millrace_proto::r#type::v1::Money;

use super::order::{self, Event, Transition};
use super::pricing::{self, PricedLine};
use super::{Error, change, store};

/// An order to be imported under an id that was drawn before.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ImportedOrder {
    /// The id.
    pub(crate) order_id: i64,
    /// When it was placed, microseconds since the epoch.
    pub(crate) placed_at: i64,
    /// When it was cancelled, if it was.
    pub(crate) cancelled_at: Option<i64>,
    /// What was ordered.
    pub(crate) lines: Vec<ImportedLine>,
}

/// A line of an imported order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ImportedLine {
    /// `products/{product}`.
    pub(crate) product: String,
    /// The product's name.
    pub(crate) display_name: String,
    /// Pieces.
    pub(crate) quantity: i32,
    /// Price of one piece.
    pub(crate) unit_price: Money,
}

/// Places a user's orders; a user who is not there, or has orders already, is left as is.
///
/// # Errors
/// The amounts do not add up, or the store failed.
pub(crate) async fn import(platform: &Platform, user: UserId, orders: &[ImportedOrder]) -> Result<(), Error> {
    let scope = platform.shards.for_user(user);
    scope
        .fenced(async |scope| {
            let mut conn = scope.write().await?;
            conn.transaction(async |conn| {
                if store::lock_user(conn).await? != Some(0) {
                    return Ok(());
                }
                for imported in orders {
                    let lines = imported.lines.iter().map(priced_line).collect();
                    let priced = pricing::with_total(lines)?;
                    let mut new = change::new_order(scope, imported.order_id, &priced, imported.placed_at);
                    store::insert(conn, &new).await?;
                    if let Some(at) = imported.cancelled_at
                        && let Transition::To(next, _) = order::transition(new.row.state(), Event::Cancelled)
                    {
                        new.row.change_to(next, at);
                        store::save_state(conn, &new.row).await?;
                    }
                }
                Ok(())
            })
            .await
        })
        .await
}

fn priced_line(line: &ImportedLine) -> PricedLine {
    PricedLine {
        product_id: line.product.trim_start_matches("products/").to_owned(),
        display_name: line.display_name.clone(),
        quantity: line.quantity,
        unit_price: line.unit_price.clone(),
    }
}
