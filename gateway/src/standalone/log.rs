//! Log lines, as the settings ask for them. One line a call comes from the trace layer, one a panic from here.

use millrace_cli::log;

use super::settings::{Log, LogFormat};

/// Starts to write log lines. A process that has a subscriber already keeps it.
pub(super) fn start(settings: &Log) {
    let pretty = match settings.format {
        LogFormat::Auto => None,
        LogFormat::Pretty => Some(true),
        LogFormat::Json => Some(false),
    };
    // The loader has checked it.
    log::start(log::filter(&settings.filter).unwrap_or_default(), pretty);
    crate::panics::log();
}
