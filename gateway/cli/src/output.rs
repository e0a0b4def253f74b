//! Standard output for data, standard error for notes. A reader that goes away, as `head` does, is no failure and no
//! panic.

use std::io::{self, Write};

use crate::{Exit, Failure};

/// Writes one line of data.
pub fn line(text: impl std::fmt::Display) -> Result<(), Failure> {
    written(writeln!(io::stdout().lock(), "{text}"))
}

/// Writes text as it is, at once: whoever waits for it through a pipe must not wait for a full buffer.
pub fn text(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Writes one line of data that nobody can ask for again: a reader that is gone is a failure.
pub fn once(text: impl std::fmt::Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush())
}

/// Writes one line for people to standard error. Nothing hangs on it: where nobody reads, nothing is said.
pub fn note(text: impl std::fmt::Display) {
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
