//! The binary `millrace`. All it does is in [`millrace_server::command`].

use std::process::ExitCode;

fn main() -> ExitCode {
    millrace_server::command::main()
}
