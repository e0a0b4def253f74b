//! `millrace routes`.

use clap::Args;
use millrace_chassis::chassis;

use super::{Exit, Failure, output};
use crate::settings::Settings;

/// Flags of `millrace routes`.
#[derive(Debug, Clone, Args)]
pub(super) struct Routes {}

impl Routes {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let lines = chassis::routes(&[millrace_proto::FILE_DESCRIPTOR_SET], &Settings::default().switches())?;
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
