//! Measures what a call through a gateway costs: ours, its peers, and the limits. `README.md` says how to read it.

mod answers;
mod check;
mod child;
mod clock;
mod goals;
mod http1;
mod idle;
mod json;
mod latency;
mod load;
mod measure;
mod memory;
mod messages;
mod proc;
mod quiet;
mod report;
mod routes;
mod run;
mod servers;
mod slope;
mod stage;
mod statistics;
mod syscalls;
mod unit;
mod workload;

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use servers::backend::Schema;

#[derive(Debug, Parser)]
#[command(about = "Measures what a call through a gateway costs: ours, its peers, and the limits.")]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Starts everything, checks, measures, and prints the tables.
    Run(run::RunArgs),
    /// Serves the order service over gRPC.
    Backend {
        /// Address.
        #[arg(long)]
        listen: SocketAddr,
        /// What reflection shows.
        #[arg(long, default_value = "orders")]
        schema: Schema,
    },
    /// Serves stored JSON over HTTP/1.1 and HTTP/2.
    Plain {
        /// Address.
        #[arg(long)]
        listen: SocketAddr,
    },
    /// Forwards HTTP/1.1 to HTTP/2, and transcodes nothing.
    Limit {
        /// Address.
        #[arg(long)]
        listen: SocketAddr,
        /// The server behind it.
        #[arg(long)]
        upstream: SocketAddr,
    },
    /// Serves the order service with our gateway around it, in one process.
    InProcess {
        /// Address.
        #[arg(long)]
        listen: SocketAddr,
    },
    /// Calls, and prints the counts.
    Load(load::LoadArgs),
    /// Holds connections open until standard input ends.
    Idle(idle::IdleArgs),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = format!("error: {error}");
            let mut source = error.source();
            while let Some(error) = source {
                text.push_str(&format!(": {error}"));
                source = error.source();
            }
            // Nothing is left to tell it to.
            let _ = writeln!(io::stderr(), "{text}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<(), Box<dyn Error>> {
    if let Task::Run(args) = &task {
        return Ok(args.run()?);
    }
    // Each server and the generator have one thread: one core is theirs, shared.
    let runtime = child::runtime()?;
    runtime.block_on(async {
        match task {
            Task::Run(_) => Ok(()),
            Task::Backend { listen, schema } => Ok(servers::backend::run(listen, schema).await?),
            Task::Plain { listen } => Ok(servers::plain::run(listen).await?),
            Task::Limit { listen, upstream } => Ok(servers::limit::run(listen, upstream).await?),
            Task::InProcess { listen } => Ok(servers::in_process::run(listen).await?),
            Task::Load(args) => {
                let counts = load::run(&args).await?;
                Ok(serde_json::to_writer(io::stdout(), &counts)?)
            }
            Task::Idle(args) => Ok(idle::run(&args).await?),
        }
    })
}
