//! Every door of the gateway, over a scripted inner service.

#![expect(clippy::unwrap_used, reason = "a test that panics is a test that fails")]

mod client_stream_bounds;
mod client_streams;
mod edge;
mod grpc;
mod logs;
mod memory;
#[path = "../shared/narrow_reader.rs"]
mod narrow_reader;
mod odd_requests;
mod rest_limits;
mod rest_metadata;
mod rest_refusals;
mod rest_routes;
mod rest_streams;
mod rest_unary;
mod slow_readers;
mod sockets;
mod support;
mod unread_answers;
mod uploads;
mod wire;
