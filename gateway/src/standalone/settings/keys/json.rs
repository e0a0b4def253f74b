//! JSON in and out.

use super::super::Settings;
use super::{Key, Slot, key};

/// JSON in and out.
pub(super) static KEYS: &[Key<Settings>] = &[
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
];
