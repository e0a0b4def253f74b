//! Schemas by server reflection and their exchange under load, over loopback sockets.

#![expect(clippy::unwrap_used, reason = "a test that panics is a test that fails")]

mod compare;
mod fetch;
mod hostile;
mod merge;
mod protos;
mod refresh;
mod scripted;
mod sockets;
mod stage;
mod swap;
