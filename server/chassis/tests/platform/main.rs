//! The chassis through its public API and over real sockets, with a service of the tests' own and embedded shards.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod doors;
mod drain;
mod layers;
mod mounting;
mod policy;
mod support;
