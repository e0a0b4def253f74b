//! The gateway's own binary once more, so that the smoke test of this package finds one that is built.

use std::process::ExitCode;

fn main() -> ExitCode {
    millrace_gateway::standalone::main()
}
