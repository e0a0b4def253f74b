//! Log lines on standard error: pretty on a terminal, one JSON object a line elsewhere. One line a call comes from the
//! trace layer, one a panic from here.

use std::io::IsTerminal;

use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::settings::{Log, LogFormat};

/// Reads the levels by target.
pub(super) fn filter(text: &str) -> Result<Targets, ParseError> {
    text.parse()
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
    crate::panics::log();
}
