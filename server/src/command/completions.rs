//! `millrace completions`.

use clap::{Args, Command};
use clap_complete::Shell;

use super::{Exit, Failure, output};

/// Flags of `millrace completions`.
#[derive(Debug, Clone, Args)]
pub(super) struct Completions {
    /// The shell, as in `source <(millrace completions bash)`
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, mut command: Command) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "millrace", &mut script);
        output::text(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Ok)
    }
}
