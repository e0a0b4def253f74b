//! Log lines on standard error: pretty on a terminal, one JSON object a line elsewhere. One line a call comes from the
//! trace layer, one a panic from here.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::settings::{Log, LogFormat};

/// Reads the levels by target.
pub(super) fn filter(text: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::builder().parse(text)
}

/// Starts to write log lines. A process that has a subscriber already keeps it.
pub(super) fn start(log: &Log) {
    // The loader has checked it.
    let filter = filter(&log.filter).unwrap_or_default();
    let pretty = match log.format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    };
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let started = if pretty {
        registry.with(lines.with_target(false).compact()).try_init()
    } else {
        registry
            .with(lines.json().flatten_event(true).with_span_list(false))
            .try_init()
    };
    // The only failure is that a subscriber is there already.
    drop(started);
    log_panics();
}

/// Writes each panic as one log line, wherever it is caught. Where errors are not logged it is printed as ever.
fn log_panics() {
    let printed = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !tracing::enabled!(tracing::Level::ERROR) {
            return printed(info);
        }
        let text = info.payload_as_str().unwrap_or("a panic without text");
        let location = info.location().map(ToString::to_string);
        // Empty unless RUST_BACKTRACE asks for it.
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
        tracing::error!(panic = text, location, backtrace, "the program panicked");
    }));
}
