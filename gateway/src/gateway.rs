//! The gateway: loaded descriptors and settings, from which services are made.

mod builder;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use millrace_transcode::{Alias, Matched, Schema};
use tower::Service;
use tower::util::BoxCloneSyncService;

use crate::answer::Answers;
use crate::body::{HttpRequest, HttpResponse};
use crate::call::CallRecord;
use crate::door::Doors;
use crate::edge::{self, Edge, Forwarding};
#[cfg(feature = "standalone")]
use crate::inner::Calls;
use crate::inner::Inner;
use crate::metadata::{AllowList, HeaderNames};
use crate::rest::{Memory, Rest};
use crate::serve::RemoteAddress;
use crate::upload::Uploads;
#[cfg(feature = "standalone")]
use crate::upstream::Table;
pub use builder::{BODY_BYTES_MAX, Builder};

/// A gRPC service over HTTP messages, boxed: tonic's routes in process, or a channel to an upstream.
pub type GrpcService =
    BoxCloneSyncService<http::Request<tonic::body::Body>, http::Response<tonic::body::Body>, Infallible>;

/// What is served on a port. It is always ready; what takes time is in its calls. A clone shares it: there is one for
/// each call.
#[derive(Clone)]
pub struct HttpService {
    answering: Arc<dyn Answering>,
}

/// What is inside of an [`HttpService`].
pub(crate) trait Answering: Send + Sync {
    /// Answers a call that came from there, whatever happens.
    fn answer(self: Arc<Self>, request: HttpRequest, remote: Option<&RemoteAddress>) -> Answer;
}

impl<F: Fn(HttpRequest) -> Answer + Send + Sync> Answering for F {
    fn answer(self: Arc<Self>, mut request: HttpRequest, remote: Option<&RemoteAddress>) -> Answer {
        if let Some(remote) = remote {
            request.extensions_mut().insert(remote.clone());
        }
        self(request)
    }
}

/// The answer to a call, on its way.
pub(crate) type Answer = BoxFuture<'static, Result<HttpResponse, Infallible>>;

impl HttpService {
    /// Calls are answered by a function: for a listener or a test with doors of its own.
    pub fn from_fn<F, A>(answer: F) -> Self
    where
        F: Fn(HttpRequest) -> A + Send + Sync + 'static,
        A: Future<Output = HttpResponse> + Send + 'static,
    {
        Self::new(move |request| -> Answer {
            let answer = answer(request);
            Box::pin(async { Ok(answer.await) })
        })
    }

    pub(crate) fn new(answering: impl Answering + 'static) -> Self {
        Self {
            answering: Arc::new(answering),
        }
    }

    /// Answers a call that came over a connection from there: given beside the request, since its extensions would be made
    /// for that alone.
    pub(crate) fn answer(&self, request: HttpRequest, remote: Option<&RemoteAddress>) -> Answer {
        self.answering.clone().answer(request, remote)
    }
}

impl Service<HttpRequest> for HttpService {
    type Response = HttpResponse;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<HttpResponse, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest) -> Self::Future {
        let remote = request.extensions().get().cloned();
        self.answer(request, remote.as_ref())
    }
}

impl std::fmt::Debug for HttpService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpService").finish_non_exhaustive()
    }
}

/// A gateway for one schema; cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
}

struct Shared {
    schema: Arc<Schema>,
    uri_bytes_max: usize,
    /// Every RPC by its full name: the name as logs share it, and the path inwards.
    rpcs: HashMap<Arc<str>, Uri>,
    /// The same for each route, in their order.
    of_routes: Vec<(Arc<str>, Uri)>,
    request_headers: Arc<AllowList>,
    header_names: HeaderNames,
    www_authenticate: HeaderValue,
    error_domain: Arc<str>,
    body_bytes_max: usize,
    body_memory: Memory,
    answer_memory: Memory,
    uploads: Uploads,
    deadline_max: Duration,
    alias: Option<AliasOf>,
    stream_silence_max: Duration,
    response_trailers: Vec<HeaderName>,
    forwarding: Forwarding,
}

/// Which alias a caller may use in paths, from the headers of its request.
type AliasOf = Arc<dyn Fn(&HeaderMap) -> Option<Alias> + Send + Sync>;

impl Gateway {
    /// Starts with no descriptors.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The loaded descriptors and routes.
    pub fn schema(&self) -> &Schema {
        &self.shared.schema
    }

    pub(crate) fn uri_bytes_max(&self) -> usize {
        self.shared.uri_bytes_max
    }

    /// The doors (REST, gRPC-Web, gRPC) around the inner service, with the edge layers outside; see [`edge`].
    pub fn serve(&self, inner: GrpcService, edge: Edge) -> HttpService {
        self.serve_inner(Inner::new(inner, self.uploads().clone()), edge)
    }

    /// What [`Gateway::serve`] gives, around upstreams, which are called as they are: a tower service around them would cost
    /// each call more.
    #[cfg(feature = "standalone")]
    pub fn serve_upstreams(&self, upstreams: &Table, edge: Edge) -> HttpService {
        self.serve_calls(upstreams.calls_but(|_| None), edge)
    }

    /// The same around what is no tower service.
    #[cfg(feature = "standalone")]
    pub(crate) fn serve_calls(&self, calls: impl Calls + 'static, edge: Edge) -> HttpService {
        self.serve_inner(Inner::direct(Arc::new(calls), self.uploads().clone()), edge)
    }

    fn serve_inner(&self, inner: Inner, edge: Edge) -> HttpService {
        let rest = Rest::new(self.clone(), inner.clone(), edge.builtin.clone());
        let doors = Doors::new(self.clone(), inner, rest);
        HttpService::new(edge::Layers::new(edge, self, doors))
    }

    pub(crate) fn shared_schema(&self) -> &Arc<Schema> {
        &self.shared.schema
    }

    pub(crate) fn answers(&self) -> Answers {
        let shared = &self.shared;
        Answers::new(
            shared.schema.clone(),
            shared.www_authenticate.clone(),
            shared.error_domain.clone(),
        )
    }

    /// The domain of the gateway's own reasons.
    pub(crate) fn error_domain(&self) -> &Arc<str> {
        &self.shared.error_domain
    }

    pub(crate) fn request_headers(&self) -> &Arc<AllowList> {
        &self.shared.request_headers
    }

    /// What metadata of answers is called over REST.
    pub(crate) fn header_names(&self) -> HeaderNames {
        self.shared.header_names
    }

    pub(crate) fn body_bytes_max(&self) -> usize {
        self.shared.body_bytes_max
    }

    pub(crate) fn body_memory(&self) -> &Memory {
        &self.shared.body_memory
    }

    pub(crate) fn answer_memory(&self) -> &Memory {
        &self.shared.answer_memory
    }

    pub(crate) fn uploads(&self) -> &Uploads {
        &self.shared.uploads
    }

    pub(crate) fn deadline_max(&self) -> Duration {
        self.shared.deadline_max
    }

    /// Which alias a request's path may have.
    pub(crate) fn alias(&self, headers: &HeaderMap) -> Option<Alias> {
        self.shared.alias.as_ref()?(headers)
    }

    /// Names of trailers that any stream may end with, as they are outside.
    pub(crate) fn response_trailers(&self) -> &[HeaderName] {
        &self.shared.response_trailers
    }

    pub(crate) fn forwarding(&self) -> &Forwarding {
        &self.shared.forwarding
    }

    pub(crate) fn stream_silence_max(&self) -> Duration {
        self.shared.stream_silence_max
    }

    /// Whether the schema knows the path `/pkg.Service/Method`.
    pub(crate) fn knows_rpc(&self, grpc_path: &str) -> bool {
        let name = grpc_path.strip_prefix('/');
        name.is_some_and(|name| self.shared.rpcs.contains_key(name))
    }

    /// Writes the name of a route's RPC into the record; returns the path inwards. The route is of this schema.
    pub(crate) fn name_route(&self, route: &Matched<'_>, record: &CallRecord) -> &Uri {
        let (name, uri) = &self.shared.of_routes[route.index()];
        record.set_rpc_method(name.clone());
        uri
    }

    /// Writes the RPC's name into the record, if the schema knows the path `/pkg.Service/Method`.
    pub(crate) fn name_call(&self, grpc_path: &str, record: &CallRecord) {
        let name = grpc_path.strip_prefix('/');
        if let Some((name, _)) = name.and_then(|name| self.shared.rpcs.get_key_value(name)) {
            record.set_rpc_method(name.clone());
        }
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway")
            .field("rpcs", &self.shared.rpcs.len())
            .finish_non_exhaustive()
    }
}
