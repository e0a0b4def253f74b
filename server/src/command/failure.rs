//! How a command fails: what it was about, the causes, what helps, and the exit code.

use std::error::Error;
use std::process::ExitCode;

use millrace_chassis::StartError;
use millrace_chassis::config::ConfigError;
use millrace_chassis::shard::{MigrateError, OpenError, StoreError};

use super::output;
use crate::dev::DevError;

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Ok,
    /// What was to be checked does not hold.
    CheckFailed,
    /// The command line makes no sense.
    Usage,
    /// A setting, or a database that is not the one it should be.
    Configuration,
    /// Something is not there, or does not answer.
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
pub struct Failure {
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
    pub fn new(exit: Exit, message: impl Into<String>, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            exit,
            message: message.into(),
            help: None,
            cause: Some(cause.into()),
        }
    }

    /// A failure that says all itself.
    pub fn plain(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            help: None,
            cause: None,
        }
    }

    /// Adds what helps.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
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
        Self::new(exit_of_settings(&error), "the settings cannot be used", error)
            .help("`millrace config show` lists every setting and where its value came from")
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self {
            help: open_help(&error, OF_SETTINGS).map(str::to_owned),
            ..Self::new(exit_of_open(&error), "the databases cannot be opened", error)
        }
    }
}

impl From<MigrateError> for Failure {
    fn from(error: MigrateError) -> Self {
        Self::new(
            exit_of_migrate(&error),
            "the schema cannot be brought up to date",
            error,
        )
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let help = match &error {
            StartError::Listen { .. } => Some(LISTEN_HELP),
            _ => None,
        };
        Self {
            help: help.map(str::to_owned),
            ..Self::new(exit_of_start(&error), "the platform cannot start", error)
        }
    }
}

impl From<DevError> for Failure {
    fn from(error: DevError) -> Self {
        let (exit, help) = match &error {
            DevError::Remote(_) => (
                Exit::Configuration,
                Some("`dev` opens sign-up to all and is for this machine: add --allow-remote if you mean it"),
            ),
            DevError::Listen { .. } => (Exit::Unreachable, Some(LISTEN_HELP)),
            DevError::Config(error) => (exit_of_settings(error), None),
            DevError::Open(error) => (exit_of_open(error), open_help(error, OF_DEV)),
            DevError::Migrate(error) => (exit_of_migrate(error), None),
            DevError::Start(error) => (exit_of_start(error), None),
            DevError::Sample(_) | DevError::Keys(_) | DevError::File(_) => (Exit::Unreachable, None),
        };
        Self {
            help: help.map(str::to_owned),
            ..Self::new(exit, "the platform cannot start", error)
        }
    }
}

const LISTEN_HELP: &str = "stop what listens there, or give another address with --listen or --admin-listen";

/// What helps where databases do not open, in the words of the command: only `dev` has flags for them.
struct OpenHelp {
    count: &'static str,
    folder: &'static str,
}

const OF_DEV: OpenHelp = OpenHelp {
    count: "give that number with --shards, or another folder with --data-dir",
    folder: "give another folder with --data-dir",
};

const OF_SETTINGS: OpenHelp = OpenHelp {
    count: "correct `database.shards` or `database.shard_count`, or set other databases",
    folder: "set another folder as `database.data_dir`",
};

fn open_help(error: &OpenError, help: OpenHelp) -> Option<&'static str> {
    match error {
        OpenError::OtherCount { .. } => Some(help.count),
        OpenError::InUse { .. } | OpenError::Folder { .. } => Some(help.folder),
        _ => None,
    }
}

/// What only the command line says is a mistake in usage.
fn exit_of_settings(error: &ConfigError) -> Exit {
    if error.is_by_flags() {
        Exit::Usage
    } else {
        Exit::Configuration
    }
}

fn exit_of_open(error: &OpenError) -> Exit {
    match error {
        OpenError::Folder { .. } | OpenError::InUse { .. } | OpenError::Unusable { .. } | OpenError::Locked(_) => {
            Exit::Unreachable
        }
        _ => Exit::Configuration,
    }
}

fn exit_of_migrate(error: &MigrateError) -> Exit {
    match error {
        MigrateError::Store(StoreError::Unavailable { .. } | StoreError::Busy { .. }) => Exit::Unreachable,
        _ => Exit::Configuration,
    }
}

fn exit_of_start(error: &StartError) -> Exit {
    match error {
        StartError::Listen { .. } | StartError::Admin(_) => Exit::Unreachable,
        StartError::Schema(error) => exit_of_migrate(error),
        _ => Exit::Configuration,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_what_the_command_has() {
        let taken = || OpenError::InUse {
            folder: "x".into(),
            pid: None,
        };
        let other = || OpenError::OtherCount { given: 4, stored: 3 };
        for error in [taken(), other()] {
            let help = Failure::from(error).help.unwrap_or_default();
            assert!(help.contains("`database.") && !help.contains("--"), "{help}");
        }
        for error in [taken(), other()] {
            let help = Failure::from(DevError::Open(error)).help.unwrap_or_default();
            assert!(help.contains("--data-dir"), "{help}");
        }
    }
}
