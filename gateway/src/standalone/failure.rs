//! How a command of the gateway fails by its settings.

use millrace_cli::{ConfigError, Exit, Failure};

/// Settings that cannot be used.
pub(super) fn of_settings(error: ConfigError) -> Failure {
    // What only the command line says is a mistake in usage.
    let exit = match &error {
        ConfigError::Read { .. } => Exit::Unreachable,
        error if error.is_by_flags() => Exit::Usage,
        _ => Exit::Configuration,
    };
    Failure::new(exit, "the settings cannot be used", error)
        .help("`millrace-gateway config` lists every setting with its default and what it does")
}
