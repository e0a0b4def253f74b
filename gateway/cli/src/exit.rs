//! How a command ends.

use std::process::ExitCode;

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Ok,
    /// What was to be checked does not hold; or what was to run has ended.
    CheckFailed,
    /// The command line makes no sense.
    Usage,
    /// A setting, or what it names is not what it should be: a schema that cannot be served, another database.
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
