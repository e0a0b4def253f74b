//! The edge: what every call passes on its way to a door, whichever door it is. `stack`, below, is the list, in order;
//! each layer is a file of its own beside it. What the gateway refuses by itself passes the same layers.

use std::sync::Arc;

use tower::ServiceBuilder;
use tower::util::BoxCloneSyncService;

use crate::door::Doors;
use crate::gateway::{Gateway, HttpService};

mod catch_panic;
mod cors;
mod forwarding;
mod head;
mod headers;
mod host;
mod metrics;
mod request_id;
mod trace;

pub use crate::call::{CallRecord, OTHER_METHOD, code_name};
pub(crate) use cors::BUILTIN_METHODS;
pub use cors::{CorsPolicy, check_origin};
pub use forwarding::{Forwarding, Network, NetworkError};
pub(crate) use head::check as check_head;
#[cfg(feature = "standalone")]
pub(crate) use headers::is_reserved_by_grpc;
pub use host::HostPolicy;
pub(crate) use host::{every_name, is_loopback_authority, is_port};
pub use metrics::Metrics;
pub use request_id::RequestId;

/// Draws a new id: a function, because randomness is the caller's.
pub type NewId = Arc<dyn Fn() -> String + Send + Sync>;

/// Answers paths that no route binds: `/`, `/health`, `/openapi.json`.
pub trait Builtin: Send + Sync {
    /// The answer, or `None` if the path is not one of these. HEAD comes as it is; its body is cut off outside.
    fn get(&self, request: &http::request::Parts) -> Option<http::Response<bytes::Bytes>>;
}

/// No built-in path at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoBuiltin;

impl Builtin for NoBuiltin {
    fn get(&self, _: &http::request::Parts) -> Option<http::Response<bytes::Bytes>> {
        None
    }
}

/// What the edge needs from outside.
#[derive(Clone)]
pub struct Edge {
    /// Draws request ids and trace ids.
    pub request_id: NewId,
    /// Where calls are measured.
    pub metrics: Metrics,
    /// Whose pages may read answers.
    pub cors: CorsPolicy,
    /// Under which host names the server answers.
    pub hosts: HostPolicy,
    /// Paths besides the routes.
    pub builtin: Arc<dyn Builtin>,
}

/// Whether only a trusted hop may set a header (its name in lower case).
pub(crate) fn is_of_trusted_hops(name: &str) -> bool {
    headers::is_untrusted(name) || forwarding::is_forwarding(name)
}

/// The edge layers around the doors, outermost first.
pub(crate) fn stack(edge: &Edge, gateway: &Gateway, doors: Doors) -> HttpService {
    let answers = gateway.answers();
    BoxCloneSyncService::new(
        ServiceBuilder::new()
            // First, so that everything below, refusals included, has an id to name and to echo.
            .layer(request_id::RequestIdLayer::new(edge.request_id.clone()))
            // Opens the call's record and span, and writes its one log line; outside all that can end a call.
            .layer(trace::TraceLayer::new(
                edge.request_id.clone(),
                gateway.error_domain().clone(),
            ))
            // Counts what the log line says, so that a call is in both or in neither.
            .layer(metrics::MetricsLayer::new(edge.metrics.clone()))
            // Inside the two above, so that a panic is logged and counted as INTERNAL.
            .layer(catch_panic::CatchPanicLayer::new(answers.clone()))
            // A head that two readers may take for two things is taken for none.
            .layer(head::HeadLayer::new(answers.clone()))
            // Before anything looks at the request: a page under a foreign name (DNS rebinding) learns nothing, CORS
            // included.
            .layer(host::HostLayer::new(edge.hosts, answers))
            // Answers preflights, which carry no credential and no content type by which a door could be told.
            .layer(cors::CorsLayer::new(&edge.cors, gateway.clone(), edge.builtin.clone()))
            // Last, so that no door ever sees a header that only a trusted hop may set.
            .layer(headers::HeadersLayer::new(gateway.forwarding().clone()))
            .service(doors),
    )
}
