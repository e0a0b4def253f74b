//! What runs while something is measured: the backend, the plain server, and the units that are there.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::answers::Printing;
use crate::check::check;
use crate::child::{Start, Started, free_address};
use crate::load::Door;
use crate::servers::backend::Schema;
use crate::unit::{Places, Setup, Unit, Upstream};
use crate::workload::Cell;

/// Who runs where.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Cores {
    /// The unit under test, alone.
    pub(crate) unit: Option<usize>,
    /// Generator and backend.
    pub(crate) others: Option<usize>,
}

/// The two servers behind all units.
#[derive(Debug)]
pub(crate) struct Behind {
    grpc: (Started, SocketAddr),
    plain: (Started, SocketAddr),
}

impl Behind {
    /// Starts both.
    ///
    /// # Errors
    ///
    /// One does not answer.
    pub(crate) fn start(places: &Places, cores: Cores, schema: Schema) -> io::Result<Self> {
        let server = |kind: &str, door, more: &[&str]| {
            let address = free_address()?;
            let words = [kind, "--listen", &address.to_string()];
            let words = words.into_iter().chain(more.iter().copied()).map(Into::into);
            let start = Start {
                command: [places.own.clone().into_os_string()].into_iter().chain(words).collect(),
                environment: Vec::new(),
                core: cores.others,
                log: places.work.join(format!("{kind}.log")),
            };
            let mut started = start.spawn()?;
            let ready = started.ready(address, door, Cell::Get, Duration::from_secs(10));
            ready.map_err(|error| io::Error::other(format!("{kind}: {error}")))?;
            Ok::<_, io::Error>((started, address))
        };
        let schema = format!("{schema:?}").to_lowercase();
        Ok(Self {
            grpc: server("backend", Door::Grpc, &["--schema", &schema])?,
            plain: server("plain", Door::Rest, &[])?,
        })
    }

    /// Their processes.
    pub(crate) fn pids(&self) -> [u32; 2] {
        [self.grpc.0.pid(), self.plain.0.pid()]
    }

    /// What a unit calls.
    pub(crate) fn address(&self, upstream: Upstream) -> SocketAddr {
        match upstream {
            Upstream::Grpc | Upstream::None => self.grpc.1,
            Upstream::Plain => self.plain.1,
        }
    }
}

/// A unit that serves.
#[derive(Debug)]
pub(crate) struct Running {
    /// Its process.
    pub(crate) process: Started,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// From its start to the first answer.
    pub(crate) ready: Duration,
}

/// Starts a unit, and waits for its first right answer.
///
/// # Errors
///
/// It does not start, or takes longer than that.
pub(crate) fn start(
    unit: &Unit,
    program: &Path,
    places: &Places,
    setup: &Setup,
    max: Duration,
) -> Result<Running, String> {
    let start = unit.start(program, places, setup).map_err(|error| error.to_string())?;
    let mut process = start.spawn().map_err(|error| error.to_string())?;
    let first = unit.cells.first().copied().unwrap_or(Cell::Get);
    // A stream's first answer takes the right Accept header, which readiness does not need.
    let first = if first == Cell::Stream { Cell::Get } else { first };
    let ready = process.ready(setup.address, unit.door, first, max)?;
    Ok(Running {
        process,
        address: setup.address,
        ready,
    })
}

/// What the check of each cell said.
pub(crate) type Checked = BTreeMap<Cell, Result<Printing, String>>;

/// Checks all cells that are asked for and that the unit has.
pub(crate) fn checked(unit: &Unit, running: &Running, cells: &[Cell]) -> Checked {
    let offered = cells.iter().filter(|cell| unit.cells.contains(cell));
    offered
        .map(|cell| (*cell, check(unit, running.address, *cell)))
        .collect()
}
