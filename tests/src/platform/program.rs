//! The binary under test.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::parts;

/// Runs a command of `millrace` to its end.
pub fn millrace(arguments: &[&str], environment: &[(&str, &str)]) -> parts::Printed {
    parts::run(command().args(arguments).envs(environment.iter().copied()))
}

/// Runs a command of `millrace` to its end, from a shell that has run some commands before.
pub fn millrace_after(commands: &str, arguments: &[&str]) -> parts::Printed {
    parts::run(command_after(commands).args(arguments))
}

/// A command of `millrace` to be started by the caller.
pub fn millrace_command(arguments: &[&str]) -> Command {
    let mut millrace = command();
    millrace.args(arguments);
    millrace
}

/// Runs a line of shell in which `"$0"` is `millrace`.
pub fn millrace_in_shell(line: &str, environment: &[(&str, &str)]) -> parts::Printed {
    let mut shell = clean(Command::new("sh"));
    parts::run(shell.args(["-c", line]).arg(binary()).envs(environment.iter().copied()))
}

/// Shell commands after which no file can grow beyond a number of blocks of 1,024 bytes.
pub fn small_disk(blocks: u32) -> String {
    // Without the trap the signal that tells of the limit would end the process.
    format!("trap '' XFSZ; ulimit -f {}", blocks * 2)
}

pub(super) fn command_after(commands: &str) -> Command {
    let mut shell = clean(Command::new("sh"));
    shell
        .args(["-c", &format!("{commands}; exec \"$0\" \"$@\"")])
        .arg(binary());
    shell
}

pub(super) fn command() -> Command {
    clean(Command::new(binary()))
}

/// A command without the settings of whoever runs the tests.
pub fn clean(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MILLRACE_") {
            command.env_remove(name);
        }
    }
    command
}

/// The binary under test: the one that `tests/run` built, or one that is built now, the same way.
///
/// # Panics
/// It cannot be built.
pub fn binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let path = BINARY.get_or_init(|| {
        if let Some(path) = parts::optional("MILLRACE_BIN") {
            return path.into();
        }
        let built = parts::run(
            Command::new(parts::optional("CARGO").unwrap_or_else(|| "cargo".to_owned()))
                .args(["build", "--workspace", "--bins", "--quiet"])
                .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")),
        );
        assert!(built.success, "{}", built.err);
        // This test program is target/debug/deps/main-1234; the binary is target/debug/millrace.
        let test = std::env::current_exe().expect("a running program has a path");
        test.ancestors()
            .nth(2)
            .expect("it is in the target folder")
            .join("millrace")
    });
    path.clone()
}

/// A loopback address with a port that is free now.
pub(super) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has free ports");
    listener.local_addr().expect("a bound socket has an address")
}
