//! All that a run found: as JSON, and as tables.

mod conclusion;
mod markdown;
mod more;
mod standing;

use serde::Serialize;

use crate::goals::{self, Outcome, What};
use crate::measure::Sample;
use crate::memory::Standing;
use crate::run::OpenSample;
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
    /// Rounds at fixed rates asked for.
    pub(crate) open_rounds: usize,
    /// Every measurement at a fixed rate.
    pub(crate) open: Vec<OpenSample>,
    /// Of the whole run.
    pub(crate) seconds_taken: f64,
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
    /// System calls of one call, or why they were not counted.
    pub(crate) syscalls: Option<Result<f64, String>>,
    /// What it was started with.
    pub(crate) started_as: String,
}

impl Report {
    /// Fills in what follows from the samples.
    pub(crate) fn conclude(&mut self) {
        let mut goals = goals::outcomes(|one, other, what| self.compared(one, other, what));
        goals.extend(goals::standing_outcomes(&self.standings, &self.rules));
        self.goals = goals;
    }

    /// The ratio of two units' costs, if both have any.
    fn ratio(&self, one: &str, other: &str, cell: Cell) -> Option<Claim> {
        self.compared(one, other, What::Cost(cell)).map(|(_, claim)| claim)
    }

    /// The ratios of two units, and the same if one of them may be said to be less.
    fn compared(&self, one: &str, other: &str, what: What) -> Option<(Claim, Claim)> {
        let rounds = |unit: &str| match what {
            What::Cost(cell) => self.rounds_of(unit, cell),
            What::Whole(cell) if self.rounds_of(unit, cell).is_empty() => Vec::new(),
            What::Whole(cell) => {
                let samples = self.samples_of(unit, cell);
                samples.iter().map(|sample| sample.as_whole_round()).collect()
            }
            What::Slope => self.slope_rounds(unit),
            What::Latency(pace) => {
                let open = self.open_of(unit, pace);
                if open.iter().any(|open| open.sample.problem.is_some()) {
                    return Vec::new();
                }
                open.iter().map(|open| open.sample.as_latency_round()).collect()
            }
        };
        let (one, other) = (rounds(one), rounds(other));
        (!one.is_empty() && !other.is_empty())
            .then(|| (self.rules.ratios(&one, &other), self.rules.claim(&one, &other)))
    }

    fn slope_rounds(&self, unit: &str) -> Vec<Round> {
        self.lines_of(unit).into_iter().map(|(round, _)| round).collect()
    }

    /// Rounds without a problem. One with a problem fails the cell: it has none.
    fn rounds_of(&self, unit: &str, cell: Cell) -> Vec<Round> {
        let samples = self.samples_of(unit, cell);
        if samples.iter().any(|sample| sample.problem.is_some()) {
            return Vec::new();
        }
        samples.iter().map(|sample| sample.as_round()).collect()
    }

    pub(crate) fn samples_of(&self, unit: &str, cell: Cell) -> Vec<&Sample> {
        let samples = self.samples.iter();
        samples
            .filter(|sample| sample.unit == unit && sample.cell == cell)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Counts;

    /// A unit that answers rightly.
    pub(super) fn unit(name: &str) -> UnitReport {
        UnitReport {
            name: name.to_owned(),
            version: "1".to_owned(),
            note: String::new(),
            not_run: None,
            problem: None,
            checked: [(Cell::Get, Ok(Default::default()))].into(),
            loaded_kib: None,
            syscalls: None,
            started_as: String::new(),
        }
    }

    /// Of one cell: units, and what each costs in every round.
    pub(super) fn report(units: &[(&str, f64)], rounds: usize) -> Report {
        let sample = |(name, cost): &(&str, f64), round| Sample {
            round,
            unit: (*name).to_owned(),
            cell: Cell::Get,
            cost_us: *cost,
            behind_us: 5.0,
            busy: 1.0,
            foreign: 0.0,
            steal: 0.0,
            again: 0,
            rate: None,
            problem: None,
            counts: Counts::default(),
        };
        let mut report = Report {
            command: "run".to_owned(),
            machine: "a machine".to_owned(),
            build: "commit 1, profile dist".to_owned(),
            cores: Cores {
                unit: Some(1),
                others: Some(0),
            },
            rules: Rules {
                foreign_max: 0.05,
                steal_max: 0.02,
                rounds_min: 7,
                late_max: 0.5,
            },
            rounds,
            seconds: 1.0,
            cells: vec![Cell::Get],
            units: units.iter().map(|(name, _)| unit(name)).collect(),
            samples: (0..rounds)
                .flat_map(|round| units.iter().map(move |unit| sample(unit, round)))
                .collect(),
            open_rounds: 0,
            open: Vec::new(),
            seconds_taken: 1.0,
            waits: Vec::new(),
            standings: Vec::new(),
            goals: Vec::new(),
        };
        report.conclude();
        report
    }

    #[test]
    fn a_proxy_is_compared_with_what_is_behind_it() {
        let report = report(&[("one", 10.0), ("other", 20.0)], 7);
        let (ratios, _) = report.compared("one", "other", What::Whole(Cell::Get)).unwrap();
        assert!(
            matches!(ratios, Claim::Ratio(ratios) if (ratios.median - 0.6).abs() < 1e-9),
            "{ratios:?}"
        );
        assert!(report.compared("one", "nobody", What::Cost(Cell::Get)).is_none());
    }
}
