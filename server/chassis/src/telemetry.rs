//! Log lines on standard error: pretty on a terminal, one JSON object a line elsewhere. The lines themselves come from
//! where things happen; one line a call comes from the gateway's trace layer, and one a panic from here.

use std::io::IsTerminal;

use millrace_gateway::panics;
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{ConfigError, Log, LogFormat, Problems};

/// Starts to write log lines. A process that has a subscriber already, as a test may, keeps it.
///
/// # Errors
/// `log.filter` cannot be read.
pub fn start(log: &Log) -> Result<(), ConfigError> {
    let mut problems = Problems::default();
    log.check(&mut problems);
    problems.done()?;
    // Checked just now.
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
    panics::log();
    Ok(())
}

/// Reads the levels by target.
pub(crate) fn filter(text: &str) -> Result<Targets, ParseError> {
    text.parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_cannot_be_read_names_its_setting() {
        let log = Log {
            filter: "millrace=loud".to_owned(),
            ..Log::default()
        };
        let error = start(&log).unwrap_err().to_string();
        assert!(error.contains("`log.filter`"), "{error}");
    }
}
