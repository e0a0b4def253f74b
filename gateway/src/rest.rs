//! The REST door. A call goes through five phases, each a type, so that a step cannot be left out or taken twice:
//! [`Incoming`] (what was sent) → [`Matched`] (a route, and the form of the answer) → [`Bound`] (the request message,
//! or the stream of them: `client_stream.rs`) → [`Replies`] (the inner service's answer) → the HTTP response, whole
//! (`unary.rs`) or as a stream (`stream.rs`). The request itself stays where it is, and becomes the inner one in place:
//! the phases refer to it, since it is too large to be moved from each to the next.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, Uri, Version, header};
use millrace_transcode::{Matched as Route, RouteError, status};
use tokio::time::Instant;
use tonic::Code;

use crate::accept::{Accept, Media};
use crate::answer::Shape;
use crate::body::{HttpRequest, HttpResponse, RequestBody, ResponseBody};
use crate::call::CallRecord;
use crate::deadline;
use crate::door::Door;
use crate::edge::{Builtin, Names};
use crate::error::Failure;
use crate::frame::framed;
use crate::gateway::Gateway;
use crate::guard::Guard;
use crate::inner::{Inner, InnerCall};
use crate::metadata::{self, AllowList, HeaderNames};
use crate::reply::Messages;
use crate::{stream, unary};

mod client_stream;
mod elements;
mod empty;
mod headers;
mod memory;
mod payload;

pub(crate) use empty::without_body;
use empty::{allowed, builtin_allow, nothing_more};
#[cfg(test)]
pub(crate) use headers::IDEMPOTENCY_KEY;
pub(crate) use headers::LAST_EVENT_ID;
use headers::{become_inner, header_fields};
pub(crate) use memory::{Held, Memory};
use payload::{Bounds, Payload};
pub(crate) use payload::{DISCARD_TIME_MAX, discard};

/// Conditions on a change. Nothing here can check them, and to make the change all the same would be what they forbid.
pub(crate) const CONDITIONS: [header::HeaderName; 3] =
    [header::IF_MATCH, header::IF_NONE_MATCH, header::IF_UNMODIFIED_SINCE];

/// The suffix of the last event's id: a stream that ended is not to be run again by a browser that reconnects.
pub(crate) const STREAM_ENDED: &str = ";end";

/// The REST door.
pub(crate) struct Rest {
    gateway: Gateway,
    inner: Inner,
    builtin: Arc<dyn Builtin>,
}

impl Rest {
    pub(crate) fn new(gateway: Gateway, inner: Inner, builtin: Arc<dyn Builtin>) -> Self {
        Self {
            gateway,
            inner,
            builtin,
        }
    }

    /// Answers a request, whatever happens.
    pub(crate) async fn answer(
        &self,
        request: &mut HttpRequest,
        names: Names,
        shape: Shape,
        record: &Arc<CallRecord>,
    ) -> HttpResponse {
        let is_head = request.method() == Method::HEAD;
        match self.served(request, names, shape, record).await {
            Ok(response) if is_head => {
                // A stream is over here, and was not cancelled.
                if response.status().is_success() {
                    record.set_code(Code::Ok);
                }
                without_body(response)
            }
            Ok(response) => response,
            Err(failure) => self.gateway.answers().answer(&shape, &failure, record),
        }
    }

    async fn served(
        &self,
        request: &mut HttpRequest,
        names: Names,
        shape: Shape,
        record: &Arc<CallRecord>,
    ) -> Result<HttpResponse, Failure> {
        let uri = request.uri();
        let uri_bytes_max = self.gateway.uri_bytes_max();
        if uri.path().len() + uri.query().map_or(0, str::len) > uri_bytes_max {
            return Err(Failure::uri_too_long(uri_bytes_max));
        }
        // By the record's copy of the path: the request's own goes inwards as another.
        let mut route = match self
            .gateway
            .schema()
            .find(request.method().as_str(), record.http_path())
        {
            Ok(route) => route,
            Err(error) => return self.unbound(request, record, error),
        };
        let mut incoming = Incoming { request, names, record };
        let matched = incoming.matched(&mut route, shape, &self.gateway)?;
        if matched.is_finished_stream() {
            return Ok(nothing_more(record));
        }
        let bound = matched.bound(&self.gateway).await?;
        let mut replies = bound.sent(&self.inner, &self.gateway).await?;
        let held = std::mem::take(&mut replies.held);
        let mut response = match replies.form {
            Form::Whole => unary::response(&mut replies, self.gateway.answer_memory()).await,
            // Boxed: its room would be taken by every other call too.
            Form::Stream(media) => Box::pin(stream::response(replies, media, &self.gateway)).await,
        }?;
        response.body_mut().hold(held);
        Ok(response)
    }

    /// What has no route: OPTIONS of a known path is answered here, the embedder's own paths (which never hide a route)
    /// by the embedder, which is asked with GET and HEAD alone.
    fn unbound(
        &self,
        request: &mut HttpRequest,
        record: &Arc<CallRecord>,
        error: RouteError,
    ) -> Result<HttpResponse, Failure> {
        let (mut parts, _) = std::mem::take(request).into_parts();
        record.say(&mut parts.headers, &mut parts.extensions);
        let response = match &error {
            RouteError::MethodNotAllowed { allow } if parts.method == Method::OPTIONS => Some(allowed(allow)),
            RouteError::NotFound { .. } => match self.builtin.get(&parts) {
                Some(response) => {
                    record.set_door(Door::Builtin);
                    match parts.method {
                        Method::GET | Method::HEAD => Some(response.map(ResponseBody::full)),
                        Method::OPTIONS => Some(allowed(&builtin_allow())),
                        _ => return Err(Failure::method_not_allowed(&builtin_allow())),
                    }
                }
                None => None,
            },
            _ => None,
        };
        let mut response = response.ok_or_else(|| Failure::no_route(&parts.method, parts.uri.path(), error))?;
        response
            .headers_mut()
            .entry(header::X_CONTENT_TYPE_OPTIONS)
            .or_insert(HeaderValue::from_static("nosniff"));
        let code = match response.status().as_u16() {
            ..400 => Code::Ok,
            failed => Code::from_i32(status::code_of_foreign_answer(failed)),
        };
        record.set_code(code);
        Ok(response)
    }
}

/// What was sent.
pub(crate) struct Incoming<'c> {
    request: &'c mut HttpRequest,
    names: Names,
    record: &'c Arc<CallRecord>,
}

impl<'c> Incoming<'c> {
    /// Reads what the headers say about the call, before its body.
    fn matched<'i, 's>(
        &'i mut self,
        route: &'i mut Route<'s>,
        shape: Shape,
        gateway: &'s Gateway,
    ) -> Result<Matched<'i, 'c, 's>, Failure> {
        let method = route.method();
        let inner_uri = gateway.name_route(route, self.record);
        let (headers, names) = (self.request.headers(), self.names);
        if names.have(Names::CONDITION)
            && !self.request.method().is_safe()
            && let Some(name) = CONDITIONS.iter().find(|name| headers.contains_key(*name))
        {
            return Err(Failure::unchecked_condition(name.as_str()));
        }
        let streams = method.server_streaming();
        let form = match shape.takes_json() && !streams {
            true => Form::Whole,
            false => Form::of(streams, &Accept::of(headers))?,
        };
        let asked = match names.have(Names::TIMEOUT) {
            true => deadline::from_headers(headers),
            false => Ok(None),
        };
        let asked = asked.map_err(|error| Failure::bad_header(&error.header, &error))?;
        // The server's own limit counts from the head of the request too; a stream has another. A route's own limit is
        // for streams too, and for those who ask for none.
        let own = method.settings().deadline_max;
        let deadline = match asked {
            Some(asked) => {
                let is_unary = !streams && !method.client_streaming();
                let max = own.or_else(|| is_unary.then(|| gateway.deadline_max()));
                Some(max.map_or(asked, |max| asked.min(max)))
            }
            None => own,
        };
        Ok(Matched {
            incoming: self,
            route,
            form,
            deadline,
            inner_uri,
        })
    }
}

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// One JSON value.
    Whole,
    /// A value for each message.
    Stream(Media),
}

impl Form {
    fn of(streaming: bool, accept: &Accept<'_>) -> Result<Self, Failure> {
        if streaming {
            let offers = [Media::Ndjson, Media::EventStream, Media::Json];
            let names = "application/x-ndjson, text/event-stream, application/json";
            return accept
                .best_answer(&offers)
                .map(Self::Stream)
                .ok_or_else(|| Failure::not_acceptable(names));
        }
        match accept.best_answer(&[Media::Json]) {
            Some(_) => Ok(Self::Whole),
            None => Err(Failure::not_acceptable("application/json")),
        }
    }
}

/// A request with its route.
pub(crate) struct Matched<'i, 'c, 's> {
    incoming: &'i mut Incoming<'c>,
    route: &'i mut Route<'s>,
    form: Form,
    /// The caller's own, from the head of the request on.
    deadline: Option<Duration>,
    /// `/pkg.Service/Method`.
    inner_uri: &'s Uri,
}

impl<'i, 'c, 's> Matched<'i, 'c, 's> {
    /// Whether an `EventSource` asks again for what is over: it reconnects after every end, and only a 204 stops it. A
    /// route that cannot resume would run the whole call again.
    fn is_finished_stream(&self) -> bool {
        if self.form != Form::Stream(Media::EventStream) || !self.incoming.names.have(Names::LAST_EVENT_ID) {
            return false;
        }
        let resumes = self.route.method().sse_last_event_id_field().is_some();
        let last = self.incoming.request.headers().get(LAST_EVENT_ID);
        last.is_some_and(|id| !resumes || id.as_bytes().ends_with(STREAM_ENDED.as_bytes()))
    }

    /// When the call is to have ended, if the caller or the server says so.
    fn ends(&self) -> Option<Instant> {
        self.incoming.record.started().checked_add(self.deadline?)
    }

    /// Whether the caller reads trailers.
    fn takes_trailers(&self) -> bool {
        self.incoming.names.have(Names::TE) && metadata::takes_trailers(self.incoming.request.headers())
    }

    /// Reads the body and makes the request message of path, query, body and headers.
    async fn bound(self, gateway: &Gateway) -> Result<Bound<'i, 'c, 's>, Failure> {
        if self.takes_stream() {
            // Boxed: its room would be taken by every other call too.
            return Box::pin(self.bound_stream(gateway)).await;
        }
        let ends = self.ends();
        let Incoming { request, names, record } = &mut *self.incoming;
        let (names, record) = (*names, *record);
        let body = std::mem::take(request.body_mut());
        let settings = self.route.method().settings();
        let bounds = Bounds {
            bytes_max: settings.body_bytes_max.unwrap_or(gateway.body_bytes_max()),
            started: record.started(),
            time_max: gateway.uploads().time_max().min(self.deadline.unwrap_or(Duration::MAX)),
            memory: gateway.body_memory(),
        };
        let read = payload::read(request.headers(), names, body, &bounds).await;
        let Payload { bytes: body, held } = read.map_err(|failure| failure.closing(request.version()))?;
        let fields = header_fields(request.headers(), names, self.form)?;
        if !body.is_empty()
            && let Some(alias) = gateway.alias(request.headers())
        {
            self.route.set_alias(Some(alias));
        }
        let message = self
            .route
            .bind(request.uri().query(), &body, &fields)
            .map_err(|error| Failure::unbindable(&error, record))?;
        *request.body_mut() = RequestBody::whole(framed(&message));
        let takes_trailers = self.takes_trailers();
        let listed = become_inner(self.incoming.request.headers_mut(), self.deadline, record, gateway)?;
        Ok(self.into_bound(Guard::until(ends), listed, takes_trailers, held))
    }

    /// The next phase, of a request whose body and headers are the inner one's already.
    fn into_bound(
        self,
        guard: Guard,
        listed: Option<Arc<AllowList>>,
        takes_trailers: bool,
        held: Held,
    ) -> Bound<'i, 'c, 's> {
        let request = &mut *self.incoming.request;
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = self.inner_uri.clone();
        Bound {
            incoming: self.incoming,
            route: self.route,
            form: self.form,
            guard,
            listed,
            takes_trailers,
            held,
        }
    }
}

/// The call as the inner service will see it.
pub(crate) struct Bound<'i, 'c, 's> {
    /// Its body is the request message in its frame, or the stream of them.
    incoming: &'i mut Incoming<'c>,
    route: &'i Route<'s>,
    form: Form,
    guard: Guard,
    /// Which of its headers go inwards, if not all of them.
    listed: Option<Arc<AllowList>>,
    /// Whether the caller reads trailers.
    takes_trailers: bool,
    held: Held,
}

impl<'i, 'c, 's> Bound<'i, 'c, 's> {
    /// Calls the inner service.
    async fn sent(self, inner: &Inner, gateway: &Gateway) -> Result<Replies<'i, 's>, Failure> {
        let names = gateway.header_names();
        let mut guard = self.guard;
        let record = self.incoming.record;
        let call = InnerCall {
            request: std::mem::take(self.incoming.request),
            listed: self.listed,
            record: Arc::clone(record),
            adds: true,
            streams: self.route.method().server_streaming(),
        };
        if !gateway.answer_memory().has_room() {
            drop(call);
            guard.read_on().await;
            return Err(Failure::no_memory_for_call());
        }
        Ok(Replies {
            route: self.route,
            form: self.form,
            names,
            messages: Messages::of(inner.send(call), guard, names),
            takes_trailers: self.takes_trailers,
            held: self.held,
            record: Arc::clone(record),
        })
    }
}

/// The answer of the inner service, nothing of which is read yet.
pub(crate) struct Replies<'i, 's> {
    pub(crate) route: &'i Route<'s>,
    form: Form,
    /// What metadata is called outside.
    pub(crate) names: HeaderNames,
    pub(crate) messages: Messages,
    /// Whether the caller reads trailers.
    pub(crate) takes_trailers: bool,
    /// What the request's body holds of the memory for bodies, until the call has ended.
    held: Held,
    pub(crate) record: Arc<CallRecord>,
}
