//! What a google.api.Service that is used as it is holds besides.

use super::super::Settings;
use super::{Key, Slot, key};

/// What a google.api.Service that is used as it is holds besides.
pub(super) static KEYS: &[Key<Settings>] = &[
    key("type", "", OF_SERVICE, "Of google.api.Service; not used."),
    key("config_version", "", OF_SERVICE, "Of google.api.Service; not used."),
    key("name", "", OF_SERVICE, "Of google.api.Service; not used."),
];

/// Something of a service configuration that has no meaning here.
/// What a key takes whose value is not used.
pub(crate) const ANYTHING: &str = "anything";

const OF_SERVICE: Slot<Settings> = Slot::Other(ANYTHING, |_, _| Ok(()));
