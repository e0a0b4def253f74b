//! The binary `millrace-gateway`. All it does is in [`millrace_gateway::standalone`].

use std::process::ExitCode;

fn main() -> ExitCode {
    millrace_gateway::standalone::main()
}
