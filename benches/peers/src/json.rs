//! The messages as ProtoJSON, written by hand: what every gateway has to answer, made by none of them.

use prost_types::Timestamp;
use serde_json::{Value, json};

use crate::messages::{Money, Order, OrderEvent};

/// An order as ProtoJSON.
pub(crate) fn order(order: &Order) -> Value {
    let lines = order.lines.iter().map(|line| {
        json!({
            "product": line.product,
            "quantity": line.quantity,
            "unitPrice": line.unit_price.as_ref().map(money),
            "displayName": line.display_name,
        })
    });
    json!({
        "name": order.name,
        "state": order.state().as_str_name(),
        "lines": lines.collect::<Vec<_>>(),
        "total": order.total.as_ref().map(money),
        "createTime": order.create_time.as_ref().map(time),
        "updateTime": order.update_time.as_ref().map(time),
        "etag": order.etag,
    })
}

/// An event as ProtoJSON.
pub(crate) fn event(event: &OrderEvent) -> Value {
    json!({
        "number": event.number,
        "order": event.order,
        "state": event.state().as_str_name(),
        "time": event.time.as_ref().map(time),
        "note": event.note,
    })
}

fn money(money: &Money) -> Value {
    json!({"currencyCode": money.currency_code, "minorUnits": money.minor_units.to_string()})
}

fn time(time: &Timestamp) -> Value {
    // prost-types writes RFC 3339 with as many digits as are needed, in groups of three: that is ProtoJSON's form.
    Value::String(time.to_string())
}
