//! What is called: the cells of the table, each the same call for everything that can make it.

use bytes::Bytes;
use clap::ValueEnum;
use prost::Message;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::json;
use crate::messages::{self, CreateOrderRequest, GetOrderRequest, NAME, OrderEvent, PARENT, WatchOrdersRequest};

/// Messages of one stream.
pub(crate) const EVENTS: usize = 500;

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Cell {
    /// GetOrder: no body, an order of one line back.
    Get,
    /// CreateOrder with one line, there and back.
    Create1,
    /// CreateOrder with 10 lines.
    Create10,
    /// CreateOrder with 100 lines.
    Create100,
    /// WatchOrders; its unit is one message, not one call.
    Stream,
}

impl Cell {
    /// All, in the table's order.
    pub(crate) const ALL: [Self; 5] = [Self::Get, Self::Create1, Self::Create10, Self::Create100, Self::Stream];

    /// As on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Create1 => "create1",
            Self::Create10 => "create10",
            Self::Create100 => "create100",
            Self::Stream => "stream",
        }
    }

    /// Lines of the order that is sent.
    fn sent_lines(self) -> Option<usize> {
        match self {
            Self::Get | Self::Stream => None,
            Self::Create1 => Some(1),
            Self::Create10 => Some(10),
            Self::Create100 => Some(100),
        }
    }

    /// Messages of one answer.
    pub(crate) fn messages(self) -> u64 {
        if self == Self::Stream { EVENTS as u64 } else { 1 }
    }

    /// What a right answer says, as JSON: an order, or all events in a list.
    pub(crate) fn expected(self) -> Value {
        match self {
            Self::Stream => messages::events(EVENTS).iter().map(json::event).collect(),
            _ => json::order(&messages::order(self.sent_lines().unwrap_or(1))),
        }
    }

    /// Bytes of the bodies as JSON, in and out; none of a stream, whose unit is a message.
    pub(crate) fn json_bytes(self) -> Option<usize> {
        let out = || self.expected().to_string().len();
        (self != Self::Stream).then(|| self.rest().2.len() + out())
    }

    /// Method, path and body over REST.
    pub(crate) fn rest(self) -> (&'static str, String, Bytes) {
        match self.sent_lines() {
            Some(lines) => {
                let body = json::order(&messages::order(lines)).to_string();
                ("POST", format!("/v1/{PARENT}/orders"), body.into())
            }
            None if self == Self::Stream => ("GET", format!("/v1/{PARENT}/events?count={EVENTS}"), Bytes::new()),
            None => ("GET", format!("/v1/{NAME}"), Bytes::new()),
        }
    }

    /// Path and request message over gRPC.
    pub(crate) fn grpc(self) -> (&'static str, Vec<u8>) {
        let parent = PARENT.to_owned();
        match self {
            Self::Get => {
                let request = GetOrderRequest { name: NAME.to_owned() };
                ("/peers.orders.v1.OrdersService/GetOrder", request.encode_to_vec())
            }
            Self::Stream => {
                let count = i32::try_from(EVENTS).unwrap_or(i32::MAX);
                let request = WatchOrdersRequest { parent, count };
                ("/peers.orders.v1.OrdersService/WatchOrders", request.encode_to_vec())
            }
            Self::Create1 | Self::Create10 | Self::Create100 => {
                let order = self.sent_lines().map(messages::order);
                let request = CreateOrderRequest { parent, order };
                ("/peers.orders.v1.OrdersService/CreateOrder", request.encode_to_vec())
            }
        }
    }

    /// The answer's messages as JSON.
    ///
    /// # Errors
    ///
    /// A message is none of the method's type.
    pub(crate) fn decoded(self, messages: &[Bytes]) -> Result<Value, prost::DecodeError> {
        if self == Self::Stream {
            let events = messages.iter().map(|message| OrderEvent::decode(message.as_ref()));
            return events.map(|event| Ok(json::event(&event?))).collect();
        }
        let order = messages::Order::decode(messages.first().cloned().unwrap_or_default())?;
        Ok(json::order(&order))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_the_same_on_the_wire_and_as_json() {
        for cell in [Cell::Create1, Cell::Create10, Cell::Create100] {
            let (_, request) = cell.grpc();
            let order = CreateOrderRequest::decode(request.as_slice()).unwrap().order.unwrap();
            let body: Value = serde_json::from_slice(&cell.rest().2).unwrap();
            assert_eq!(json::order(&order), body);
            assert_eq!(cell.decoded(&[order.encode_to_vec().into()]).unwrap(), cell.expected());
        }
    }

    #[test]
    fn json_of_times_and_numbers_is_protobufs() {
        let order = Cell::Get.expected();
        assert_eq!(order["createTime"], "2026-11-18T11:12:00.920207Z");
        assert_eq!(order["lines"][0]["unitPrice"]["minorUnits"], "300");
        assert_eq!(order["state"], "ORDER_STATE_RESERVED");
    }
}
