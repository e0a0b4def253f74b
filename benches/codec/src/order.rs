//! An order, read and written by the codec and by all whom it is compared with. Each side goes all the way, from JSON
//! to bytes on the wire and back.

use bytes::Bytes;
use millrace_transcode::Schema;
use millrace_transcode::codec::Target;
use prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use serde::de::IgnoredAny;

use crate::json;
use crate::millrace::ordering::v1::Order;
use crate::{DESCRIPTORS, ORDER};

/// The schema of an order, for those who are told it at run time.
pub struct Contract {
    schema: Schema,
    message: MessageDescriptor,
}

/// One order, as JSON without blanks and on the wire.
pub struct Sample {
    /// Number of its lines.
    pub lines: usize,
    /// As a caller sends it.
    pub json: Vec<u8>,
    /// As a service gets it.
    pub wire: Vec<u8>,
}

impl Contract {
    /// Loads it.
    pub fn load() -> Self {
        let schema = Schema::builder().descriptors(DESCRIPTORS).build();
        let schema = schema.expect("the contract loads");
        let message = schema.pool().get_message_by_name(ORDER);
        Self {
            message: message.expect("the contract has orders"),
            schema,
        }
    }

    /// An order of the corpus, after all sides were shown to say the same of it.
    pub fn sample(&self, text: &str) -> Sample {
        let order: json::Order = serde_json::from_str(text).expect("the corpus is an order");
        let sample = Sample::of(&order);
        let message = Order::decode(sample.wire.as_slice()).ok();
        assert!(message.is_some());
        for read in [&self.codec_read(&sample.json)[..], &self.reflect_read(&sample.json)] {
            assert!(Order::decode(read).ok() == message, "all read the same");
        }
        let wire = sample.wire.as_slice();
        for written in [self.codec_write(wire), pbjson_write(wire), self.reflect_write(wire)] {
            assert!(
                Order::decode(pbjson_read(&written).as_slice()).ok() == message,
                "all write the same"
            );
        }
        sample
    }

    /// By the codec's plan.
    pub fn codec_read(&self, json: &[u8]) -> Bytes {
        let target = Target::message(&self.message);
        let read = self.schema.codec().json_to_wire(&target, json);
        read.expect("the corpus binds")
    }

    /// By the codec's plan.
    pub fn codec_write(&self, wire: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let written = self.schema.codec().wire_to_json(&self.message, None, wire, &mut out);
        written.expect("an order has a JSON form");
        out
    }

    /// Over prost-reflect's message tree.
    pub fn reflect_read(&self, json: &[u8]) -> Vec<u8> {
        let mut json = serde_json::Deserializer::from_slice(json);
        let order = DynamicMessage::deserialize(self.message.clone(), &mut json);
        order.expect("the corpus is an order").encode_to_vec()
    }

    /// Over prost-reflect's message tree.
    pub fn reflect_write(&self, wire: &[u8]) -> Vec<u8> {
        let order = DynamicMessage::decode(self.message.clone(), wire).expect("it is an order");
        serde_json::to_vec(&order).expect("an order has a JSON form")
    }
}

impl Sample {
    fn of(order: &json::Order) -> Self {
        let json = serde_json::to_vec(order).expect("an order is JSON");
        Self {
            lines: order.lines.len(),
            wire: pbjson_read(&json),
            json,
        }
    }

    /// The order of a text, with so many lines: its own, again and again.
    pub fn repeated(text: &str, lines: usize) -> Self {
        let mut order: json::Order = serde_json::from_str(text).expect("the corpus is an order");
        let own = std::mem::take(&mut order.lines);
        order.lines = own.into_iter().cycle().take(lines).collect();
        Self::of(&order)
    }
}

/// Over prost's types, with the serde that pbjson generates for them.
pub fn pbjson_read(json: &[u8]) -> Vec<u8> {
    let order: Order = serde_json::from_slice(json).expect("the corpus is an order");
    order.encode_to_vec()
}

/// Over prost's types, with the serde that pbjson generates for them.
pub fn pbjson_write(wire: &[u8]) -> Vec<u8> {
    let order = Order::decode(wire).expect("it is an order");
    serde_json::to_vec(&order).expect("an order has a JSON form")
}

/// No protobuf at all: JSON to plain structs, and to JSON again.
pub fn serde_both_ways(json: &[u8]) -> Vec<u8> {
    let order: json::Order = serde_json::from_slice(json).expect("the corpus is an order");
    serde_json::to_vec(&order).expect("an order is JSON")
}

/// No value at all: where each token ends.
pub fn tokenize(json: &[u8]) {
    let IgnoredAny = serde_json::from_slice(json).expect("the corpus is JSON");
}
