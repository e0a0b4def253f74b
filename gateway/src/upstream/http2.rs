//! HTTP/2 as a client of gRPC servers needs it (RFC 9113): many calls on one connection, each a POST with metadata, a body
//! and an answer that ends in trailers. No push, no priorities, no CONNECT.
//!
//! A [`Connection`] is driven by one task, which reads and writes; a call opens its stream with [`Sender::open`], reads
//! the answer from [`Answer`] and sends a body that is not whole from [`Body`]. They meet in `state.rs`, behind a lock.
//! What a call says is made into bytes once (`hpack/encoder.rs`); what comes is copied out of the read buffer into its
//! stream's, so that what a slow reader leaves costs about its bytes, in however small frames they came.
//!
//! It is here, and not a library, for its cost: what `h2` does for a call took more than a third of what the gateway did
//! for it in all (`benches/RESULTS.md`).

mod connection;
mod error;
mod frame;
mod hpack;
mod reader;
mod state;
mod stream;

pub(super) use connection::Connection;
pub(super) use error::{Error, Reason};
use frame::{PREFACE, put_settings, put_window_update, setting};
pub(super) use hpack::Block;
use state::CONNECTION_WINDOW_BYTES;
pub(super) use stream::{Answer, Body, Pings, Sender};

/// Bytes of a frame that a server may send: fewer frames for large messages.
const PAYLOAD_BYTES_MAX: usize = 64 << 10;

/// How a connection is made.
#[derive(Debug, Clone)]
pub(super) struct Config {
    /// `:authority` of every call.
    pub(super) authority: String,
    /// Whether the transport is TLS.
    pub(super) is_tls: bool,
    /// Bytes of an answer that may be unread.
    pub(super) stream_window_bytes: u32,
    /// Bytes of headers, or of trailers, as RFC 9113, 10.5.1 counts them; a call that has more is reset.
    pub(super) header_bytes_max: u32,
}

/// By how much longer than its headers may be a header block is read, so that the bound ends one call, who hears how much
/// it was, and no other: a block that is longer ends the connection.
const BLOCK_SLACK: u32 = 16;

impl Config {
    /// Bytes of a header block.
    fn block_bytes_max(&self) -> u32 {
        self.header_bytes_max.saturating_mul(BLOCK_SLACK)
    }

    /// What a client begins with.
    fn greeting(&self) -> Vec<u8> {
        let mut out = PREFACE.to_vec();
        let settings = [
            (setting::ENABLE_PUSH, 0),
            (setting::INITIAL_WINDOW_SIZE, self.stream_window_bytes),
            (setting::MAX_FRAME_SIZE, PAYLOAD_BYTES_MAX as u32),
            (setting::MAX_HEADER_LIST_SIZE, self.block_bytes_max()),
        ];
        put_settings(&mut out, &settings);
        put_window_update(&mut out, 0, CONNECTION_WINDOW_BYTES - frame::WINDOW_DEFAULT as u32);
        out
    }
}

/// One that tests begin with.
#[cfg(test)]
pub(super) fn config() -> Config {
    Config {
        authority: "server:1".to_owned(),
        is_tls: false,
        stream_window_bytes: 64 << 10,
        header_bytes_max: 1 << 10,
    }
}

#[cfg(test)]
mod tests;
