//! Schemas by server reflection and their exchange under load, over loopback sockets.

#![expect(clippy::unwrap_used, reason = "a test that panics is a test that fails")]

mod fetch;
mod hostile;
mod merge;
mod protos;
mod scripted;
mod sockets;
