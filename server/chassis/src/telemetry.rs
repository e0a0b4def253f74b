//! Log lines on standard error: pretty on a terminal, one JSON object a line elsewhere. The lines themselves come from
//! where things happen; one line a call comes from the gateway's trace layer, and one a panic from here.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::IsTerminal;

use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{ConfigError, Log, LogFormat, Problems};

/// Writes each panic as one log line, wherever it is caught: it names the place, and stands in the span of the call
/// that panicked. Who catches a panic need not log it again. Where errors are not logged it is printed as ever.
pub fn log_panics() {
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
    log_panics();
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
