//! What a gateway is built from: descriptors, options and limits, each limit with its default.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use millrace_transcode::{Alias, LoadError, Options, Schema, SchemaBuilder};

use super::{AliasOf, Gateway, Shared};
use crate::call::ERROR_DOMAIN;
use crate::edge::Forwarding;
use crate::frame::MESSAGE_BYTES_MAX;
use crate::metadata::{AllowList, HeaderNames};
use crate::rest::Memory;
use crate::upload::Uploads;

/// Bytes of path and query of a REST request, unless set.
const URI_BYTES_MAX: usize = 8 << 10;
/// Bytes of a REST request body, unless set.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// Bytes of all REST request bodies at one time, unless set.
const BODY_MEMORY_BYTES: usize = 256 << 20;
/// Bytes of all REST answers at one time, unless set.
const ANSWER_MEMORY_BYTES: usize = 256 << 20;
/// Bytes of JSON of one message of an answer, unless set: four times the largest message, as JSON is twice as long as
/// its message where both are usual.
const RESPONSE_JSON_BYTES_MAX: usize = 4 * MESSAGE_BYTES_MAX;
/// How long a request body may take to arrive, unless set.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);
/// How long a client's stream over REST may bring no message, unless set.
const STREAM_SILENCE_MAX: Duration = Duration::from_secs(300);
/// Longest deadline of a unary call over REST, unless set.
const DEADLINE_MAX: Duration = Duration::from_secs(60);

/// Collects what a [`Gateway`] is built from.
pub struct Builder {
    schema: SchemaBuilder,
    uri_bytes_max: usize,
    request_headers: Vec<String>,
    header_names: HeaderNames,
    www_authenticate: HeaderValue,
    error_domain: Arc<str>,
    body_bytes_max: usize,
    body_memory_bytes: usize,
    answer_memory_bytes: usize,
    response_json_bytes_max: usize,
    body_time_max: Duration,
    deadline_max: Duration,
    alias: Option<AliasOf>,
    stream_silence_max: Duration,
    header_text_refused: bool,
    response_trailers: Vec<HeaderName>,
    forwarding: Forwarding,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            schema: Schema::builder(),
            uri_bytes_max: URI_BYTES_MAX,
            request_headers: Vec::new(),
            header_names: HeaderNames::Plain,
            www_authenticate: HeaderValue::from_static("Bearer"),
            error_domain: Arc::from(ERROR_DOMAIN),
            body_bytes_max: BODY_BYTES_MAX,
            body_memory_bytes: BODY_MEMORY_BYTES,
            answer_memory_bytes: ANSWER_MEMORY_BYTES,
            response_json_bytes_max: RESPONSE_JSON_BYTES_MAX,
            body_time_max: BODY_TIME_MAX,
            deadline_max: DEADLINE_MAX,
            alias: None,
            stream_silence_max: STREAM_SILENCE_MAX,
            header_text_refused: false,
            response_trailers: Vec::new(),
            forwarding: Forwarding::Removed,
        }
    }
}

impl Builder {
    /// Adds an encoded `google.protobuf.FileDescriptorSet`; the same file twice is fine.
    #[must_use]
    pub fn descriptors(mut self, bytes: &[u8]) -> Self {
        self.schema = self.schema.descriptors(bytes);
        self
    }

    /// Sets the longest path and query of a REST request in bytes, both together; 8 KiB unless set.
    /// [`serve`](crate::serve) reads heads of up to 64 KiB over HTTP/1.1 and 16 KiB over HTTP/2, and a query has at
    /// most 32 KiB.
    #[must_use]
    pub fn uri_bytes_max(mut self, bytes: usize) -> Self {
        self.uri_bytes_max = bytes;
        self
    }

    /// Sets how strict the transcoding is.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.schema = self.schema.options(options);
        self
    }

    /// Lets more request headers through to the inner service over REST, besides the default list.
    #[must_use]
    pub fn request_headers<I, N>(mut self, names: I) -> Self
    where
        I: IntoIterator<Item = N>,
        N: Into<String>,
    {
        self.request_headers.extend(names.into_iter().map(Into::into));
        self
    }

    /// Sets how headers and metadata are named to each other over REST: the same, unless set.
    #[must_use]
    pub fn header_names(mut self, names: HeaderNames) -> Self {
        self.header_names = names;
        self
    }

    /// Sets the header `WWW-Authenticate` of a 401; `Bearer` unless set.
    #[must_use]
    pub fn www_authenticate(mut self, challenge: HeaderValue) -> Self {
        self.www_authenticate = challenge;
        self
    }

    /// Sets the domain of the reasons for which the gateway itself refuses calls, in `google.rpc.ErrorInfo`; `gateway`
    /// unless set. The inner service's own reasons keep theirs.
    #[must_use]
    pub fn error_domain(mut self, domain: impl Into<Arc<str>>) -> Self {
        self.error_domain = domain.into();
        self
    }

    /// Sets the largest body of a REST request in bytes; 1 MiB unless set.
    #[must_use]
    pub fn body_bytes_max(mut self, bytes: usize) -> Self {
        self.body_bytes_max = bytes;
        self
    }

    /// Sets how many bytes the bodies of all REST requests together may have at one time, from their first byte to the
    /// end of their call; a call above it is RESOURCE_EXHAUSTED. 256 MiB unless set.
    #[must_use]
    pub fn body_memory_bytes(mut self, bytes: usize) -> Self {
        self.body_memory_bytes = bytes;
        self
    }

    /// Sets how many bytes of REST answers may wait at one time until their callers read them: whole answers, and of a
    /// stream what is written and not read yet. While less than an eighth is left, a new call is RESOURCE_EXHAUSTED; so
    /// is one whose answer does not fit. 256 MiB unless set.
    #[must_use]
    pub fn answer_memory_bytes(mut self, bytes: usize) -> Self {
        self.answer_memory_bytes = bytes;
        self
    }

    /// Sets how many bytes of JSON one message of a REST answer may have; a call whose answer has more fails as
    /// INTERNAL, and a stream at that message. 64 MiB unless set. [`Options::json_bytes_max`] goes before it.
    #[must_use]
    pub fn response_json_bytes_max(mut self, bytes: usize) -> Self {
        self.response_json_bytes_max = bytes;
        self
    }

    /// Sets how long the body of a request may take to arrive, on every door; a client's stream is not meant. 30 s
    /// unless set.
    #[must_use]
    pub fn body_time_max(mut self, time: Duration) -> Self {
        self.body_time_max = time;
        self
    }

    /// Sets the longest deadline of a unary REST call; a caller's longer one is cut to it. It counts from the head of
    /// the request on. 60 s unless set.
    #[must_use]
    pub fn deadline_max(mut self, time: Duration) -> Self {
        self.deadline_max = time;
        self
    }

    /// Sets how to tell which alias the paths of a request may have, as `users/me`: a body that has the name behind it
    /// does not contradict the path. Nothing else follows from it; the inner service gets the path's value as it is,
    /// and decides what it means, so the headers need not be proven yet.
    #[must_use]
    pub fn alias(mut self, of: impl Fn(&HeaderMap) -> Option<Alias> + Send + Sync + 'static) -> Self {
        self.alias = Some(Arc::new(of));
        self
    }

    /// Sets how long a client's stream over REST may bring no message before the call is cancelled; within a message
    /// the time for a body holds. 5 minutes unless set.
    #[must_use]
    pub fn stream_silence_max(mut self, time: Duration) -> Self {
        self.stream_silence_max = time;
        self
    }

    /// Sets whether a REST request is refused (400) that has a value in a header which is not visible ASCII, where the
    /// header goes inwards: gRPC cannot say it. Unless set such a value is dropped.
    #[must_use]
    pub fn header_text_refused(mut self, refused: bool) -> Self {
        self.header_text_refused = refused;
        self
    }

    /// Announces trailers of streamed REST answers, to callers with `TE: trailers`. HTTP/1.1 sends none that were not
    /// announced in the head, and a stream's own are known at its end only; over HTTP/2, and of unary calls, all are
    /// sent. The names are those that the metadata has inside.
    #[must_use]
    pub fn response_trailers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.response_trailers.extend(names);
        self
    }

    /// Sets what becomes of headers by which proxies tell where a call came from; they are removed unless set.
    #[must_use]
    pub fn forwarding(mut self, forwarding: Forwarding) -> Self {
        self.forwarding = forwarding;
        self
    }

    /// Loads the descriptors.
    ///
    /// # Errors
    /// Descriptors that do not load, or rules that are malformed or bound twice; see [`LoadError`].
    pub fn build(mut self) -> Result<Gateway, LoadError> {
        let outer = self.header_names.of_trailers();
        let trailers = self.response_trailers.iter().filter_map(|name| outer.of(name));
        let response_trailers = trailers.collect();
        self.request_headers
            .extend(self.forwarding.headers().iter().map(|name| (*name).to_owned()));
        let schema = self.schema.json_bytes_max(self.response_json_bytes_max).build()?;
        let rpcs = schema.methods().filter_map(|method| {
            let uri = Uri::try_from(method.grpc_path()).ok()?;
            Some((Arc::from(method.full_name()), uri))
        });
        let rpcs: HashMap<Arc<str>, Uri> = rpcs.collect();
        let of_routes = schema.routes().map(|route| {
            let found = rpcs.get_key_value(route.method().full_name());
            found.map(|(name, uri)| (name.clone(), uri.clone())).unwrap_or_default()
        });
        let request_headers = AllowList::with(&self.request_headers)
            .refusing_unsayable(self.header_text_refused)
            .renaming(self.header_names);
        Ok(Gateway {
            shared: Arc::new(Shared {
                of_routes: of_routes.collect(),
                rpcs,
                uri_bytes_max: self.uri_bytes_max,
                uploads: Uploads::new(&schema, self.body_time_max, self.error_domain.clone()),
                schema: Arc::new(schema),
                request_headers: Arc::new(request_headers),
                header_names: self.header_names,
                www_authenticate: self.www_authenticate,
                error_domain: self.error_domain,
                body_bytes_max: self.body_bytes_max,
                body_memory: Memory::new(self.body_memory_bytes),
                answer_memory: Memory::new(self.answer_memory_bytes),
                deadline_max: self.deadline_max,
                alias: self.alias,
                stream_silence_max: self.stream_silence_max,
                response_trailers,
                forwarding: self.forwarding,
            }),
        })
    }
}
