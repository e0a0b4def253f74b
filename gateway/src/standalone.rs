//! The stand-alone gateway: the command line of `millrace-gateway`, a proxy before any gRPC server.
//!
//! `millrace-gateway` alone is `millrace-gateway run`, and takes its flags. Data goes to standard output; logs, notes
//! and errors to standard error. Every command reads the same settings (`settings`); `run` serves by the same library
//! that an embedder uses.

mod check;
mod config;
mod explain;
mod failure;
mod findings;
mod log;
mod published;
mod replay;
mod routes;
mod run;
mod schema;
mod settings;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use millrace_cli::{Environment, Exit, Failure, output};
use serde_json::Value;

use settings::{Flag, Loaded, PREFIX};

/// What the help ends with.
const AFTER_HELP: &str = "\
Settings come from the file of --config (TOML, or YAML such as a google.api.Service),
then from variables MILLRACE_GATEWAY_<SECTION>__<KEY>, then from flags; the later wins.
`millrace-gateway config` lists each with its default, its source and what it does.

Exit codes:
    0  all is well
    1  a check failed
    2  the command line makes no sense, or a value in it
    3  a setting of the file or the environment is wrong, or the schema cannot be served
    4  something is missing or does not answer, or an address is taken
  130  interrupted";

/// REST and JSON in front of any gRPC server.
#[derive(Debug, Parser)]
#[command(
    name = "millrace-gateway",
    version,
    args_conflicts_with_subcommands = true,
    max_term_width = 100,
    after_help = AFTER_HELP
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: SettingsArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves (this is what `millrace-gateway` alone does)
    Run(SettingsArgs),
    /// Lists the routes: METHOD PATH, RPC, body, upstream
    Routes(routes::Routes),
    /// Loads everything and says what is wrong with it; with --replay, what of recorded traffic would be refused
    Check(check::Check),
    /// Says why a request is answered as it is: route, rejected candidates, fields and their sources, message, grpcurl
    Explain(explain::Explain),
    /// Lists every setting with its default, its value and what it does
    Config(config::Config),
}

/// The flags that every command takes.
#[derive(Debug, Clone, Default, Args)]
struct SettingsArgs {
    /// Address for REST, gRPC and gRPC-Web [env: MILLRACE_GATEWAY_LISTEN=] [default: 127.0.0.1:8080]
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<String>,
    /// Address for metrics and health, or `off` [env: MILLRACE_GATEWAY_ADMIN_LISTEN=] [default: 127.0.0.1:9464]
    #[arg(long, value_name = "IP:PORT|off")]
    admin_listen: Option<String>,
    /// A gRPC server, as in http://127.0.0.1:50051; may be repeated [env: MILLRACE_GATEWAY_UPSTREAMS=]
    #[arg(long, value_name = "URL")]
    upstream: Vec<String>,
    /// An encoded FileDescriptorSet with imports; may be repeated [env: MILLRACE_GATEWAY_DESCRIPTORS=] [default: the
    /// upstreams are asked by server reflection]
    #[arg(long, value_name = "FILE")]
    descriptors: Vec<PathBuf>,
    /// Settings in TOML, or in YAML by the name's ending
    #[arg(long, value_name = "FILE", env = "MILLRACE_GATEWAY_CONFIG")]
    config: Option<PathBuf>,
    /// How log lines look [env: MILLRACE_GATEWAY_LOG__FORMAT=] [default: auto] [possible values: auto, pretty, json]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

impl SettingsArgs {
    /// Reads the settings from everywhere.
    fn load(&self, environment: Environment) -> Result<Loaded, Failure> {
        settings::load(self.config.as_deref(), environment, self.flags()?).map_err(failure::of_settings)
    }

    fn flags(&self) -> Result<Vec<Flag>, Failure> {
        let mut flags: Vec<Flag> = Vec::new();
        for (key, given) in [
            ("listen", &self.listen),
            ("admin_listen", &self.admin_listen),
            ("log.format", &self.log_format),
        ] {
            if let Some(text) = given {
                flags.push((key, Value::from(text.as_str())));
            }
        }
        if !self.upstream.is_empty() {
            flags.push(("upstreams", Value::from(self.upstream.clone())));
        }
        if !self.descriptors.is_empty() {
            let names = self.descriptors.iter().map(|path| path.to_str().map(Value::from));
            let names = names.collect::<Option<Vec<_>>>();
            let names =
                names.ok_or_else(|| Failure::plain(Exit::Usage, "the name of a descriptor file is not UTF-8"))?;
            flags.push(("descriptors", Value::from(names)));
        }
        Ok(flags)
    }
}

/// Runs the program: reads the command line and the environment, and does what they say.
pub fn main() -> ExitCode {
    // Ends the process itself for --help, --version and mistakes in usage.
    let cli = Cli::parse();
    millrace_cli::run(run(cli))
}

async fn run(cli: Cli) -> Result<Exit, Failure> {
    let environment = millrace_cli::environment(std::env::vars_os(), PREFIX)?;
    match cli.command.unwrap_or(Command::Run(cli.run)) {
        Command::Run(settings) => run::run(&settings, environment).await,
        Command::Routes(routes) => routes.run(environment).await,
        Command::Check(check) => check.run(environment).await,
        Command::Explain(explain) => explain.run(environment).await,
        Command::Config(config) => config.run(environment),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn runs_flags_work_without_its_name() {
        for (arguments, good) in [
            (&["millrace-gateway"][..], true),
            (
                &[
                    "millrace-gateway",
                    "--upstream",
                    "http://h:1",
                    "--upstream",
                    "http://h:2",
                ],
                true,
            ),
            (
                &[
                    "millrace-gateway",
                    "run",
                    "--listen",
                    "127.0.0.1:0",
                    "--admin-listen",
                    "off",
                ],
                true,
            ),
            (
                &["millrace-gateway", "routes", "--descriptors", "a.binpb", "--json"],
                true,
            ),
            (&["millrace-gateway", "check", "--replay", "access.log"], true),
            (&["millrace-gateway", "config", "--config", "a.yaml"], true),
            (&["millrace-gateway", "--listen", "127.0.0.1:0", "routes"], false),
            (&["millrace-gateway", "--upstreams", "http://h:1"], false),
        ] {
            assert_eq!(Cli::try_parse_from(arguments).is_ok(), good, "{arguments:?}");
        }
    }
}
