//! How a command fails: what it was about, the causes, what helps, and the exit code.

use std::error::Error;
use std::process::ExitCode;

use super::output;
use super::settings::ConfigError;

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// All is well.
    Ok,
    /// What was to be checked does not hold; or what was to run has ended.
    CheckFailed,
    /// The command line makes no sense.
    Usage,
    /// A setting, or a schema that cannot be served.
    Configuration,
    /// Something is not there or does not answer, or an address is taken.
    Unreachable,
    /// The user stopped it.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::CheckFailed => 1,
            Exit::Usage => 2,
            Exit::Configuration => 3,
            Exit::Unreachable => 4,
            Exit::Interrupted => 130,
        })
    }
}

/// Why a command ends without success, as it is shown.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Failure {
    exit: Exit,
    message: String,
    help: Option<String>,
    #[source]
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl miette::Diagnostic for Failure {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.help
            .as_ref()
            .map(|help| Box::new(help) as Box<dyn std::fmt::Display>)
    }
}

impl Failure {
    /// A failure with its cause.
    pub(super) fn new(exit: Exit, message: impl Into<String>, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            cause: Some(cause.into()),
            ..Self::plain(exit, message)
        }
    }

    /// A failure that says all itself.
    pub(super) fn plain(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            help: None,
            cause: None,
        }
    }

    /// Adds what helps.
    #[must_use]
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Shows the failure and returns its exit code.
    pub(super) fn report(self) -> ExitCode {
        let exit = self.exit;
        output::note(format_args!("{:?}", miette::Report::new(self)));
        exit.into()
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        // What only the command line says is a mistake in usage.
        let exit = match &error {
            ConfigError::Read { .. } => Exit::Unreachable,
            error if error.is_by_flags() => Exit::Usage,
            _ => Exit::Configuration,
        };
        Self::new(exit, "the settings cannot be used", error)
            .help("`millrace-gateway config` lists every setting with its default and what it does")
    }
}
