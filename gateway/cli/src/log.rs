//! Log lines on standard error: pretty on a terminal, one JSON object a line elsewhere. Who writes them is not known
//! here.

use std::io::IsTerminal;

use tracing_subscriber::filter::{LevelFilter, ParseError, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Why a text says no levels.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// It is not `LEVEL` or `TARGET=LEVEL`, with commas between them.
    #[error(transparent)]
    Malformed(#[from] ParseError),
    /// A word that stands alone is no level.
    #[error("`{0}` is no level: expected off, error, warn, info, debug or trace, or TARGET=LEVEL")]
    NoLevel(String),
}

/// Reads the levels by target. A word alone is a level: that it may be a target too, which then writes all, would let a
/// mistyped level silence everything else.
///
/// # Errors
/// The text says no levels.
pub fn filter(text: &str) -> Result<Targets, FilterError> {
    let mut alone = text.split(',').map(str::trim).filter(|part| !part.contains('='));
    match alone.find(|part| !part.is_empty() && part.parse::<LevelFilter>().is_err()) {
        Some(part) => Err(FilterError::NoLevel(part.to_owned())),
        None => Ok(text.parse()?),
    }
}

/// Starts to write log lines; `pretty` left open means for people on a terminal, for programs elsewhere. A process that
/// has a subscriber already, as a test may, keeps it.
pub fn start(filter: Targets, pretty: Option<bool>) {
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let started = if pretty.unwrap_or_else(|| std::io::stderr().is_terminal()) {
        registry.with(lines.with_target(false).compact()).try_init()
    } else {
        registry
            .with(lines.json().flatten_event(true).with_span_list(false))
            .try_init()
    };
    // The only failure is that a subscriber is there already.
    drop(started);
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
