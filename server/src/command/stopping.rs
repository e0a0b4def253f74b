//! How a command that runs for long ends by SIGTERM or Ctrl-C: during its start, and while it serves.

use millrace_chassis::{Running, Signals, Stop};

use super::{Exit, Failure, output};

/// Begins to watch the signals: first of all, so that none ends the process in the middle of something.
pub(super) fn watch() -> Result<Signals, Failure> {
    Signals::watch().map_err(|error| Failure::new(Exit::Unreachable, "signals cannot be watched", error))
}

/// Runs a start, or says how the process ends if a signal comes before it is over. What the start had begun is left
/// where it is, as by a crash: every change of the schema and every write is one transaction, and the next start goes
/// on.
pub(super) async fn unless_stopped<T>(
    signals: &mut Signals,
    start: impl Future<Output = Result<T, Failure>>,
) -> Result<Result<T, Exit>, Failure> {
    tokio::select! {
        stop = signals.next() => {
            output::note("stopped before the start was over");
            Ok(Err(exit(stop)))
        }
        started = start => Ok(Ok(started?)),
    }
}

/// Drains the platform; a second signal does not wait for it.
pub(super) async fn drained(running: Running, signals: &mut Signals) -> Exit {
    running.shutdown();
    tokio::select! {
        () = running.wait() => Exit::Ok,
        _ = signals.next() => Exit::Interrupted,
    }
}

/// Whoever runs a process and ends it gets what was asked for; Ctrl-C says that the work was not done.
fn exit(stop: Stop) -> Exit {
    match stop {
        Stop::Terminate => Exit::Ok,
        Stop::Interrupt => Exit::Interrupted,
    }
}
