//! `millrace config show` and `millrace config check`.

use clap::Subcommand;
use millrace_chassis::config::Setting;

use super::open::SettingsArgs;
use super::{Environment, Exit, Failure, output};
use crate::settings::Purpose;

/// Commands on the settings.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum Config {
    /// Lists every setting with its value and where it came from; secrets are hidden
    Show(SettingsArgs),
    /// Checks that `serve` can start with the settings, without touching a database
    Check(SettingsArgs),
}

impl Config {
    pub(super) fn run(self, environment: Environment) -> Result<Exit, Failure> {
        match self {
            Self::Show(arguments) => {
                let lines = arguments.load_unchecked(environment)?.show();
                let width = |text: fn(&Setting) -> &str| {
                    let widths = lines.iter().map(|line| text(line).chars().count());
                    widths.max().unwrap_or_default()
                };
                let (keys, values) = (width(|line| &line.key), width(|line| &line.value));
                for line in &lines {
                    output::line(format_args!(
                        "{:keys$} = {:values$}  # {}",
                        line.key, line.value, line.source
                    ))?;
                }
            }
            Self::Check(arguments) => {
                arguments.load(environment, Vec::new(), Purpose::Serve)?;
                output::line(format_args!("the settings are good"))?;
            }
        }
        Ok(Exit::Ok)
    }
}
