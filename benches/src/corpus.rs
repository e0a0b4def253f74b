//! The committed orders, `corpus/order-{1,10,100}.json`, as the REST door writes them but for line breaks.
//!
//! `cargo run -p millrace-benches --example make_corpus` made them once; figures over time compare only while they
//! stay.

use crate::json;

/// One order of the corpus.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Number of the order's lines.
    pub lines: usize,
    /// The order, as committed.
    pub text: &'static str,
}

/// The orders, smallest first.
pub const SAMPLES: [Sample; 3] = [
    Sample {
        lines: 1,
        text: include_str!("../corpus/order-1.json"),
    },
    Sample {
        lines: 10,
        text: include_str!("../corpus/order-10.json"),
    },
    Sample {
        lines: 100,
        text: include_str!("../corpus/order-100.json"),
    },
];

impl Sample {
    /// Reads the order.
    ///
    /// # Errors
    ///
    /// The committed text is not an order.
    pub fn order(&self) -> serde_json::Result<json::Order> {
        serde_json::from_str(self.text)
    }
}

#[cfg(test)]
mod tests {
    use millrace_proto::ordering::v1 as proto;
    use prost::Message;
    use prost_reflect::{DescriptorPool, DynamicMessage};

    use super::*;

    #[test]
    fn each_sample_has_its_lines_and_adds_up() {
        for sample in SAMPLES {
            let order = sample.order().unwrap();
            assert_eq!(order.lines.len(), sample.lines);
            let prices = order
                .lines
                .iter()
                .map(|line| i64::from(line.quantity) * line.unit_price.minor_units);
            assert_eq!(prices.sum::<i64>(), order.total.minor_units);
        }
    }

    /// prost-reflect knows nothing of our types: it reads the same text by the descriptors.
    #[test]
    fn the_serde_type_and_the_message_say_the_same_as_the_contract() {
        let pool = DescriptorPool::decode(millrace_proto::FILE_DESCRIPTOR_SET).unwrap();
        let descriptor = pool.get_message_by_name("millrace.ordering.v1.Order").unwrap();
        for sample in SAMPLES {
            let mut reader = serde_json::Deserializer::from_str(sample.text);
            let by_contract = DynamicMessage::deserialize(descriptor.clone(), &mut reader).unwrap();
            let order = sample.order().unwrap();
            let message = proto::Order::try_from(&order).unwrap();
            assert_eq!(
                proto::Order::decode(by_contract.encode_to_vec().as_slice()).unwrap(),
                message
            );
            // Written again, nothing is lost.
            let committed: serde_json::Value = serde_json::from_str(sample.text).unwrap();
            assert_eq!(serde_json::to_value(&order).unwrap(), committed);
        }
    }
}
