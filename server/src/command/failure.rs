//! How a command fails: what it was about, the causes, what helps, and the exit code.

use std::error::Error;

use millrace_chassis::StartError;
use millrace_chassis::config::ConfigError;
use millrace_chassis::shard::{MigrateError, OpenError, StoreError};
use millrace_cli::Exit;

use crate::dev::DevError;

/// Why a command ends without success, made from the errors of the platform.
#[derive(Debug)]
pub struct Failure(millrace_cli::Failure);

impl From<millrace_cli::Failure> for Failure {
    fn from(failure: millrace_cli::Failure) -> Self {
        Self(failure)
    }
}

impl From<Failure> for millrace_cli::Failure {
    fn from(failure: Failure) -> Self {
        failure.0
    }
}

impl Failure {
    /// A failure with its cause.
    pub fn new(exit: Exit, message: impl Into<String>, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(millrace_cli::Failure::new(exit, message, cause))
    }

    /// A failure that says all itself.
    pub fn plain(exit: Exit, message: impl Into<String>) -> Self {
        Self(millrace_cli::Failure::plain(exit, message))
    }

    /// Adds what helps.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self(self.0.help(help))
    }

    /// Adds what helps, if anything does.
    fn maybe_help(self, help: Option<&str>) -> Self {
        match help {
            Some(help) => self.help(help),
            None => self,
        }
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
        let help = open_help(&error, OF_SETTINGS);
        Self::new(exit_of_open(&error), "the databases cannot be opened", error).maybe_help(help)
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
        Self::new(exit_of_start(&error), "the platform cannot start", error).maybe_help(help)
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
        Self::new(exit, "the platform cannot start", error).maybe_help(help)
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
            let shown = Failure::from(error).0.shown();
            assert!(
                shown.contains("help: ") && shown.contains("`database.") && !shown.contains("--"),
                "{shown}"
            );
        }
        for error in [taken(), other()] {
            let shown = Failure::from(DevError::Open(error)).0.shown();
            assert!(shown.contains("help: ") && shown.contains("--data-dir"), "{shown}");
        }
    }
}
