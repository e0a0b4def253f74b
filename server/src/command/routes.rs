//! `millrace routes`.

use clap::Args;
use millrace_chassis::chassis;

use super::open::SettingsArgs;
use super::{Environment, Exit, Failure, output};

/// Flags of `millrace routes`.
#[derive(Debug, Clone, Args)]
pub(super) struct Routes {
    #[command(flatten)]
    settings: SettingsArgs,
}

impl Routes {
    pub(super) fn run(self, environment: Environment) -> Result<Exit, Failure> {
        // Who may call hangs on switches alone; nothing else of the settings need be right.
        let switches = self.settings.load_unchecked(environment)?.settings.switches();
        let lines = chassis::routes(&[millrace_proto::FILE_DESCRIPTOR_SET], &switches)?;
        let template = |line: &chassis::RouteLine| match &line.http {
            Some((method, path)) => format!("{method:6} {path}"),
            None => format!("{:6} -", "gRPC"),
        };
        let width = lines
            .iter()
            .map(|line| template(line).chars().count())
            .max()
            .unwrap_or_default();
        for line in &lines {
            output::line(format_args!(
                "{:width$}  {:6}  {}",
                template(line),
                line.policy,
                line.rpc
            ))?;
        }
        Ok(Exit::Ok)
    }
}
