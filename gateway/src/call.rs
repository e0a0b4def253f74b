//! What is known of one call, in one place: every door and layer writes what it learns, and the trace and metrics
//! layers read it when the body ends. The record travels beside the request, and in its extensions to a tower service.

use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU16, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Uri};
use tokio::time::Instant;
use tonic::Code;

use crate::door::Door;
use crate::serve::RemoteAddress;

/// The label of an RPC that no schema knows: a name from outside never becomes a label.
pub const OTHER_METHOD: &str = "_OTHER";

/// The record of one call, shared by everything that handles it.
#[derive(Debug)]
pub struct CallRecord {
    started: Instant,
    request_id: HeaderValue,
    traceparent: HeaderValue,
    http_method: Method,
    uri: Uri,
    door: AtomicU8,
    rpc_method: OnceLock<Arc<str>>,
    code: AtomicI32,
    http_status: AtomicU16,
    shard: OnceLock<u16>,
    user: OnceLock<u64>,
    error_domain: Option<Arc<str>>,
    relaxed_by: OnceLock<&'static str>,
    added: Added,
}

/// What goes inwards with a call although the headers of its request do not say it.
#[derive(Debug, Default)]
pub(crate) struct Added {
    /// The id was drawn here.
    pub(crate) request_id: bool,
    /// The trace context was made here.
    pub(crate) traceparent: bool,
    /// Where the call came from, by `X-Forwarded-For`.
    pub(crate) forwarded_for: Option<HeaderValue>,
    /// The other end of the connection by which the call came.
    pub(crate) remote: Option<RemoteAddress>,
}

/// In the extensions of a request to a tower service: the RPC's server streams, and so the call may last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AnswersInStream;

/// The domain of the gateway's own reasons, unless set: it refused the call, not the API behind it.
pub(crate) const ERROR_DOMAIN: &str = "gateway";

/// The header of a call's id, on the way in and out.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The header of its trace context.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The header of where a call came from.
pub(crate) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Stands for a text that no header can say.
const NOTHING: HeaderValue = HeaderValue::from_static("");

/// No code is known yet.
const NO_CODE: i32 = -1;

impl CallRecord {
    /// A record of a call that starts now, and came by no HTTP request of ours.
    pub fn new(request_id: &str, traceparent: &str) -> Arc<Self> {
        let text = |text| HeaderValue::from_str(text).unwrap_or(NOTHING);
        Self::opened(
            text(request_id),
            text(traceparent),
            Method::default(),
            Uri::default(),
            None,
            Added::default(),
        )
    }

    /// A record of a call that starts now. `error_domain` is of the gateway's own reasons.
    pub(crate) fn opened(
        request_id: HeaderValue,
        traceparent: HeaderValue,
        http_method: Method,
        uri: Uri,
        error_domain: Option<Arc<str>>,
        added: Added,
    ) -> Arc<Self> {
        Arc::new(Self {
            started: Instant::now(),
            request_id,
            traceparent,
            http_method,
            uri,
            door: AtomicU8::new(Door::Edge as u8),
            rpc_method: OnceLock::new(),
            code: AtomicI32::new(NO_CODE),
            http_status: AtomicU16::new(0),
            shard: OnceLock::new(),
            user: OnceLock::new(),
            error_domain,
            relaxed_by: OnceLock::new(),
            added,
        })
    }

    /// The record in a request's extensions; a record of its own if no layer put one there.
    pub fn of(extensions: &http::Extensions) -> Arc<Self> {
        extensions
            .get::<Arc<Self>>()
            .cloned()
            .unwrap_or_else(|| Self::new("", ""))
    }

    /// The id that the caller sees in `x-request-id`.
    pub fn request_id(&self) -> &str {
        self.request_id.to_str().unwrap_or("")
    }

    /// The other end of the connection by which the call came, if it came by one.
    pub fn remote_address(&self) -> Option<&RemoteAddress> {
        self.added.remote.as_ref()
    }

    /// The W3C trace context that goes inwards.
    pub fn traceparent(&self) -> &str {
        self.traceparent.to_str().unwrap_or("")
    }

    /// Says in a request what is known of its call: for whoever has nothing but the request.
    pub(crate) fn say(self: &Arc<Self>, headers: &mut HeaderMap, extensions: &mut Extensions) {
        headers.extend(self.added().map(|(name, value)| (name, value.clone())));
        if let Some(remote) = self.remote_address() {
            extensions.insert(remote.clone());
        }
        extensions.insert(self.clone());
    }

    /// The headers that go inwards besides those of the request, which has none of these. Whoever makes the inner call
    /// says them: to put them into the map of the others costs more than all else that is done with them.
    pub(crate) fn added(&self) -> impl Iterator<Item = (HeaderName, &HeaderValue)> {
        let Added {
            request_id,
            traceparent,
            forwarded_for,
            ..
        } = &self.added;
        let all = [
            (X_REQUEST_ID, request_id.then_some(&self.request_id)),
            (TRACEPARENT, traceparent.then_some(&self.traceparent)),
            (X_FORWARDED_FOR, forwarded_for.as_ref()),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }

    /// The method of the HTTP request.
    pub(crate) fn http_method(&self) -> &str {
        self.http_method.as_str()
    }

    /// The path of the HTTP request.
    pub(crate) fn http_path(&self) -> &str {
        self.uri.path()
    }

    /// When the call arrived: the head of its request, that is, not its body.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// The time since the call arrived.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The full name of the RPC, as in `pkg.Service/Method`; [`OTHER_METHOD`] where the schema knows none.
    pub fn rpc_method(&self) -> &str {
        self.rpc_method.get().map_or(OTHER_METHOD, |name| name)
    }

    /// The same, for a label that outlives the call.
    pub(crate) fn rpc_method_owned(&self) -> Option<Arc<str>> {
        self.rpc_method.get().cloned()
    }

    /// Sets the RPC's name: a door that found it in the schema does, once.
    pub(crate) fn set_rpc_method(&self, name: Arc<str>) {
        let _ = self.rpc_method.set(name);
    }

    /// The door by which the call came.
    pub fn door(&self) -> Door {
        Door::from_u8(self.door.load(Ordering::Relaxed))
    }

    pub(crate) fn set_door(&self, door: Door) {
        self.door.store(door as u8, Ordering::Relaxed);
    }

    /// The gRPC code with which the call ended. A call whose body was dropped before it ended is CANCELLED.
    pub fn code(&self) -> Code {
        match self.code.load(Ordering::Relaxed) {
            NO_CODE => Code::Cancelled,
            code => Code::from_i32(code),
        }
    }

    /// Sets the code. The last writer wins: a layer outside may turn the inner service's answer into another.
    pub fn set_code(&self, code: Code) {
        self.code.store(code as i32, Ordering::Relaxed);
    }

    /// The HTTP status that was sent; 499 if the caller went before there was one.
    pub fn http_status(&self) -> u16 {
        match self.http_status.load(Ordering::Relaxed) {
            0 => 499,
            status => status,
        }
    }

    pub(crate) fn set_http_status(&self, status: u16) {
        self.http_status.store(status, Ordering::Relaxed);
    }

    /// The domain of the gateway's own reasons in `google.rpc.ErrorInfo`.
    pub(crate) fn error_domain(&self) -> &str {
        self.error_domain.as_deref().unwrap_or(ERROR_DOMAIN)
    }

    /// The setting that would allow what was refused, where one would: for the log, since a caller has no settings.
    pub fn relaxed_by(&self) -> Option<&'static str> {
        self.relaxed_by.get().copied()
    }

    pub(crate) fn set_relaxed_by(&self, setting: &'static str) {
        let _ = self.relaxed_by.set(setting);
    }

    /// The shard that served the call, where one did.
    pub fn shard(&self) -> Option<u16> {
        self.shard.get().copied()
    }

    /// Sets the shard; the first one stays (a call that reads over all shards sets none).
    pub fn set_shard(&self, shard: u16) {
        let _ = self.shard.set(shard);
    }

    /// The caller, where the credential named a user.
    pub fn user(&self) -> Option<u64> {
        self.user.get().copied()
    }

    /// Sets the caller.
    pub fn set_user(&self, user: u64) {
        let _ = self.user.set(user);
    }
}

/// The name of a code as `google.rpc.Code` spells it.
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_nobody_ended_was_cancelled() {
        let record = CallRecord::new("r", "");
        assert_eq!((record.code(), record.http_status()), (Code::Cancelled, 499));
        assert_eq!((record.rpc_method(), record.door()), (OTHER_METHOD, Door::Edge));
        record.set_code(Code::Ok);
        record.set_http_status(200);
        record.set_rpc_method(Arc::from("a.B/C"));
        record.set_door(Door::Rest);
        record.set_shard(3);
        record.set_shard(4);
        assert_eq!((record.code(), record.http_status()), (Code::Ok, 200));
        assert_eq!((record.rpc_method(), record.door()), ("a.B/C", Door::Rest));
        assert_eq!(record.shard(), Some(3), "the first shard stays");
    }
}
