//! What the codec and the routes are measured with: the order's types with pbjson's serde, the order's schema, all who
//! read and write an order, and sets of routes. A crate of its own: the types are another copy of those in
//! `millrace-proto`, which has no serde, and so little else has to be built for the figures.

#[path = "../../src/json.rs"]
pub mod json;
pub mod order;
pub mod routes;

/// As the generated code names its packages.
pub mod millrace {
    /// `millrace.type`
    pub mod r#type {
        /// `millrace.type.v1`
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/millrace.r#type.v1.rs"));
            include!(concat!(env!("OUT_DIR"), "/millrace.r#type.v1.serde.rs"));
        }
    }
    /// `millrace.ordering`
    pub mod ordering {
        /// `millrace.ordering.v1`
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/millrace.ordering.v1.rs"));
            include!(concat!(env!("OUT_DIR"), "/millrace.ordering.v1.serde.rs"));
        }
    }
}

/// The schema of the same, as a `FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.binpb"));

/// The full name of an order.
pub const ORDER: &str = "millrace.ordering.v1.Order";

/// The corpus of `benches/corpus`, by number of lines; without the blanks that make it readable.
pub const CORPUS: [(usize, &str); 3] = [
    (1, include_str!("../../corpus/order-1.json")),
    (10, include_str!("../../corpus/order-10.json")),
    (100, include_str!("../../corpus/order-100.json")),
];
