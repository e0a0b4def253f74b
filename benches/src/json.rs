//! An order as a serde type, field by field the `millrace.ordering.v1.Order` of the contract in ProtoJSON.
//!
//! It gives JSON every advantage: typed, without a message tree, and with times left as text. `benches/codec` has this
//! file too, as it shall not need the platform.

use serde::{Deserialize, Serialize};

/// What one user ordered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "the contract documents each field")]
pub struct Order {
    pub name: String,
    pub state: OrderState,
    pub lines: Vec<OrderLine>,
    pub total: Money,
    pub create_time: String,
    pub update_time: String,
    pub etag: String,
    pub events: Vec<OrderEvent>,
}

/// A number of pieces of one product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "the contract documents each field")]
pub struct OrderLine {
    pub product: String,
    pub quantity: i32,
    pub unit_price: Money,
    pub display_name: String,
}

/// One change of one order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "the contract documents each field")]
pub struct OrderEvent {
    pub number: i32,
    pub order: String,
    pub state: OrderState,
    pub time: String,
}

/// An amount in one currency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "the contract documents each field")]
pub struct Money {
    pub currency_code: String,
    #[serde(with = "int64")]
    pub minor_units: i64,
}

/// Where an order stands: the states that occur in the corpus.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the contract documents each state")]
pub enum OrderState {
    #[serde(rename = "ORDER_STATE_PLACED")]
    Placed = 1,
    #[serde(rename = "ORDER_STATE_AUTHORIZED")]
    Authorized = 2,
    #[serde(rename = "ORDER_STATE_RESERVED")]
    Reserved = 3,
    #[serde(rename = "ORDER_STATE_CAPTURED")]
    Captured = 4,
    #[serde(rename = "ORDER_STATE_COMPLETED")]
    Completed = 5,
}

/// ProtoJSON writes 64-bit integers as strings.
mod int64 {
    use std::borrow::Cow;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(number: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        // Borrowed where the text has no escape, so that nothing is allocated.
        #[derive(Deserialize)]
        struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
        let Text(text) = Text::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}
