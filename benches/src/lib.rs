//! What the benches share: a committed corpus of realistic orders, the order as a plain serde type, which is what a
//! JSON service without protobuf would have, and shards to route to.

pub mod corpus;
pub mod json;
mod message;
pub mod shards;
