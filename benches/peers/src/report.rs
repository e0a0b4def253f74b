//! All that a run found: as JSON, and as tables.

mod markdown;

use serde::Serialize;

use crate::goals::{self, OURS, Outcome};
use crate::measure::Sample;
use crate::memory::Standing;
use crate::stage::{Checked, Cores};
use crate::statistics::{Claim, Round, Rules};
use crate::workload::Cell;

/// All that a run found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The words of the command.
    pub(crate) command: String,
    /// Processor, memory, kernel.
    pub(crate) machine: String,
    /// Commit, compiler, profile.
    pub(crate) build: String,
    /// Who ran where.
    pub(crate) cores: Cores,
    /// What counts.
    pub(crate) rules: Rules,
    /// Rounds asked for, and seconds of each.
    pub(crate) rounds: usize,
    /// Of each measurement.
    pub(crate) seconds: f64,
    /// Columns.
    pub(crate) cells: Vec<Cell>,
    /// Lines, in order.
    pub(crate) units: Vec<UnitReport>,
    /// Every measurement.
    pub(crate) samples: Vec<Sample>,
    /// Before each round: the foreign share, and how long was waited for it to fall.
    pub(crate) waits: Vec<(f64, f64)>,
    /// Start and memory.
    pub(crate) standings: Vec<Standing>,
    /// What ours was meant to reach.
    pub(crate) goals: Vec<Outcome>,
}

/// A unit, measured or not.
#[derive(Debug, Serialize)]
pub(crate) struct UnitReport {
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// What it does not do, or does otherwise.
    pub(crate) note: String,
    /// Why it was not run.
    pub(crate) not_run: Option<String>,
    /// Why it does not serve.
    pub(crate) problem: Option<String>,
    /// What the checks said.
    pub(crate) checked: Checked,
    /// Resident KiB after the rounds, and the most.
    pub(crate) loaded_kib: Option<(u64, u64)>,
    /// What it was started with.
    pub(crate) started_as: String,
}

impl Report {
    /// Fills in what follows from the samples.
    pub(crate) fn conclude(&mut self) {
        self.goals = goals::outcomes(|unit, cell| self.ratio(OURS, unit, cell));
    }

    /// The ratio of two units' costs, if both have any.
    fn ratio(&self, one: &str, other: &str, cell: Cell) -> Option<Claim> {
        let (one, other) = (self.rounds_of(one, cell), self.rounds_of(other, cell));
        (!one.is_empty() && !other.is_empty()).then(|| self.rules.claim(&one, &other))
    }

    /// Rounds without a problem. One with a problem fails the cell: it has none.
    fn rounds_of(&self, unit: &str, cell: Cell) -> Vec<Round> {
        let samples = self.samples_of(unit, cell);
        if samples.iter().any(|sample| sample.problem.is_some()) {
            return Vec::new();
        }
        samples.iter().map(|sample| sample.as_round()).collect()
    }

    fn samples_of(&self, unit: &str, cell: Cell) -> Vec<&Sample> {
        let samples = self.samples.iter();
        samples
            .filter(|sample| sample.unit == unit && sample.cell == cell)
            .collect()
    }
}
