//! Standard output for data, standard error for notes. A reader that goes away, as `head` does, is no failure and no
//! panic.

use std::io::{self, Write};

use super::{Exit, Failure};

/// Writes text as it is, at once.
pub(super) fn text(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Writes one line of data.
pub(super) fn line(text: impl std::fmt::Display) -> Result<(), Failure> {
    written(writeln!(io::stdout().lock(), "{text}"))
}

/// Writes one line for people to standard error. Nothing hangs on it: where nobody reads, nothing is said.
pub(super) fn note(text: impl std::fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

fn written(outcome: io::Result<()>) -> Result<(), Failure> {
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(
            Exit::Unreachable,
            "standard output cannot be written",
            error,
        )),
        _ => Ok(()),
    }
}
