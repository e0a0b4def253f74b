//! The edge: what every call passes on its way to a door, whichever door it is. `Layers`, below, is the list, in order;
//! each layer is a file of its own beside it. What the gateway refuses by itself passes the same layers.

use std::fmt;
use std::sync::Arc;

use http::{HeaderValue, Version, header};
use tracing::Instrument;

use crate::answer::{Answers, Shape};
use crate::body::{HttpRequest, HttpResponse};
use crate::call::{Added, X_REQUEST_ID};
use crate::door::Doors;
use crate::error::Failure;
use crate::gateway::{Answer, Answering, Gateway};
use crate::metadata::AllowList;
use crate::serve::RemoteAddress;
use catch_panic::Catching;

mod catch_panic;
mod claims;
mod cors;
mod forwarding;
mod head;
mod headers;
mod host;
mod metrics;
mod names;
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
pub(crate) use names::{Names, is_of_trusted_hops};
pub use request_id::{hex_id, write_hex_id};

/// Draws a new id and writes it, as [`write_hex_id`] does: a function, because randomness is the caller's. Each time it is
/// to be another text, and not an empty one: the trace id of a call without a trace is made of it.
///
/// # Errors
/// Those of what is written to. A call whose id fails, or is no value of a header, has none.
pub type NewId = Arc<dyn Fn(&mut dyn fmt::Write) -> fmt::Result + Send + Sync>;

/// Answers paths that no route binds: `/`, `/health`, `/openapi.json`.
pub trait Builtin: Send + Sync {
    /// The answer, or `None` if the path is not one of these. HEAD comes as it is; its body is cut off outside. The request
    /// says of its call what one to an inner service does: its id among the headers, its [`CallRecord`] and the
    /// [`RemoteAddress`] among the extensions.
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

/// The edge layers around the doors. They are one service with one future, and not a tower of them: each layer more
/// would be one more clone, and one more box, of every call.
pub(crate) struct Layers {
    edge: Edge,
    answers: Answers,
    error_domain: Arc<str>,
    forwarding: Forwarding,
    listed: Arc<AllowList>,
    cors: Option<cors::Rules>,
    doors: Doors,
}

impl Layers {
    pub(crate) fn new(edge: Edge, gateway: &Gateway, doors: Doors) -> Self {
        Self {
            answers: gateway.answers(),
            error_domain: gateway.error_domain().clone(),
            forwarding: gateway.forwarding().clone(),
            listed: gateway.request_headers().clone(),
            cors: cors::Rules::new(&edge.cors, gateway, &edge.builtin),
            edge,
            doors,
        }
    }

    /// The call's record, and its id.
    fn opened(
        &self,
        request: &mut HttpRequest,
        names: Names,
        remote: Option<&RemoteAddress>,
    ) -> (Arc<CallRecord>, Option<HeaderValue>) {
        let sent = request_id::taken_over(request.headers_mut(), names);
        let traced = trace::taken_over(request.headers_mut(), names);
        let mut added = Added {
            request_id: false,
            traceparent: traced.is_none(),
            forwarded_for: self.forwarding.added(remote, names),
            remote: remote.cloned(),
        };
        let (id, traceparent) = match (sent, traced) {
            (Some(sent), Some(traced)) => (Some(sent), traced),
            (sent, traced) => {
                // For a trace alone too: of a caller's id every call that has it would have the same trace.
                let (drawn, made) = request_id::drawn(&self.edge.request_id);
                added.request_id = sent.is_none() && drawn.is_some();
                (sent.or(drawn), traced.unwrap_or(made))
            }
        };
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let said = id.clone().unwrap_or(HeaderValue::from_static(""));
        let domain = Some(self.error_domain.clone());
        let record = CallRecord::opened(said, traceparent, method, uri, domain, added);
        (record, id)
    }

    /// The layers that refuse, and the doors.
    async fn answer_inside(
        &self,
        request: &mut HttpRequest,
        mut names: Names,
        shape: Shape,
        record: &Arc<CallRecord>,
    ) -> HttpResponse {
        // Head: one that two readers may take for two things is taken for none.
        let has_host = names.have(Names::HOST) || request.version() != Version::HTTP_11;
        if (!has_host || names.have(Names::REPEATED | Names::TRANSFER_ENCODING))
            && let Err(refusal) = head::check(request)
        {
            // HTTP asks for its own status here, whoever calls; over HTTP/2 gRPC reads only its own.
            let shape = if request.version() < Version::HTTP_2 {
                Shape::of_rest(request, names)
            } else {
                shape
            };
            return self.answers.answer(&shape, &refusal, record);
        }
        // Host: before anything looks at the request: a page under a foreign name (DNS rebinding) learns nothing, CORS
        // included.
        if !self.edge.hosts.allows(request) {
            return self.answers.answer(&shape, &Failure::host_not_allowed(), record);
        }
        // CORS: answers preflights, which carry no credential and no content type by which a door could be told.
        if let Some(cors) = &self.cors
            && names.have(Names::ORIGIN)
            && cors::is_preflight(request)
        {
            return cors.preflight(request, names, record);
        }
        let origin = names
            .have(Names::ORIGIN)
            .then(|| request.headers().get(header::ORIGIN).cloned());
        // Headers: last, so that no door ever sees a header that only a trusted hop may set.
        headers::apply(
            request.headers_mut(),
            names,
            &self.forwarding,
            &self.listed,
            record.remote_address(),
        );
        if names.have(Names::CONNECTION) {
            // What it named is there no more.
            names = Names::of(request.headers());
        }
        let mut response = self.doors.answer(request, names, shape, record).await;
        cors::open_to(self.cors.as_ref(), origin.flatten(), response.headers_mut());
        response
    }
}

impl Answering for Layers {
    /// The layers, outermost first.
    fn answer(self: Arc<Self>, mut request: HttpRequest, remote: Option<&RemoteAddress>) -> Answer {
        // Names: what is not there need not be looked for below.
        let names = Names::of(request.headers());
        // Request id and trace: first, so that everything below, refusals included, has an id to name and to echo. What
        // ends with the call is in `ended`, outside all that can end it: its one log line, and its one measurement, so
        // that a call is in both or in neither.
        let (record, id) = self.opened(&mut request, names, remote);
        let ended = Ended::new(record.clone(), self.edge.metrics.clone());
        let span = trace::span(&record);
        let of_body = span.clone();
        let shape = Shape::of(&request, names);
        // Room comes before the future that is written there, and no wrapper after it: else it is moved, and it is large.
        let room = Box::new_uninit();
        let call = async move {
            // Catch-panic: inside the two above, so that a panic is logged and counted as INTERNAL.
            let answered =
                Catching::new(self.answer_inside(&mut request, names, shape, &record).instrument(span)).await;
            let mut response = answered.unwrap_or_else(|| {
                of_body.in_scope(|| {
                    catch_panic::log(&record);
                    self.answers.answer(&shape, &Failure::panicked(), &record)
                })
            });
            record.set_http_status(response.status().as_u16());
            if let Some(id) = id {
                response.headers_mut().insert(X_REQUEST_ID, id);
            }
            response.body_mut().within(of_body);
            response.body_mut().end_with(ended);
            Ok(response)
        };
        let answer = Box::write(room, call);
        Box::into_pin(answer)
    }
}

/// The end of a call, when it is dropped: that of its body, or the moment in which the caller went away.
pub(crate) struct Ended {
    record: Arc<CallRecord>,
    metrics: Metrics,
}

impl Ended {
    fn new(record: Arc<CallRecord>, metrics: Metrics) -> Self {
        Self { record, metrics }
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        let took = self.record.elapsed();
        self.metrics.observe(&self.record, took);
        trace::log(&self.record, took.as_micros() as f64 / 1_000.0);
    }
}
