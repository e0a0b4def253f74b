//! Header compression (RFC 7541). Both sides are as small as calls to gRPC servers allow: what is sent is mostly literal
//! (`encoder.rs`), what comes is anything that the specification allows (`decoder.rs`).

mod decoder;
mod encoder;
mod huffman;
mod table;

pub(super) use decoder::{Decoder, Fields};
pub(in crate::upstream) use encoder::Block;
pub(super) use encoder::Encoder;

/// Bytes of a table unless its owner says another number.
const TABLE_BYTES_DEFAULT: usize = 4_096;

/// What a table and a list count for a field beside its name and value (RFC 7541, 4.1; RFC 9113, 10.5.1).
const FIELD_OVERHEAD_BYTES: usize = 32;
