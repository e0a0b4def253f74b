//! gRPC/JSON transcoding from descriptors, and nothing else: no I/O, no async, no clock, no service of ours.
//!
//! A [`Schema`] is loaded once from descriptor bytes. A request then goes through it in this order:
//!
//! 1. `route` finds the [`Route`] for method and raw path ([`Schema::find`] → [`Matched`]);
//! 2. `bind` makes the request message from path, query, headers and body ([`Matched::bind`]), the body through the
//!    [`codec`] seam;
//! 3. whoever owns the transport calls the RPC;
//! 4. [`Matched::render`] writes each answer as JSON, or [`status`] writes the failure.
//!
//! ```
//! use millrace_transcode::{HeaderFields, Schema};
//! # let mut compiler = protox::Compiler::new(["src/fixture", "../../proto"])?;
//! # let library = compiler.include_imports(true).open_file("shapes.proto")?.encode_file_descriptor_set();
//!
//! // `library` is an encoded FileDescriptorSet: `protoc --include_imports --descriptor_set_out=library.binpb ...`
//! let schema = Schema::builder().descriptors(&library).build()?;
//!
//! let matched = schema.find("GET", "/v1/shelves/7")?;
//! assert_eq!(matched.method().grpc_path(), "/shapes.v1.Library/GetShelf");
//! let request = matched.bind(Some("view=full"), b"", &HeaderFields::default())?;
//! assert_eq!(&request[..], b"\x08\x07\x12\x04full");
//!
//! // The answer of the RPC, without its frame.
//! let mut json = Vec::new();
//! matched.render(b"\x08\x07\x12\x06horror", &mut json)?;
//! assert_eq!(json, br#"{"id":"7","theme":"horror","kind":"KIND_UNSPECIFIED"}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! How strict all that is, and how answers look, is [`Options`], for all routes or for some ([`RouteOptions`]);
//! [`Compat`] has profiles for those who come from another gateway. [`Schema::report`] says what may be wrong with
//! routes that load, [`Schema::explain`] why a request is answered as it is.
//!
//! `load`, `rule` and `template` are load-time; `openapi` describes the routes; `reason` and `options` read what the
//! schema declares about errors and methods, by full name.

#![deny(missing_docs)]

mod alias;
pub mod bind;
mod binder;
#[cfg(test)]
mod cases;
pub mod codec;
mod compat;
pub mod echo;
mod edition;
mod event_id;
pub mod explain;
#[cfg(test)]
mod fixture;
mod load;
mod matched;
mod method;
pub mod openapi;
mod options;
mod percent;
mod pretty;
mod query;
mod reason;
mod renderer;
pub mod report;
mod route;
mod rule;
mod schema;
mod settings;
pub mod status;
mod suggest;
pub mod template;

pub use alias::Alias;
pub use bind::{BindError, BindReason, HeaderFields};
pub use binder::Binder;
pub use codec::{Position, RenderError};
pub use compat::Compat;
pub use explain::Explanation;
pub use load::{LoadError, SchemaBuilder};
pub use matched::Matched;
pub use method::Method;
pub use reason::ReasonInfo;
pub use renderer::Renderer;
pub use report::Report;
pub use rule::{Body, HttpRule, Route};
pub use schema::{RouteError, Schema};
pub use settings::{FieldStatus, Options, PathDecoding, RouteOptions, RouteSettings};
pub use suggest::{nearest, nearest_name};
