//! What is written to standard error.

use super::super::{LogFormat, Settings};
use super::{Key, Slot, key};

/// What is written to standard error.
pub(super) static KEYS: &[Key<Settings>] = &[
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
];
