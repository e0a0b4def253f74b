//! What a unit takes without any work: time to its first answer, memory idle, and memory of idle connections.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde::Serialize;

use crate::child::free_address;
use crate::load::Door;
use crate::proc::resident_kib;
use crate::quiet::{Watch, quiet};
use crate::servers::backend::Schema;
use crate::stage::{Behind, Cores, Running, start};
use crate::statistics::Spread;
use crate::unit::{Places, Setup, Unit};

/// After the last answer, before memory is read.
const SETTLE: Duration = Duration::from_millis(300);

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Standing {
    /// The unit.
    pub(crate) unit: String,
    /// Services that it served.
    pub(crate) services: usize,
    /// Milliseconds from the start of the process to the first answer.
    pub(crate) ready_ms: Option<Spread>,
    /// Share of the machine that others used meanwhile.
    pub(crate) foreign: f64,
    /// Share that its host took.
    pub(crate) steal: f64,
    /// Resident memory after that answer.
    pub(crate) idle_kib: Option<u64>,
    /// More of it for each connection that was used once and stays open.
    pub(crate) connection_kib: Option<f64>,
    /// How many there were.
    pub(crate) connections: usize,
    /// Why so many could not be held.
    pub(crate) connection_problem: Option<String>,
    /// What went wrong.
    pub(crate) problem: Option<String>,
}

/// How often, and with how many connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standings {
    /// Starts.
    pub(crate) starts: usize,
    /// Connections.
    pub(crate) connections: usize,
    /// Share of the machine that others may have.
    pub(crate) foreign_max: f64,
    /// Longest wait for them to have no more.
    pub(crate) patience: Duration,
    /// Longest start.
    pub(crate) start_max: Duration,
}

impl Standings {
    /// Starts the unit that often, with ten services if it takes any, and looks at the last one.
    pub(crate) fn of(self, unit: &Unit, program: &Path, places: &Places, cores: Cores) -> Standing {
        let ten = unit.any_schema && Schema::from(unit.schema) == Schema::Orders;
        let schema = if ten { Schema::Ten } else { unit.schema.into() };
        let mut standing = Standing {
            unit: unit.name.clone(),
            services: if ten { 10 } else { 1 },
            ready_ms: None,
            foreign: 0.0,
            steal: 0.0,
            idle_kib: None,
            connection_kib: None,
            connections: self.connections,
            connection_problem: None,
            problem: None,
        };
        if let Err(problem) = self.fill(&mut standing, unit, program, places, cores, schema) {
            standing.problem = Some(problem);
        }
        standing
    }

    fn fill(
        self,
        standing: &mut Standing,
        unit: &Unit,
        program: &Path,
        places: &Places,
        cores: Cores,
        schema: Schema,
    ) -> Result<(), String> {
        let told = |error: std::io::Error| error.to_string();
        let behind = Behind::start(places, cores, schema).map_err(told)?;
        quiet(self.foreign_max, self.patience, &behind.pids()).map_err(told)?;
        let watch = Watch::begin(&behind.pids()).map_err(told)?;
        let mut times = Vec::new();
        let mut last: Option<Running> = None;
        for _ in 0..self.starts {
            // The one before has to be gone.
            drop(last.take());
            let setup = Setup {
                address: free_address().map_err(told)?,
                upstream: behind.address(unit.upstream),
                schema,
                core: cores.unit,
            };
            let running = start(unit, program, places, &setup, self.start_max)?;
            times.push(running.ready.as_secs_f64() * 1e3);
            last = Some(running);
        }
        standing.ready_ms = Spread::of(times);
        let Some(running) = last else { return Ok(()) };
        (standing.foreign, standing.steal) = watch.end(&behind.pids(), running.process.pid()).map_err(told)?;
        std::thread::sleep(SETTLE);
        let (idle_kib, _) = resident_kib(running.process.pid()).map_err(told)?;
        standing.idle_kib = Some(idle_kib);
        if unit.door == Door::Rest && self.connections > 0 {
            let held = match Held::open(places, cores, running.address, self.connections) {
                Ok(held) => held,
                Err(problem) => {
                    standing.connection_problem = Some(problem);
                    return Ok(());
                }
            };
            std::thread::sleep(SETTLE);
            let (now_kib, _) = resident_kib(running.process.pid()).map_err(told)?;
            drop(held);
            standing.connection_kib = Some(now_kib.saturating_sub(idle_kib) as f64 / self.connections as f64);
        }
        Ok(())
    }
}

/// Connections, open until this is dropped.
struct Held(Child);

impl Held {
    fn open(places: &Places, cores: Cores, target: SocketAddr, connections: usize) -> Result<Self, String> {
        let mut command = match cores.others {
            Some(core) => {
                let mut command = Command::new("taskset");
                command.args(["--cpu-list", &core.to_string()]).arg(&places.own);
                command
            }
            None => Command::new(&places.own),
        };
        command.args([
            "idle",
            "--target",
            &target.to_string(),
            "--connections",
            &connections.to_string(),
        ]);
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut held = Self(child.map_err(|error| error.to_string())?);
        let mut line = String::new();
        let said = held
            .0
            .stdout
            .take()
            .map(|output| BufReader::new(output).read_line(&mut line));
        match said {
            Some(Ok(bytes)) if bytes > 0 => Ok(held),
            _ => {
                let mut why = String::new();
                if let Some(output) = held.0.stderr.take() {
                    let _ = BufReader::new(output).read_line(&mut why);
                }
                Err(format!("{connections} connections could not be held: {}", why.trim()))
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // It ends when its input does; one that ended already is what was wanted.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
