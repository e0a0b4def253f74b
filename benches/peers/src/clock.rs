//! The clock of the harness, in one place.

use std::time::Instant;

/// Now, of the clock that only goes forward.
#[expect(clippy::disallowed_methods, reason = "this program is there to measure time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
