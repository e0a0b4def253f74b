//! A gRPC/JSON transcoding gateway for any gRPC service, as a tower service: HTTP in, the inner gRPC service inside.
//!
//! A request passes the layers of [`edge`], then one of the doors ([`Door`]): gRPC and gRPC-Web stream through
//! untouched, REST goes through the phases of `rest.rs`, each a type. What a route is, how JSON becomes a message and
//! which HTTP status an error has is decided in `millrace-transcode`; this crate does the I/O. It knows no service:
//! everything comes from the descriptors it is given. [`serve`](mod@serve) is the accept loop for it, [`admin`] the
//! second listener, for metrics and probes.
//!
//! ```no_run
//! # fn example(descriptors: &[u8], inner: millrace_gateway::GrpcService, edge: millrace_gateway::edge::Edge)
//! # -> Result<millrace_gateway::HttpService, millrace_gateway::LoadError> {
//! let gateway = millrace_gateway::Gateway::builder().descriptors(descriptors).build()?;
//! let service = gateway.serve(inner, edge);
//! # Ok(service)
//! # }
//! ```
//!
//! `examples/embedded.rs` is a whole server: a tonic service, its REST door and the accept loop.

#![deny(missing_docs)]

pub mod admin;
pub mod drain;
pub mod edge;
pub mod heartbeat;
pub mod panics;
pub mod probes;
#[cfg(feature = "standalone")]
pub mod reflection;
#[cfg(feature = "standalone")]
pub mod reload;
pub mod serve;
pub mod signals;
#[cfg(feature = "standalone")]
pub mod standalone;
#[cfg(feature = "standalone")]
pub mod upstream;

mod accept;
mod answer;
mod body;
mod call;
#[cfg(feature = "standalone")]
mod causes;
#[cfg(feature = "standalone")]
mod clocks;
mod deadline;
mod door;
mod error;
mod frame;
mod gateway;
mod guard;
mod inner;
mod metadata;
#[cfg(feature = "standalone")]
mod pem;
mod reply;
mod rest;
mod stream;
mod unary;
mod upload;
mod web;

pub use body::{BoxError, HttpRequest, HttpResponse, RequestBody, ResponseBody};
pub use deadline::parse_grpc as parse_grpc_timeout;
pub use door::Door;
pub use gateway::{BODY_BYTES_MAX, Builder, Gateway, GrpcService, HttpService};
pub use metadata::HeaderNames;
pub use millrace_transcode as transcode;
pub use millrace_transcode::{LoadError, Schema};
