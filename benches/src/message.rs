//! An order of JSON as the contract's message.

use millrace_proto::ordering::v1 as proto;
use millrace_proto::r#type::v1 as money;

use crate::json::{Money, Order, OrderEvent, OrderLine};

/// An order that is no message.
#[derive(Debug, thiserror::Error)]
#[error("time {text:?}")]
pub struct TimeError {
    text: String,
    source: prost_types::TimestampError,
}

impl TryFrom<&Order> for proto::Order {
    type Error = TimeError;

    fn try_from(order: &Order) -> Result<Self, TimeError> {
        let line = |line: &OrderLine| proto::OrderLine {
            product: line.product.clone(),
            quantity: line.quantity,
            unit_price: Some(amount(&line.unit_price)),
            display_name: line.display_name.clone(),
        };
        Ok(Self {
            name: order.name.clone(),
            state: order.state as i32,
            lines: order.lines.iter().map(line).collect(),
            total: Some(amount(&order.total)),
            create_time: Some(time(&order.create_time)?),
            update_time: Some(time(&order.update_time)?),
            etag: order.etag.clone(),
            events: order.events.iter().map(event).collect::<Result<_, _>>()?,
        })
    }
}

fn event(event: &OrderEvent) -> Result<proto::OrderEvent, TimeError> {
    Ok(proto::OrderEvent {
        number: event.number,
        order: event.order.clone(),
        state: event.state as i32,
        time: Some(time(&event.time)?),
    })
}

fn amount(amount: &Money) -> money::Money {
    money::Money {
        currency_code: amount.currency_code.clone(),
        minor_units: amount.minor_units,
    }
}

fn time(text: &str) -> Result<prost_types::Timestamp, TimeError> {
    text.parse().map_err(|source| TimeError {
        text: text.to_owned(),
        source,
    })
}
