//! Headers in and out, and what an error says of whose it is.

use http::HeaderValue;

use super::super::{LOOPBACK, Settings};
use super::{Key, Slot, key, names};
use crate::HeaderNames;
use crate::call::ERROR_DOMAIN;
use crate::edge::NetworkError;

/// Headers in and out, and what an error says of whose it is.
pub(super) static KEYS: &[Key<Settings>] = &[
    key(
        "request_headers",
        "[]",
        Slot::Names("header names", |to, value| {
            to.request_headers = names::request_headers(value)?;
            Ok(())
        }),
        "Request headers that become metadata over REST, besides authorization, traceparent, tracestate, baggage, \
         x-request-id, accept-language and idempotency-key. One that a proxy in front sets is, once listed, taken from \
         every peer, over gRPC too.",
    ),
    key(
        "header_names",
        "plain",
        Slot::Word(&["plain", "grpc-gateway"], |to, value| {
            to.header_names = [HeaderNames::Plain, HeaderNames::GrpcGateway][value]
        }),
        "What headers and metadata are called to each other over REST: the same, or as with grpc-gateway. There \
         Grpc-Metadata-Foo goes in as foo and HTTP's own headers as grpcgateway-user-agent and so on, besides those of \
         `request_headers` and everybody's, which come in by their own names alone; metadata foo comes out as Grpc-Metadata-Foo, as a trailer Grpc-Trailer-Foo.",
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
            to.response_trailers = names::response_trailers(value)?;
            Ok(())
        }),
        "Trailers of streamed REST answers that are announced, so that HTTP/1.1 sends them to callers with TE: \
         trailers. HTTP/2 sends all. Each by the name of its metadata, whatever `header_names` makes of it.",
    ),
    key(
        "forwarding.mode",
        "rewritten",
        Slot::Either(["rewritten", "removed"], |to, value| to.forwarding.is_removed = value),
        "What becomes, on every door, of headers by which proxies tell where a call came from and whose it is \
         (Forwarded, X-Forwarded-*, X-Real-IP, Via, CF-Connecting-IP, X-Original-URL, X-Auth-Request-* and such): \
         X-Forwarded-For gets the caller's address at its end, or all are removed.",
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
        "Networks, as in 10.0.0.0/8, from which one's own proxies call. What they say of a call's way and its caller is \
         kept; what any other says is removed.",
    ),
    key(
        "cors_origins",
        "[]",
        Slot::Names("origins", |to, value| {
            to.cors_origins = names::origins(value, LOOPBACK)?;
            Ok(())
        }),
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
    key(
        "error_domain",
        ERROR_DOMAIN,
        Slot::Other("text", |to, value| {
            let domain = value.as_str().filter(|text| is_domain(text));
            to.error_domain = domain.ok_or("must be visible ASCII, as in api.shop.example")?.into();
            Ok(())
        }),
        "The domain of google.rpc.ErrorInfo in what the gateway itself refuses, beside a reason such as NOT_FOUND. \
         What the servers say keeps theirs. Which setting would allow a call is in the call's log line, as relaxed_by.",
    ),
];

fn is_domain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}
