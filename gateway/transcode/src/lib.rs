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
//! `load`, `rule` and `template` are load-time; `openapi` describes the routes; `reason` and `options` read what the schema
//! declares about errors and methods, by full name.

pub mod bind;
pub mod codec;
mod edition;
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
mod route;
mod rule;
mod schema;
mod settings;
pub mod status;
mod suggest;
pub mod template;

pub use bind::{BindError, HeaderFields};
pub use codec::{Position, RenderError};
pub use load::{LoadError, SchemaBuilder};
pub use matched::Matched;
pub use method::Method;
pub use reason::ReasonInfo;
pub use renderer::Renderer;
pub use rule::{Body, HttpRule, Route};
pub use schema::{RouteError, Schema};
pub use settings::{Options, PathDecoding, RouteOptions, RouteSettings};
pub use suggest::nearest;
