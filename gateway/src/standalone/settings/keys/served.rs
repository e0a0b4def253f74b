//! What is served: the servers, their schema, the rules.

use super::super::{Grpc, RouteSettings, Settings, UpstreamSettings, rule};
use super::{DAY, Key, ROUTE_KEYS, Slot, bytes, key, names, tables};

/// What is served: the servers, their schema, the rules.
pub(super) static KEYS: &[Key<Settings>] = &[
    key(
        "upstreams",
        "[]",
        Slot::Other("list of URLs or tables", |to, value| {
            to.upstreams = UpstreamSettings::list(value)?;
            Ok(())
        }),
        "The gRPC servers: URLs, or tables with the keys of `[[upstreams]]` below. By reflection a service of two of \
         them is refused, unless one lists it under `services`; with `descriptors` it belongs to the first.",
    ),
    key(
        "descriptors",
        "[]",
        Slot::Files(|to, value| to.descriptors = value),
        "Encoded FileDescriptorSets, with imports; SIGHUP reads them again. Without any, the upstreams are asked by \
         server reflection, and one that is away at the start until it answers: the others are served meanwhile.",
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
        "Whether a new schema may take away what callers can rely on. One that does is refused otherwise, and the \
         old one stays.",
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
        "Which RPCs are served over gRPC and gRPC-Web: those with an HTTP rule, all, or none. Any other is \
         UNIMPLEMENTED.",
    ),
    key(
        "grpc_also",
        "[]",
        Slot::Names("services", |to, value| {
            to.grpc_also = names::services(value)?;
            Ok(())
        }),
        "Services that are served over gRPC besides, by full name. The upstream's reflection (grpc.reflection.v1.\
         ServerReflection, and of older servers grpc.reflection.v1alpha.ServerReflection) and health (grpc.health.v1.\
         Health) are served only if they are listed; of several upstreams the first answers.",
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
        "HTTP rules by selector (`a.B.Get`, `a.B.*`); they replace the annotations of what they select, and the last \
         of several wins. The same form as in a google.api.Service, which works as this file.",
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
        "Options of single RPCs: tables with the keys of `[[routes]]` below. Of several that select one RPC the last \
         wins, key by key.",
    ),
    key(
        "compat",
        "off",
        // What a profile changes is given as values of its own: see `compat.rs`.
        Slot::Word(&["off", "grpc-gateway", "envoy"], |_, _| ()),
        "Profile of another gateway: defaults under which what callers of it send works here. Every key that it \
         changes can be set beside it.",
    ),
];
