//! The inner layers, which see gRPC and are the same for every door. `Layers::call` is the whole stack: one list, in
//! order. The outer layers, which see HTTP, are the gateway's `edge`.

mod arrival;
mod authentication;
mod catch_panic;
mod concurrency;
mod current;
mod deadline;
mod frame;
mod message_limit;
mod policy;
mod refusal;
mod reply;
mod revocation;
mod rules;

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Extensions, HeaderMap, Request, Response};
use millrace_gateway::edge::CallRecord;
use tokio::sync::watch;
use tonic::Status;
use tonic::body::Body;
use tower::{Service, ServiceExt};

use crate::caller::Caller;
use crate::module::GrpcService;
use crate::status;

pub(crate) use authentication::{Authentication, KEY_HEADER, me};
pub(crate) use concurrency::{Admitted, Concurrency};
pub(crate) use current::Current;
pub use deadline::Deadline;
#[cfg(test)]
pub(crate) use deadline::with_deadline;
pub(crate) use deadline::{Deadlines, GRPC_TIMEOUT, asked as timeout_asked, text as timeout_text};
pub(crate) use policy::{Place, Policy};
pub use rules::RuleError;
pub(crate) use rules::Rules;

/// The stack as a gRPC service; cheap to clone.
#[derive(Clone)]
pub(crate) struct Stack(pub(crate) Arc<Layers>);

/// What the layers need, one field for each.
pub(crate) struct Layers {
    pub(crate) rules: Rules,
    pub(crate) deadlines: Deadlines,
    pub(crate) concurrency: Concurrency,
    pub(crate) message_bytes: usize,
    pub(crate) authentication: Authentication,
    pub(crate) policy: Policy,
    /// Full service name to service.
    pub(crate) services: HashMap<&'static str, GrpcService>,
    /// Becomes true when the platform drains.
    pub(crate) draining: watch::Receiver<bool>,
}

impl Layers {
    /// Carries one call through the layers.
    async fn call(&self, request: Request<Body>) -> Response<Body> {
        // The table of RPCs. What is not in it does not exist, whether hidden or never written.
        let Some(rule) = self.rules.find(request.uri().path()) else {
            return status::unimplemented("this server has no such RPC").into_http();
        };
        // Deadline: outside everything that can take time. A malformed one is refused, never taken for "none".
        let end = match self.deadlines.of(rule, request.headers()) {
            Ok(end) => end,
            Err(refusal) => return refusal.into(),
        };
        let current = Current::new(end.deadline, request.headers());
        let call = async {
            let (parts, body) = request.into_parts();
            // Message limit: wraps the body, so it comes before the first reader of it.
            let limit = rule.message_bytes(self.message_bytes);
            let body = message_limit::bound(body, limit);
            // Concurrency cap: the cheapest refusal, before a credential costs a look-up. Arrival: inside it, since a
            // call whose one message does not come gives its place to others.
            let begun = arrival::begun(rule, body, limit);
            let admitted = self.concurrency.admit(rule, &parts.extensions, begun, arrival::ended);
            let (body, mut places) = admitted.await?;
            let request = Request::from_parts(parts, body);
            // Authentication: who calls. A bad credential is refused here, on public methods too.
            let caller = self.authentication.identify(request.headers()).await?;
            note_user(request.extensions(), caller);
            // The strangers' share of the streams: as soon as it is known who is one.
            self.concurrency
                .admit_caller(rule, caller, request.extensions(), &mut places)?;
            let stream = rule
                .server_streaming()
                .then(|| self.stream_guards(request.headers(), caller));
            // Policy: may this caller make this call. Reads the user out of the first message; before any validation.
            let request = self.policy.admit(rule, caller, request).await?;
            // The RPC.
            let response = self.serve(rule.service(), request).await;
            // The place of a unary call is free when its handler is done, however slowly the peer reads the answer. A
            // stream keeps it.
            let stream = stream.map(|stream| reply::StreamGuards {
                places,
                is_life: end.is_life,
                ..stream
            });
            Ok::<_, Status>((response, stream))
        };
        // Catch-panic: inside the deadline, around all the rest. A panic is INTERNAL, not a broken connection.
        let guarded = catch_panic::guard(call);
        match deadline::within(Arc::clone(&current), guarded).await {
            // The answer's body stays under the deadline and the panic guard until it ends, a stream's under more.
            Ok((response, stream)) => response.map(|body| reply::guarded(body, current, stream)),
            Err(status) => status.into_http(),
        }
    }

    /// What a stream stays under once it is open: the drain, and its caller's credential if one was sent.
    fn stream_guards(&self, headers: &HeaderMap, caller: Caller) -> reply::StreamGuards {
        let credential = authentication::credential_of(headers);
        reply::StreamGuards {
            draining: self.draining.clone(),
            revoked: credential.map(|credential| -> reply::Waiting {
                Box::pin(revocation::revoked(self.authentication.clone(), credential, caller))
            }),
            is_life: false,
            places: concurrency::Places::default(),
        }
    }

    async fn serve(&self, service: &str, request: Request<Body>) -> Response<Body> {
        let Some(service) = self.services.get(service) else {
            return status::unimplemented("this server has no such service").into_http();
        };
        let Ok(response) = service.clone().oneshot(request).await;
        refusal::blame_caller_for_undecodable(response)
    }
}

/// Writes the caller into the record from which the call's log line is made.
fn note_user(extensions: &Extensions, caller: Caller) {
    if let (Some(user), Some(record)) = (caller.user(), extensions.get::<Arc<CallRecord>>())
        && let Ok(user) = u64::try_from(user.get())
    {
        record.set_user(user);
    }
}

impl Service<Request<Body>> for Stack {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Services are always ready: the cap refuses instead of queueing.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let layers = Arc::clone(&self.0);
        Box::pin(async move { Ok(layers.call(request).await) })
    }
}
