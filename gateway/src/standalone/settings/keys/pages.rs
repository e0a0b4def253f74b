//! The pages of the gateway's own.

use super::super::Settings;
use super::{Key, Slot, key, names};

/// The pages of the gateway's own.
pub(super) static KEYS: &[Key<Settings>] = &[
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
        Slot::Names("URLs", |to, value| {
            to.openapi.servers = names::servers(value)?;
            Ok(())
        }),
        "Base URLs in the OpenAPI document; none is the document's own origin.",
    ),
];
