//! The command line. `millrace` alone is `millrace dev`, and takes its flags.
//!
//! Data goes to standard output; logs, notes and errors to standard error. Exit codes: 0 ok, 1 a check failed, 2 usage,
//! 3 configuration, 4 unreachable or missing, 130 interrupted.

mod completions;
mod config;
mod dev;
mod failure;
mod key;
mod listen;
mod load;
mod migrate;
mod new_service;
mod open;
mod open_files;
mod routes;
mod seed;
mod serve;
mod stopping;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use millrace_cli::{Environment, output};

pub use failure::Failure;
pub use millrace_cli::Exit;

/// What the help ends with.
const AFTER_HELP: &str = "\
Settings come from `millrace.toml`, then from variables MILLRACE_<SECTION>__<KEY>,
then from flags; the later wins. `millrace config show` lists each with its source.

Exit codes:
    0  all is well
    1  a check failed
    2  the command line makes no sense
    3  a setting is wrong, or a database is not the right one
    4  something is missing, taken, or does not answer
  130  interrupted";

/// A gRPC-first platform: one port for gRPC, gRPC-Web and REST over sharded databases.
#[derive(Debug, Parser)]
#[command(
    name = "millrace",
    version,
    args_conflicts_with_subcommands = true,
    max_term_width = 100,
    after_help = AFTER_HELP
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    dev: dev::Dev,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts the whole platform embedded in a folder: nothing to install (this is what `millrace` alone does)
    Dev(dev::Dev),
    /// Starts the platform on the databases of `millrace.toml` or the environment
    Serve(serve::Serve),
    /// Brings the schema of the databases up to date
    Migrate(migrate::Migrate),
    /// Makes sample data
    Seed(seed::Seed),
    /// Makes API keys without the API, as for the first operator
    #[command(subcommand)]
    Key(key::Key),
    /// Places and cancels orders through the public API
    Load(load::Load),
    /// Lists the routes: METHOD PATH, who may call, RPC
    ///
    /// Who may call is what `serve` makes of the settings; `dev` opens sign-up (identity.open_sign_up).
    Routes(routes::Routes),
    /// Shows or checks the settings
    #[command(subcommand)]
    Config(config::Config),
    /// Writes a new service: proto, module and the line that mounts it
    #[command(subcommand)]
    New(new_service::New),
    /// Prints what makes a shell complete `millrace`
    Completions(completions::Completions),
}

/// Runs the program: reads the command line and the environment, and does what they say.
pub fn main() -> ExitCode {
    // Ends the process itself for --help, --version and mistakes in usage.
    let cli = Cli::parse();
    millrace_cli::run(run(cli))
}

async fn run(cli: Cli) -> Result<Exit, Failure> {
    let environment = millrace_cli::environment(std::env::vars_os(), "MILLRACE_")?;
    match cli.command.unwrap_or(Command::Dev(cli.dev)) {
        Command::Dev(dev) => dev.run(environment).await,
        Command::Serve(serve) => serve.run(environment).await,
        Command::Migrate(migrate) => migrate.run(environment).await,
        Command::Seed(seed) => seed.run(environment).await,
        Command::Key(key) => key.run(environment).await,
        Command::Load(load) => load.run(environment).await,
        Command::Routes(routes) => routes.run(environment),
        Command::Config(config) => config.run(environment),
        Command::New(new) => new.run(),
        Command::Completions(completions) => completions.run(Cli::command()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn devs_flags_work_without_its_name() {
        for (arguments, good) in [
            (&["millrace"][..], true),
            (&["millrace", "--shards", "8", "--no-sample-data"], true),
            (&["millrace", "dev", "--shards", "8"], true),
            (&["millrace", "--admin-listen", "off", "--listen", "127.0.0.1:0"], true),
            (&["millrace", "--shards", "0"], false),
            (&["millrace", "--shards", "65"], false),
            (&["millrace", "--listen", "nowhere"], false),
            (&["millrace", "dve"], false),
            (&["millrace", "--shards", "8", "serve"], false),
            (&["millrace", "load", "--rate", "2/s", "--for", "30s"], true),
            (&["millrace", "load", "--rate", "2/h"], true),
            (&["millrace", "load", "--rate", "1e-30/s"], false),
            (&["millrace", "load", "--for", "30sss"], false),
            (&["millrace", "routes", "--config", "millrace.toml"], true),
            (&["millrace", "key", "create", "--admin"], true),
            (&["millrace", "migrate", "--dry-run"], true),
            (&["millrace", "config", "show"], true),
            (&["millrace", "new", "service", "shipping"], true),
            (&["millrace", "new", "service", "Shipping"], false),
        ] {
            assert_eq!(Cli::try_parse_from(arguments).is_ok(), good, "{arguments:?}");
        }
    }
}
