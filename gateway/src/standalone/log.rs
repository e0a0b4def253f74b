//! Log lines on standard error: pretty on a terminal, one JSON object a line elsewhere. One line a call comes from the
//! trace layer, one a panic from here.

use std::io::IsTerminal;

use tracing_subscriber::filter::{LevelFilter, ParseError, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::settings::{Log, LogFormat};

/// A text that says no levels.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilterError {
    #[error(transparent)]
    Malformed(#[from] ParseError),
    #[error("`{0}` is no level: expected off, error, warn, info, debug or trace, or TARGET=LEVEL")]
    NoLevel(String),
}

/// Reads the levels by target. A word alone is a level: that it may be a target too, which then writes all, would let a
/// mistyped level silence everything else.
pub(super) fn filter(text: &str) -> Result<Targets, FilterError> {
    let mut alone = text.split(',').map(str::trim).filter(|part| !part.contains('='));
    match alone.find(|part| !part.is_empty() && part.parse::<LevelFilter>().is_err()) {
        Some(part) => Err(FilterError::NoLevel(part.to_owned())),
        None => Ok(text.parse()?),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_level_is_refused() {
        for good in [
            "info",
            "WARN",
            "off",
            "info,millrace_gateway=debug",
            "millrace::call=off, info",
            "",
        ] {
            assert!(filter(good).is_ok(), "{good}");
        }
        for bad in ["warning", "[[[", "info,wran", "millrace_gateway", "h2=loud"] {
            assert!(filter(bad).is_err(), "{bad}");
        }
    }
}
