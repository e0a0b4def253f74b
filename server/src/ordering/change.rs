//! The two changes that callers make: an order is placed, an order is cancelled. Each is one transaction on the user's
//! shard: the user is locked, the order is written, and its event gets the user's next number.

use millrace_chassis::Platform;
use millrace_chassis::idempotency::{self, Claim, Key};
use millrace_chassis::shard::{StoreError, UserScope};
use millrace_proto::ordering::v1::{Order, OrderState};
use prost::Message;

use super::order::{self, Event, Transition};
use super::pricing::Priced;
use super::store::{self, LineRow, OrderRow, StoredOrder};
use super::{Error, message};
use crate::replay;

/// How often an order gets another id: two that are placed in one millisecond share one by a chance of 1 in 4,096.
const ID_ATTEMPTS: u32 = 4;

/// Makes the rows of a new order.
pub(super) fn new_order(scope: &UserScope, order_id: i64, priced: &Priced, now_us: i64) -> StoredOrder {
    let (user_id, bucket) = (scope.user().get(), i32::from(scope.bucket().number()));
    let (state, _effects) = order::NEW;
    let line = |(line_no, line): (i32, &super::pricing::PricedLine)| LineRow {
        user_id,
        order_id,
        line_no,
        bucket,
        product_id: line.product_id.clone(),
        display_name: line.display_name.clone(),
        quantity: line.quantity,
        unit_minor: line.unit_price.minor_units,
    };
    StoredOrder {
        row: OrderRow {
            user_id,
            order_id,
            bucket,
            state: state.into(),
            currency: priced.total.currency_code.clone(),
            total_minor: priced.total.minor_units,
            version: 1,
            created_at: now_us,
            updated_at: now_us,
        },
        lines: (0..).zip(&priced.lines).map(line).collect(),
    }
}

/// Places an order, or returns the one that the same request placed before.
pub(super) async fn place(
    platform: &Platform,
    scope: &UserScope,
    priced: &Priced,
    claim: Option<Key<'_>>,
) -> Result<Order, Error> {
    let mut attempts_left = ID_ATTEMPTS;
    loop {
        attempts_left -= 1;
        let order_id = platform.ids.row_id(scope.bucket());
        let new = new_order(scope, order_id, priced, platform.clock.now_us());
        match place_once(scope, &new, claim).await {
            Err(Error::Store(StoreError::Duplicate { .. })) if attempts_left > 0 => {}
            result => return result,
        }
    }
}

async fn place_once(scope: &UserScope, new: &StoredOrder, claim: Option<Key<'_>>) -> Result<Order, Error> {
    scope
        .fenced(async |scope| {
            let mut conn = scope.write().await?;
            conn.transaction(async |conn| {
                // First of all, so that a duplicate waits here for the first call to end.
                if let Some(claim) = claim
                    && let Claim::Replay(answer) = idempotency::claim_user(conn, claim).await?
                {
                    return Ok(replay::decode(&answer, conn.database())?);
                }
                if store::lock_user(conn).await?.is_none() {
                    return Err(Error::no_user(scope.user()));
                }
                store::insert(conn, new).await?;
                let placed = Order::from(new.clone());
                if let Some(claim) = claim {
                    idempotency::store_user(conn, claim, &placed.encode_to_vec()).await?;
                }
                Ok(placed)
            })
            .await
        })
        .await
}

/// Cancels an order; one that is cancelled already stays as it is.
pub(super) async fn cancel(platform: &Platform, scope: &UserScope, order_id: i64, etag: &str) -> Result<Order, Error> {
    let now_us = platform.clock.now_us();
    let name = message::name_of(scope.user().get(), order_id);
    scope
        .fenced(async |scope| {
            let mut conn = scope.write().await?;
            conn.transaction(async |conn| {
                if store::lock_user(conn).await?.is_none() {
                    return Err(Error::NotFound(name.clone()));
                }
                let found = store::get(conn, order_id).await?;
                let mut stored = found.ok_or_else(|| Error::NotFound(name.clone()))?;
                let state = stored.row.state();
                // A repeated cancel is answered whatever its etag: it may be the retry of the one that succeeded.
                if state != OrderState::Cancelled && !message::etag_allows(etag, &stored.row) {
                    return Err(Error::EtagMismatch(name.clone()));
                }
                match order::transition(state, Event::Cancelled) {
                    Transition::To(next, _effects) => {
                        stored.row.change_to(next, now_us);
                        store::save_state(conn, &stored.row).await?;
                    }
                    Transition::Repeated => {}
                    Transition::Refused => {
                        return Err(Error::State {
                            name: name.clone(),
                            state,
                        });
                    }
                }
                Ok(stored.into())
            })
            .await
        })
        .await
}
