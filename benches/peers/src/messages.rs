//! The order service's generated code, its descriptor sets, and the orders and events that are sent through everything.

use prost_types::Timestamp;

/// Generated from `proto/peers/orders/v1/orders.proto`.
#[expect(unreachable_pub, reason = "generated")]
mod generated {
    tonic::include_proto!("peers.orders.v1");
}

pub(crate) use generated::*;

/// The service alone.
pub(crate) const ORDERS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/orders.binpb"));
/// Ten services.
pub(crate) const TEN_SERVICES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/ten.binpb"));

/// Whose orders they are.
pub(crate) const PARENT: &str = "users/2612804094800205616";
/// The order that is read.
pub(crate) const NAME: &str = "users/2612804094800205616/orders/859827825691651782";

/// What the shop sells.
const TITLES: [&str; 7] = [
    "Jolie Pêche Fleece Vest, Natural, Size M",
    "Espresso Cups, Set of 4",
    "Notebook \"Field\", Dotted, A5",
    "Rain Jacket, Moss Green, Size L",
    "Wool Socks, 2 Pairs",
    "Desk Lamp with Clamp, Brass",
    "Café Filter Papers, 100",
];

/// An order of so many lines, with every field set: what prints defaults and what does not say the same of it.
pub(crate) fn order(lines: usize) -> Order {
    let line = |index: usize| OrderLine {
        product: format!("products/item-{index:03}-ip64un"),
        quantity: 1 + i32::try_from(index % 9).unwrap_or_default(),
        unit_price: Some(money(300 + 17 * index)),
        display_name: TITLES[index % TITLES.len()].to_owned(),
    };
    Order {
        name: NAME.to_owned(),
        state: OrderState::Reserved.into(),
        lines: (0..lines).map(line).collect(),
        total: Some(money(lines * 1_234)),
        create_time: Some(time(0)),
        update_time: Some(time(14)),
        etag: "wrpxfvku23adu91g".to_owned(),
    }
}

/// Events, numbered from 1, of about 200 bytes each on the wire.
pub(crate) fn events(count: usize) -> Vec<OrderEvent> {
    let event = |index: usize| OrderEvent {
        number: i32::try_from(index + 1).unwrap_or(i32::MAX),
        order: NAME.to_owned(),
        state: OrderState::Placed.into(),
        time: Some(time(i64::try_from(index).unwrap_or_default())),
        note:
            "left the warehouse in Łódź with the carrier of the morning, signed by the person at the gate, two parcels"
                .to_owned(),
    };
    (0..count).map(event).collect()
}

fn money(minor_units: usize) -> Money {
    Money {
        currency_code: "EUR".to_owned(),
        minor_units: i64::try_from(minor_units).unwrap_or_default(),
    }
}

fn time(second: i64) -> Timestamp {
    Timestamp {
        seconds: 1_795_000_320 + second,
        nanos: 920_207_000,
    }
}
