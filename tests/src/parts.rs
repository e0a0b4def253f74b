//! The real parts that `tests/run` installs, starts and names in the environment.
//!
//! A test that needs one is `#[ignore]`d with the reason, so that plain `cargo test` names it as left out; `tests/run`
//! includes it, and there a missing part is a failure.

use std::path::PathBuf;
use std::process::{Command, Output};

/// Reads a variable that `tests/run` sets.
///
/// # Panics
/// It is not set: the message says how to run the test.
pub fn variable(name: &str) -> String {
    optional(name).unwrap_or_else(|| panic!("{name} is not set: run the tests by ./tests/run"))
}

/// Reads a variable that need not be set.
pub fn optional(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests/run speaks to the tests by its environment"
    )]
    std::env::var(name).ok()
}

/// Whether `tests/run --long` was asked for: more of what is tested, over minutes to hours.
pub fn long() -> bool {
    optional("MILLRACE_TEST_LONG").is_some()
}

/// The URL of a database on the PostgreSQL server of this run.
pub fn postgres(database: &str) -> String {
    let base = variable("MILLRACE_TEST_POSTGRES");
    let (server, _) = base.rsplit_once('/').expect("tests/run names a database");
    format!("{server}/{database}")
}

/// The folder of the npm packages of `tests/browser`.
pub fn node_modules() -> PathBuf {
    variable("MILLRACE_NODE_MODULES").into()
}

/// Runs the real grpcurl without TLS and returns what it printed.
pub fn grpcurl(arguments: &[&str]) -> Printed {
    run(Command::new(variable("MILLRACE_GRPCURL"))
        .arg("-plaintext")
        .args(arguments))
}

/// What a program printed, and whether it was content.
#[derive(Debug)]
pub struct Printed {
    /// Whether it exited with 0.
    pub success: bool,
    /// Its exit status, -1 if a signal ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Runs a program to its end.
///
/// # Panics
/// The program cannot be started.
pub fn run(command: &mut Command) -> Printed {
    let Output { status, stdout, stderr } = command
        .output()
        .unwrap_or_else(|error| panic!("{:?} cannot be started: {error}", command.get_program()));
    Printed {
        success: status.success(),
        code: status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&stdout).into_owned(),
        err: String::from_utf8_lossy(&stderr).into_owned(),
    }
}
