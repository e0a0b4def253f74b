//! The options of single RPCs: those of all that a selector may change, and a few more.

use super::super::RouteSettings;
use super::{DAY, DECODINGS, Key, SOME, Slot, bytes, key, names};
use crate::transcode::FieldStatus;

/// The options of single RPCs.
pub(crate) static ROUTE_KEYS: &[Key<RouteSettings>] = &[
    key(
        "selector",
        "",
        Slot::Other("selector", |to, value| {
            let text = value.as_str().ok_or("must be text")?;
            names::selector(text)?;
            text.clone_into(&mut to.selector);
            Ok(())
        }),
        "The RPCs: `package.Service.Method`, `package.Service.*`, `package.*` or `*`.",
    ),
    key(
        "deadline_max_ms",
        "",
        Slot::Millis(DAY, |to, value| to.options.deadline_max = Some(value)),
        "Longest time of a call; of a stream too, and where the caller asks for no deadline.",
    ),
    key(
        "body_bytes",
        "",
        Slot::Number(SOME, |to, value| to.options.body_bytes_max = Some(bytes(value))),
        "As `limits.body_bytes`.",
    ),
    key(
        "success_code",
        "",
        Slot::Number([200, 299], |to, value| {
            to.options.success_code = u16::try_from(value).ok()
        }),
        "HTTP status of a success; 204 has no body.",
    ),
    key(
        "status_by_field",
        "",
        Slot::Names("FIELD=VALUE:STATUS", |to, value| {
            let read = value.iter().map(|text| {
                let read = FieldStatus::parse(text);
                read.ok_or_else(|| format!("must be FIELD=VALUE:STATUS, as in status=NOT_SERVING:503, of a status from 200 to 599 that has a body and redirects nowhere, not `{text}`"))
            });
            to.options.status_by_field = Some(read.collect::<Result<_, _>>()?);
            Ok(())
        }),
        "HTTP statuses of unary answers by a field's value, as `status=NOT_SERVING:503`; the first that holds.",
    ),
    key(
        "rpc_path",
        "",
        Slot::Flag(|to, value| to.options.rpc_path = Some(value)),
        "As `rpc_paths`.",
    ),
    key(
        "query.ignore",
        "",
        Slot::Names("parameters", |to, value| {
            to.options.query_ignore = Some(names::parameters(value)?);
            Ok(())
        }),
        "As for all.",
    ),
    key(
        "query.unknown",
        "",
        Slot::Either(["reject", "ignore"], |to, value| {
            to.options.query_unknown_ignored = Some(value)
        }),
        "As for all.",
    ),
    key(
        "query.with_body",
        "",
        Slot::Flag(|to, value| to.options.query_with_body = Some(value)),
        "As for all.",
    ),
    key(
        "query.in_body_field",
        "",
        Slot::Flag(|to, value| to.options.query_in_body_field = Some(value)),
        "As for all.",
    ),
    key(
        "query.body_bound",
        "",
        Slot::Either(["reject", "ignore"], |to, value| {
            to.options.query_body_bound_ignored = Some(value)
        }),
        "As for all.",
    ),
    key(
        "query.plus",
        "",
        Slot::Either(["space", "literal"], |to, value| {
            to.options.query_plus_literal = Some(value)
        }),
        "As for all.",
    ),
    key(
        "body.unbound",
        "",
        Slot::Either(["reject", "ignore"], |to, value| {
            to.options.body_unbound_ignored = Some(value)
        }),
        "As for all.",
    ),
    key(
        "path.trailing_slash",
        "",
        Slot::Either(["reject", "strip"], |to, value| {
            to.options.trailing_slash_stripped = Some(value)
        }),
        "As for all.",
    ),
    key(
        "path.decoding",
        "",
        Slot::Word(&["slash", "reserved", "all"], |to, value| {
            to.options.path_decoding = Some(DECODINGS[value])
        }),
        "As for all.",
    ),
    key(
        "path.bound",
        "",
        Slot::Either(["reject", "strip"], |to, value| {
            to.options.path_bound_stripped = Some(value)
        }),
        "As for all.",
    ),
    key(
        "json.unknown",
        "",
        Slot::Either(["reject", "ignore"], |to, value| {
            to.options.json_unknown_ignored = Some(value)
        }),
        "As for all.",
    ),
    key(
        "json.omit_defaults",
        "",
        Slot::Flag(|to, value| to.options.json_defaults_omitted = Some(value)),
        "As for all.",
    ),
    key(
        "json.enums_as_numbers",
        "",
        Slot::Flag(|to, value| to.options.json_enums_as_numbers = Some(value)),
        "As for all.",
    ),
    key(
        "json.proto_names",
        "",
        Slot::Flag(|to, value| to.options.json_proto_names = Some(value)),
        "As for all.",
    ),
    key(
        "json.int64_as_number",
        "",
        Slot::Flag(|to, value| to.options.json_int64_as_number = Some(value)),
        "As for all.",
    ),
    key(
        "json.enums_any_case",
        "",
        Slot::Flag(|to, value| to.options.json_enums_any_case = Some(value)),
        "As for all.",
    ),
    key(
        "json.unknown_any",
        "",
        Slot::Either(["show", "refuse"], |to, value| {
            to.options.json_unknown_any_refused = Some(value)
        }),
        "As for all.",
    ),
    key(
        "json.pretty",
        "",
        Slot::Flag(|to, value| to.options.json_pretty = Some(value)),
        "As for all.",
    ),
];
