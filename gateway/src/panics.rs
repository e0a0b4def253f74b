//! Panics as log lines.

use std::backtrace::{Backtrace, BacktraceStatus};

/// Writes each panic as one log line, wherever it is caught: it names the place, and stands in the span of the call
/// that panicked. Who catches a panic need not log it again. Where errors are not logged it is printed as ever.
pub fn log() {
    let printed = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !tracing::enabled!(tracing::Level::ERROR) {
            return printed(info);
        }
        let payload = info.payload();
        let text = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("a panic without text");
        let location = info.location().map(ToString::to_string);
        // Empty unless RUST_BACKTRACE asks for it.
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
        tracing::error!(panic = text, location, backtrace, "the program panicked");
    }));
}
