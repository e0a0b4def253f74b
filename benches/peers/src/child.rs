//! A process that the harness started: pinned, with its output in a file, ended by its id when it is dropped.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::clock::now;
use crate::load::{self, Door};
use crate::workload::Cell;

/// How often a starting unit is asked.
const ASK_EVERY: Duration = Duration::from_millis(1);

/// What to start.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    /// Program and arguments.
    pub(crate) command: Vec<OsString>,
    /// Variables besides the harness's own.
    pub(crate) environment: Vec<(String, String)>,
    /// The core that it runs on, if it is pinned.
    pub(crate) core: Option<usize>,
    /// Where what it says goes.
    pub(crate) log: PathBuf,
}

impl Start {
    /// The command, with the pin before it.
    pub(crate) fn command(&self) -> Command {
        let mut words = Vec::new();
        if let Some(core) = self.core {
            words.extend(["taskset".into(), "--cpu-list".into(), core.to_string().into()]);
        }
        words.extend(self.command.iter().cloned());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        for (name, value) in &self.environment {
            command.env(name, value);
        }
        command
    }

    /// Starts it.
    pub(crate) fn spawn(&self) -> io::Result<Started> {
        let since = now();
        let log = File::options().create(true).append(true).open(&self.log)?;
        let child = self
            .command()
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let log = self.log.clone();
        Ok(Started { child, log, since })
    }
}

/// A running process.
#[derive(Debug)]
pub(crate) struct Started {
    child: Child,
    log: PathBuf,
    since: Instant,
}

impl Started {
    /// Its id; `taskset` becomes what it starts, and keeps it.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the call is answered with a success; says how long after the start that was.
    ///
    /// # Errors
    ///
    /// It ended, or the time is over: with the last lines of its output.
    pub(crate) fn ready(
        &mut self,
        address: SocketAddr,
        door: Door,
        cell: Cell,
        max: Duration,
    ) -> Result<Duration, String> {
        let runtime = runtime().map_err(|error| error.to_string())?;
        loop {
            if let Ok(answer) = runtime.block_on(load::call(address, door, cell, "application/json"))
                && answer.status == success(door)
            {
                return Ok(self.since.elapsed());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("ended at its start with {status}: {}", self.last_words()));
            }
            if self.since.elapsed() > max {
                return Err(format!("no answer within {max:?}: {}", self.last_words()));
            }
            std::thread::sleep(ASK_EVERY);
        }
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The end of what it wrote.
    pub(crate) fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text[text.len().saturating_sub(600)..]).into_owned();
        let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(3)..].join(" | ")
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It has nothing to save, and one that ended already is what was wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The status of a success.
pub(crate) fn success(door: Door) -> u16 {
    match door {
        Door::Rest => 200,
        Door::Grpc => 0,
    }
}

/// A runtime on this thread.
pub(crate) fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// A loopback address that was free a moment ago.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Whether the file can be run.
pub(crate) fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}
