//! What a call through the gateway allocates above one through a plain server or proxy on hyper, counted. The counting
//! allocator is the binary's, which is why this is one of its own.

#![expect(clippy::unwrap_used, reason = "a test that panics is a test that fails")]

mod backend;
mod caller;
mod in_process;
mod plain;
mod proxied;
