//! Holds connections open, each used once: what the memory of an idle connection is measured with.

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use clap::Args;

use crate::load::{LoadError, rest};

/// Whom to call, and how many connections to keep.
#[derive(Debug, Args)]
pub(crate) struct IdleArgs {
    /// The unit.
    #[arg(long)]
    pub(crate) target: SocketAddr,
    /// Connections.
    #[arg(long)]
    pub(crate) connections: usize,
}

/// Opens the connections, says so with a line on standard output, and keeps them until standard input ends.
pub(crate) async fn run(args: &IdleArgs) -> Result<(), LoadError> {
    let mut held = Vec::with_capacity(args.connections);
    for _ in 0..args.connections {
        held.push(rest::idle(args.target).await?);
    }
    writeln!(io::stdout(), "{}", held.len())?;
    io::stdout().flush()?;
    // Nothing else runs on this thread: the connections only have to stay.
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
