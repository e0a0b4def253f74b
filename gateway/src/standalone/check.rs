//! `millrace-gateway check`: loads everything as `run` would, and says what is wrong with it.

use std::path::PathBuf;

use clap::Args;

use super::published::Published;
use super::schema::SchemaError;
use super::settings::Settings;
use super::{Environment, Exit, Failure, SettingsArgs, findings, output, replay, run, schema};
use crate::Gateway;
use crate::reflection::is_exposed;
use crate::transcode::LoadError;

/// Flags of `millrace-gateway check`.
#[derive(Debug, Clone, Args)]
pub(super) struct Check {
    #[command(flatten)]
    settings: SettingsArgs,
    /// An access log (common or combined format, or the gateway's own JSON): counts what would be refused, by rule
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
}

impl Check {
    pub(super) async fn run(self, environment: Environment) -> Result<Exit, Failure> {
        let settings = self.settings.load(environment)?.settings;
        run::rehearse(&settings)?;
        let source = run::source(&settings).await?;
        let gateway = match schema::gateway(&settings, &source) {
            Ok(gateway) => gateway,
            // What cannot be read is no answer to the question whether the rules are good.
            Err(
                error @ (SchemaError::NoFile
                | SchemaError::NoService
                | SchemaError::Load(
                    LoadError::Descriptors(_) | LoadError::Inconsistent | LoadError::MapEntry { .. },
                )),
            ) => return Err(schema::unloadable(error)),
            Err(SchemaError::Load(error)) => {
                let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
                let key = key_of(&settings, &error).map(|key| format!("`{key}`: "));
                let (key, source) = (key.unwrap_or_default(), source.unwrap_or_default());
                output::line(format_args!("refused: {key}{error}{source}"))?;
                return Ok(Exit::CheckFailed);
            }
        };
        match self.replay {
            Some(path) => replay::replay(&settings, gateway.schema(), &path),
            None => report(&settings, &source, &gateway),
        }
    }
}

/// The key that holds a selector of nothing.
fn key_of(settings: &Settings, error: &LoadError) -> Option<String> {
    let (list, index) = match error {
        LoadError::Selector { selector, .. } => {
            let mut rules = settings.options.rules.iter();
            ("http.rules", rules.position(|rule| rule.selector == *selector)?)
        }
        LoadError::OverrideSelector { selector, .. } => {
            let mut routes = settings.routes.iter();
            ("routes", routes.position(|route| route.selector == *selector)?)
        }
        _ => return None,
    };
    Some(format!("{list}[{index}].selector"))
}

fn report(settings: &Settings, source: &schema::Source, gateway: &Gateway) -> Result<Exit, Failure> {
    let schema = gateway.schema();
    let mut exit = Exit::Ok;
    for finding in findings::findings(settings, source, schema) {
        output::line(finding)?;
        exit = Exit::CheckFailed;
    }
    let mut report = schema.report();
    // Health and reflection are not the server's own, and need no route.
    report
        .unbound_rpcs
        .retain(|rpc| is_exposed(rpc.split('/').next().unwrap_or_default()));
    // All else may be meant.
    if !report.unreachable.is_empty() {
        exit = Exit::CheckFailed;
    }
    output::text(&report.to_string())?;
    let (routes, published) = (schema.routes().count(), Published::new(settings, schema));
    output::line(format_args!("{routes} routes; over gRPC {published}"))?;
    if exit == Exit::Ok {
        output::line("the schema and the settings are good")?;
    }
    Ok(exit)
}
