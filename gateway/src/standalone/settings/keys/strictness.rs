//! How strict paths, queries and bodies are read.

use super::super::Settings;
use super::{DECODINGS, Key, Slot, key, names};

/// How strict paths, queries and bodies are read.
pub(super) static KEYS: &[Key<Settings>] = &[
    key(
        "query.ignore",
        r#"["utm_*", "_", "gclid", "fbclid"]"#,
        Slot::Names("parameters", |to, value| {
            to.options.query_ignore = names::parameters(value)?;
            Ok(())
        }),
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
        "Whether a query may fill fields inside the field that is the body. A repeated field has the body's elements \
         first.",
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
        "What stays percent-encoded in a variable of several segments: %2F; all reserved characters, as with Envoy; \
         nothing.",
    ),
    key(
        "path.bound",
        "reject",
        Slot::Either(["reject", "strip"], |to, value| to.options.path_bound_stripped = value),
        "What becomes of a query or body that contradicts what the path binds: 400, or what they say of it is dropped.",
    ),
];
