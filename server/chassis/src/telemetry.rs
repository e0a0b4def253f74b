//! Log lines, as `[log]` asks for them. The lines themselves come from where things happen; one line a call comes from
//! the gateway's trace layer, and one a panic from here.

use millrace_cli::log;
use millrace_gateway::panics;

use crate::config::{ConfigError, Log, LogFormat, Problems};

/// Starts to write log lines. A process that has a subscriber already, as a test may, keeps it.
///
/// # Errors
/// `log.filter` cannot be read.
pub fn start(settings: &Log) -> Result<(), ConfigError> {
    let mut problems = Problems::default();
    settings.check(&mut problems);
    problems.done()?;
    let pretty = match settings.format {
        LogFormat::Auto => None,
        LogFormat::Pretty => Some(true),
        LogFormat::Json => Some(false),
    };
    // Checked just now.
    log::start(log::filter(&settings.filter).unwrap_or_default(), pretty);
    panics::log();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_cannot_be_read_names_its_setting() {
        // A level that is mistyped would be a target, whose lines alone are written.
        for filter in ["millrace=loud", "wran"] {
            let log = Log {
                filter: filter.to_owned(),
                ..Log::default()
            };
            let error = start(&log).unwrap_err().to_string();
            assert!(error.contains("`log.filter`"), "{error}");
        }
    }
}
