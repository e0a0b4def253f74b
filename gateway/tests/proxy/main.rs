//! The gateway before gRPC servers on sockets: calls over HTTP, as callers make them, to servers that work, vanish,
//! hang and lie.

#![expect(clippy::unwrap_used, reason = "a test that panics is a test that fails")]

mod calls;
mod cuts;
mod front;
mod goaway;
mod half_close;
mod load;
#[path = "../shared/narrow_reader.rs"]
mod narrow_reader;
mod odd_answers;
mod outages;
mod places;
mod raw;
mod shop;
mod short_messages;
mod tls;
mod windows;
