//! The table of all settings: name, kind, default, what it does. The loader, `millrace-gateway config` and
//! `docs/gateway-config.md` come from it; a setting is added by one entry here and its field in `Settings`.

mod route;
mod upstream;

use http::{HeaderName, HeaderValue};

use super::slot::{Slot, tables};
use super::{Grpc, Hosts, LogFormat, RouteSettings, Settings, UpstreamSettings, rule};
use crate::edge::NetworkError;
use crate::transcode::PathDecoding;

pub(crate) use route::ROUTE_KEYS;
pub(crate) use upstream::UPSTREAM_KEYS;

/// One setting.
pub(crate) struct Key<S> {
    /// The dotted name.
    pub(crate) name: &'static str,
    /// The default, as text; `""` is unset.
    pub(crate) default: &'static str,
    /// The kind, and where the value goes.
    pub(crate) slot: Slot<S>,
    /// What it does.
    pub(crate) about: &'static str,
}

const fn key<S>(name: &'static str, default: &'static str, slot: Slot<S>, about: &'static str) -> Key<S> {
    Key {
        name,
        default,
        slot,
        about,
    }
}

/// Any number but 0.
const SOME: [u64; 2] = [1, u32::MAX as u64];
/// Up to a day.
const DAY: [u64; 2] = [1, 86_400_000];

/// Every setting of the gateway.
pub(crate) static KEYS: &[Key<Settings>] = &[
    // Where it listens.
    key(
        "listen",
        "127.0.0.1:8080",
        Slot::Address(|to, value| to.listen = value),
        "Address for REST, gRPC and gRPC-Web.",
    ),
    key(
        "admin_listen",
        "127.0.0.1:9464",
        Slot::AddressOrOff(|to, value| to.admin_listen = value),
        "Address for /metrics, /health and /readiness.",
    ),
    key(
        "admin_hosts",
        "[]",
        Slot::Words(|to, value| to.admin_hosts = value),
        "Names, without a port, under which the admin address answers besides loopback names and its own address.",
    ),
    key(
        "hosts",
        "auto",
        Slot::Word(&["auto", "any", "loopback"], |to, value| to.hosts = Hosts::ALL[value]),
        "Under which names the gateway answers: any, or loopback names alone, which stops pages that rebind their own name \
         to this machine (421). auto is loopback where `listen` is a loopback address. Behind a reverse proxy on the same \
         machine, set any.",
    ),
    key(
        "tls.cert_file",
        "",
        Slot::File(|to, value| to.tls.cert_file = Some(value)),
        "Certificate chain in PEM: the gateway then speaks TLS on `listen`, HTTP/2 and HTTP/1.1 by ALPN.",
    ),
    key(
        "tls.key_file",
        "",
        Slot::File(|to, value| to.tls.key_file = Some(value)),
        "Private key of the certificate in PEM.",
    ),
    // What it serves.
    key(
        "upstreams",
        "[]",
        Slot::Other("list of URLs or tables", |to, value| {
            to.upstreams = UpstreamSettings::list(value)?;
            Ok(())
        }),
        "The gRPC servers: URLs, or tables with the keys of `[[upstreams]]` below. By reflection a service of two of them is \
         refused, unless one lists it under `services`; with `descriptors` it belongs to the first.",
    ),
    key(
        "descriptors",
        "[]",
        Slot::Files(|to, value| to.descriptors = value),
        "Encoded FileDescriptorSets, with imports; SIGHUP reads them again. Without any, the upstreams are asked by server \
         reflection, and one that is away at the start until it answers: the others are served meanwhile.",
    ),
    key(
        "reflection.refresh_ms",
        "60000",
        Slot::Millis([0, 86_400_000], |to, value| to.reflection.refresh = value),
        "How often the upstreams are asked for their schema again; 0 is never. SIGHUP asks at once.",
    ),
    key(
        "reflection.allow_breaking",
        "false",
        Slot::Flag(|to, value| to.reflection.allow_breaking = value),
        "Whether a new schema may take away what callers can rely on. One that does is refused otherwise, and the old one \
         stays.",
    ),
    key(
        "reflection.timeout_ms",
        "10000",
        Slot::Millis(DAY, |to, value| to.reflection.limits.time = value),
        "How long an upstream may take to tell its schema.",
    ),
    key(
        "reflection.bytes",
        "8388608",
        Slot::Number([1, 64 << 20], |to, value| {
            to.reflection.limits.total_bytes = bytes(value)
        }),
        "Largest schema of one upstream.",
    ),
    key(
        "reflection.admin",
        "false",
        Slot::Flag(|to, value| to.reflection.admin = value),
        "Whether POST /schema/reload on the admin address asks at once, as SIGHUP does, and answers what came of it.",
    ),
    key(
        "grpc",
        "annotated",
        Slot::Word(&["annotated", "all", "off"], |to, value| to.grpc = Grpc::ALL[value]),
        "Which RPCs are served over gRPC and gRPC-Web: those with an HTTP rule, all, or none. Any other is UNIMPLEMENTED.",
    ),
    key(
        "grpc_also",
        "[]",
        Slot::Words(|to, value| to.grpc_also = value),
        "Services that are served over gRPC besides, by full name. The upstream's reflection (grpc.reflection.v1.\
         ServerReflection) and health (grpc.health.v1.Health) are served only if they are listed.",
    ),
    key(
        "rpc_paths",
        "false",
        Slot::Flag(|to, value| to.options.rpc_paths = value),
        "Whether an RPC without an HTTP rule is served as POST /package.Service/Method, with body \"*\".",
    ),
    key(
        "http.rules",
        "[]",
        Slot::Other("list of google.api.HttpRule", |to, value| {
            to.options.rules = rule::rules(value)?;
            Ok(())
        }),
        "HTTP rules by selector (`a.B.Get`, `a.B.*`); they replace the annotations of what they select, and the last of \
         several wins. The same form as in a google.api.Service, which works as this file.",
    ),
    key(
        "http.fully_decode_reserved_expansion",
        "",
        Slot::Other("false", |_, value| match value.as_bool() {
            Some(false) => Ok(()),
            _ => Err("must be false: `%2F` stays encoded in a variable of several segments".to_owned()),
        }),
        "Of google.api.Http.",
    ),
    key(
        "routes",
        "[]",
        Slot::Other("list of tables", |to, value| {
            to.routes = tables(value, ROUTE_KEYS, RouteSettings::default)?;
            Ok(())
        }),
        "Options of single RPCs: tables with the keys of `[[routes]]` below. Of several that select one RPC the last wins, \
         key by key.",
    ),
    key(
        "compat",
        "off",
        // What a profile changes is given as values of its own: see `compat.rs`.
        Slot::Word(&["off", "grpc-gateway", "envoy"], |_, _| ()),
        "Profile of another gateway: defaults under which what callers of it send works here. Every key that it changes \
         can be set beside it.",
    ),
    // How strict it is.
    key(
        "query.ignore",
        r#"["utm_*", "_", "gclid", "fbclid"]"#,
        Slot::Words(|to, value| to.options.query_ignore = value),
        "Query parameters that are dropped; a trailing * matches any rest.",
    ),
    key(
        "query.unknown",
        "reject",
        Slot::Either(["reject", "ignore"], |to, value| {
            to.options.query_unknown_ignored = value
        }),
        "What becomes of a request with any other parameter that is no field: 400, or the parameter is dropped.",
    ),
    key(
        "query.with_body",
        "false",
        Slot::Flag(|to, value| to.options.query_with_body = value),
        "Whether a query may fill fields beside `body: \"*\"`.",
    ),
    key(
        "query.in_body_field",
        "false",
        Slot::Flag(|to, value| to.options.query_in_body_field = value),
        "Whether a query may fill fields inside the field that is the body. A repeated field has the body's elements first.",
    ),
    key(
        "query.body_bound",
        "reject",
        Slot::Either(["reject", "ignore"], |to, value| {
            to.options.query_body_bound_ignored = value
        }),
        "What becomes of query parameters of fields that only the body may set: 400, or they are dropped.",
    ),
    key(
        "query.plus",
        "space",
        Slot::Either(["space", "literal"], |to, value| to.options.query_plus_literal = value),
        "What a + in a query is.",
    ),
    key(
        "body.unbound",
        "reject",
        Slot::Either(["reject", "ignore"], |to, value| {
            to.options.body_unbound_ignored = value
        }),
        "What becomes of a body where the rule binds none: 400, or it is dropped.",
    ),
    key(
        "path.trailing_slash",
        "reject",
        Slot::Either(["reject", "strip"], |to, value| {
            to.options.trailing_slash_stripped = value
        }),
        "What becomes of a path that is bound only without its last `/`: 404, or it is served.",
    ),
    key(
        "path.empty_segments",
        "false",
        Slot::Flag(|to, value| to.options.path_empty_segments = value),
        "Whether a wildcard may take an empty segment. No selector changes it.",
    ),
    key(
        "path.decoding",
        "slash",
        Slot::Word(&["slash", "reserved", "all"], |to, value| {
            to.options.path_decoding = DECODINGS[value]
        }),
        "What stays percent-encoded in a variable of several segments: %2F; all reserved characters, as with Envoy; nothing.",
    ),
    key(
        "path.bound",
        "reject",
        Slot::Either(["reject", "strip"], |to, value| to.options.path_bound_stripped = value),
        "What becomes of a query or body that contradicts what the path binds: 400, or what they say of it is dropped.",
    ),
    // JSON.
    key(
        "json.unknown",
        "reject",
        Slot::Either(["reject", "ignore"], |to, value| {
            to.options.json_unknown_ignored = value
        }),
        "What becomes of a body with unknown fields or names of enum values: 400, or they are dropped.",
    ),
    key(
        "json.omit_defaults",
        "false",
        Slot::Flag(|to, value| to.options.json_defaults_omitted = value),
        "Leaves fields with default values out of answers.",
    ),
    key(
        "json.enums_as_numbers",
        "false",
        Slot::Flag(|to, value| to.options.json_enums_as_numbers = value),
        "Writes enum values as numbers.",
    ),
    key(
        "json.proto_names",
        "false",
        Slot::Flag(|to, value| to.options.json_proto_names = value),
        "Names fields in answers as the proto file does. In bodies both names are read.",
    ),
    key(
        "json.int64_as_number",
        "false",
        Slot::Flag(|to, value| to.options.json_int64_as_number = value),
        "Writes 64-bit integers as numbers, which JavaScript does not read exactly.",
    ),
    key(
        "json.enums_any_case",
        "false",
        Slot::Flag(|to, value| to.options.json_enums_any_case = value),
        "Reads names of enum values in any case.",
    ),
    key(
        "json.unknown_any",
        "show",
        Slot::Either(["show", "refuse"], |to, value| {
            to.options.json_unknown_any_refused = value
        }),
        "What becomes of an answer with an Any of a type that the schema lacks: its bytes are shown, or 500.",
    ),
    key(
        "json.pretty",
        "false",
        Slot::Flag(|to, value| to.options.json_pretty = value),
        "Writes unary answers on several lines.",
    ),
    // Headers.
    key(
        "request_headers",
        "[]",
        Slot::Words(|to, value| to.request_headers = value),
        "Request headers that become metadata over REST, besides authorization, traceparent, tracestate, baggage, \
         x-request-id, accept-language and idempotency-key.",
    ),
    key(
        "header_text",
        "drop",
        Slot::Either(["drop", "reject"], |to, value| to.header_text_refused = value),
        "What becomes of a value that is not visible ASCII, which gRPC cannot say, in a request header that becomes \
         metadata: it is dropped, or 400.",
    ),
    key(
        "response_trailers",
        "[]",
        Slot::Names("header names", |to, value| {
            let read = value.iter().map(|name| {
                let name: Result<HeaderName, _> = name.parse();
                name.map_err(|_| "must be a list of header names".to_owned())
            });
            to.response_trailers = read.collect::<Result<_, _>>()?;
            Ok(())
        }),
        "Trailers of streamed REST answers that are announced, so that HTTP/1.1 sends them to callers with TE: trailers. \
         HTTP/2 sends all.",
    ),
    key(
        "forwarding.mode",
        "rewritten",
        Slot::Either(["rewritten", "removed"], |to, value| to.forwarding.is_removed = value),
        "What becomes of headers by which proxies tell where a call came from (Forwarded, X-Forwarded-*, X-Real-IP, Via and \
         such): X-Forwarded-For gets the caller's address at its end, or all are removed.",
    ),
    key(
        "forwarding.trusted",
        "[]",
        Slot::Names("networks", |to, value| {
            let read = value.iter().map(|network| network.parse());
            let read = read.collect::<Result<_, NetworkError>>();
            to.forwarding.trusted = read.map_err(|error| format!("is wrong: {error}"))?;
            Ok(())
        }),
        "Networks, as in 10.0.0.0/8, from which one's own proxies call. What they say of a call's way is kept; what any \
         other says is removed.",
    ),
    key(
        "cors_origins",
        "[]",
        Slot::Words(|to, value| to.cors_origins = value),
        "Origins whose pages may call, as in https://shop.example; the word loopback stands for all of this machine's.",
    ),
    key(
        "www_authenticate",
        "Bearer",
        Slot::Other("text", |to, value| {
            let header = value.as_str().and_then(|text| HeaderValue::from_str(text).ok());
            to.www_authenticate = header.ok_or("must be text of visible ASCII")?;
            Ok(())
        }),
        "The header WWW-Authenticate of a 401.",
    ),
    // Pages of its own.
    key(
        "openapi.json_path",
        "/openapi.json",
        Slot::PathOrOff(|to, value| to.openapi.json_path = value),
        "Where the OpenAPI document is, as JSON. A route of the schema beats it.",
    ),
    key(
        "openapi.yaml_path",
        "/openapi.yaml",
        Slot::PathOrOff(|to, value| to.openapi.yaml_path = value),
        "Where the OpenAPI document is, as YAML.",
    ),
    key(
        "title",
        "API",
        Slot::Text(|to, value| to.openapi.title = value),
        "Title of the OpenAPI document; also the title of a google.api.Service.",
    ),
    key(
        "openapi.version",
        "1.0.0",
        Slot::Text(|to, value| to.openapi.version = value),
        "Version of the OpenAPI document.",
    ),
    key(
        "openapi.servers",
        "[]",
        Slot::Words(|to, value| to.openapi.servers = value),
        "Base URLs in the OpenAPI document; none is the document's own origin.",
    ),
    // Limits.
    key(
        "limits.uri_bytes",
        "8192",
        Slot::Number([1, 64 << 10], |to, value| to.limits.uri_bytes = bytes(value)),
        "Longest path and query of a REST request, both together. Over HTTP/2 a request's head has at most 16 KiB.",
    ),
    key(
        "limits.body_bytes",
        "1048576",
        Slot::Number(SOME, |to, value| to.limits.body_bytes = bytes(value)),
        "Largest body of a REST request.",
    ),
    key(
        "limits.body_memory_bytes",
        "268435456",
        Slot::Number([1, 1 << 40], |to, value| to.limits.body_memory_bytes = bytes(value)),
        "Bytes of all REST bodies in calls in progress; a call above it is RESOURCE_EXHAUSTED.",
    ),
    key(
        "limits.response_json_bytes",
        "67108864",
        Slot::Number(SOME, |to, value| to.limits.response_json_bytes = bytes(value)),
        "Largest JSON of one message of an answer over REST; a call whose answer has more fails as INTERNAL, a stream at \
         that message. A few bytes of a message can be hundreds in JSON, which shows fields that are unset.",
    ),
    key(
        "limits.body_ms",
        "30000",
        Slot::Millis(DAY, |to, value| to.limits.body = value),
        "How long the body of a request may take to arrive, a client's stream apart.",
    ),
    key(
        "limits.stream_silence_ms",
        "300000",
        Slot::Millis(DAY, |to, value| to.limits.stream_silence = value),
        "How long a client's stream over REST may bring no message before the call is cancelled.",
    ),
    key(
        "limits.deadline_max_ms",
        "60000",
        Slot::Millis(DAY, |to, value| to.limits.deadline_max = value),
        "Longest deadline of a unary REST call; a caller's longer one is cut to it.",
    ),
    key(
        "limits.connections",
        "4096",
        Slot::Number(SOME, |to, value| to.limits.connections.connections = bytes(value)),
        "Open connections; more are closed at once.",
    ),
    key(
        "limits.connections_per_ip",
        "1024",
        Slot::Number(SOME, |to, value| {
            to.limits.connections.connections_per_ip = bytes(value)
        }),
        "Open connections of one address; more are closed at once. Behind a proxy, as many as `limits.connections`.",
    ),
    key(
        "limits.streams_per_connection",
        "100",
        Slot::Number(SOME, |to, value| {
            to.limits.connections.streams = u32::try_from(value).unwrap_or(u32::MAX);
        }),
        "Concurrent HTTP/2 streams of one connection.",
    ),
    key(
        "limits.first_request_ms",
        "10000",
        Slot::Millis(DAY, |to, value| to.limits.connections.first_request = value),
        "How long a connection may take to its first request; a TLS handshake may take as long before.",
    ),
    key(
        "limits.idle_ms",
        "300000",
        Slot::Millis(DAY, |to, value| to.limits.connections.idle = value),
        "How long a connection may stay without a request in progress.",
    ),
    key(
        "limits.unread_ms",
        "300000",
        Slot::Millis(DAY, |to, value| to.limits.connections.unread = value),
        "How long a peer may take nothing of an answer that is there, before its connection is closed.",
    ),
    key(
        "limits.drain_ms",
        "10000",
        Slot::Millis([100, 600_000], |to, value| to.limits.drain = value),
        "How long the end may take after SIGTERM or SIGINT, before what is left is cut.",
    ),
    // Logs.
    key(
        "log.filter",
        "info",
        Slot::Text(|to, value| to.log.filter = value),
        "Levels by target, as in info,millrace_gateway=debug. One line a call has the target millrace::call.",
    ),
    key(
        "log.format",
        "auto",
        Slot::Word(&["auto", "pretty", "json"], |to, value| {
            to.log.format = LogFormat::ALL[value]
        }),
        "How lines on standard error look; auto is pretty on a terminal and JSON elsewhere.",
    ),
    // Of a google.api.Service that is used as it is.
    key("type", "", OF_SERVICE, "Of google.api.Service; not used."),
    key("config_version", "", OF_SERVICE, "Of google.api.Service; not used."),
    key("name", "", OF_SERVICE, "Of google.api.Service; not used."),
];

/// Something of a service configuration that has no meaning here.
const OF_SERVICE: Slot<Settings> = Slot::Other("anything", |_, _| Ok(()));

/// A number within bounds that fit.
fn bytes(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// A number within bounds that fit.
fn small(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// In the order of their words in the table.
const DECODINGS: [PathDecoding; 3] = [PathDecoding::Slash, PathDecoding::Reserved, PathDecoding::All];
