//! A line of the table while it is made: the unit, its process, and what is known of it.

use std::path::PathBuf;
use std::time::Duration;

use super::note;
use crate::child::free_address;
use crate::measure::Load;
use crate::report::UnitReport;
use crate::stage::{Behind, Cores, Running, checked, start};
use crate::unit::{Places, Setup, Unit};
use crate::workload::Cell;

/// A unit of this run.
pub(super) struct Line {
    pub(super) unit: Unit,
    pub(super) program: Option<PathBuf>,
    pub(super) running: Option<Running>,
    pub(super) report: UnitReport,
}

impl Line {
    pub(super) fn new(unit: Unit, places: &Places) -> Self {
        let program = unit.program(places);
        let report = UnitReport {
            name: unit.name.clone(),
            version: program
                .as_ref()
                .map_or_else(|| unit.version.clone(), |program| unit.told_version(program)),
            note: unit.note.clone(),
            not_run: program.is_none().then(|| unit.absence(places)),
            problem: None,
            checked: Default::default(),
            loaded_kib: None,
            syscalls: None,
            started_as: String::new(),
        };
        Self {
            unit,
            program,
            running: None,
            report,
        }
    }

    /// Whether it still serves; if it ended, that is its problem from here on.
    pub(super) fn still_runs(&mut self, round: usize) -> bool {
        let Some(running) = &mut self.running else {
            return false;
        };
        if running.process.runs() {
            return true;
        }
        let words = running.process.last_words();
        self.report.problem = Some(format!("ended in round {}: {words}", round + 1));
        self.running = None;
        false
    }

    /// Calls to it, if it serves.
    pub(super) fn load<'a>(
        &'a self,
        places: &'a Places,
        cores: Cores,
        behind: &Behind,
        cell: Cell,
        rate: Option<f64>,
    ) -> Option<Load<'a>> {
        let running = self.running.as_ref()?;
        Some(Load {
            own: &places.own,
            core: cores.others,
            target: running.address,
            pid: running.process.pid(),
            behind: behind.pids(),
            door: self.unit.door,
            connections: self.unit.connections,
            cell,
            accept: self.unit.accept(cell),
            rate,
        })
    }

    /// Starts it if it is there and measured, and checks its answers.
    pub(super) fn start(&mut self, places: &Places, cores: Cores, behind: &Behind, max: Duration, cells: &[Cell]) {
        let Some(program) = &self.program else { return };
        if !cells.iter().any(|cell| self.unit.cells.contains(cell)) {
            return;
        }
        note(&format!("starting {}", self.unit.name));
        let setup = free_address().map(|address| Setup {
            address,
            upstream: behind.address(self.unit.upstream),
            schema: self.unit.schema.into(),
            core: cores.unit,
        });
        let running = setup.map_err(|error| error.to_string()).and_then(|setup| {
            let words = self
                .unit
                .start(program, places, &setup)
                .map_err(|error| error.to_string())?;
            let words: Vec<_> = words
                .command
                .iter()
                .map(|word| word.to_string_lossy().into_owned())
                .collect();
            self.report.started_as = words.join(" ");
            start(&self.unit, program, places, &setup, max)
        });
        match running {
            Ok(running) => {
                self.report.checked = checked(&self.unit, &running, cells);
                self.running = Some(running);
            }
            Err(problem) => self.report.problem = Some(problem),
        }
    }
}
