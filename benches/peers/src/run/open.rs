//! Latencies at a fixed rate, and system calls: what is measured of the units that run, after the rounds of cost.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use serde::Serialize;

use super::line::Line;
use super::{RunArgs, note};
use crate::measure::Sample;
use crate::quiet::quiet;
use crate::report::Report;
use crate::stage::{Behind, Cores};
use crate::statistics::Rules;
use crate::syscalls;
use crate::unit::Places;
use crate::workload::Cell;

/// Of its capacity, how much a unit is asked for.
const SHARE: f64 = 0.7;
/// The call whose latency is measured.
pub(crate) const CALL: Cell = Cell::Get;

/// How many calls a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pace {
    /// 70 % of what the unit answers in a closed loop of the same round.
    Own,
    /// The same for all in a round: 70 % of what the slowest answers in it.
    Same,
}

impl Pace {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Own, Self::Same];

    /// For a table.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Own => "70 % of own capacity",
            Self::Same => "same rate",
        }
    }
}

/// A measurement at a fixed rate.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct OpenSample {
    /// Of which rate.
    pub(crate) pace: Pace,
    /// What was measured.
    #[serde(flatten)]
    pub(crate) sample: Sample,
}

impl RunArgs {
    /// Rounds at fixed rates, interleaved as those of cost.
    pub(super) fn open(
        &self,
        lines: &mut [Line],
        places: &Places,
        cores: Cores,
        behind: &Behind,
        report: &mut Report,
    ) -> io::Result<()> {
        let measured = |line: &Line| line.unit.open_loop && matches!(line.report.checked.get(&CALL), Some(Ok(_)));
        let mut lines: Vec<_> = lines.iter_mut().filter(|line| measured(line)).collect();
        let count = lines.len();
        for round in 0..self.open_rounds {
            let patience = Duration::from_secs_f64(self.quiet_wait);
            let (share, _) = quiet(self.foreign_max / 100.0, patience, &behind.pids())?;
            note(&format!(
                "round {} of {} at fixed rates: others have {:.1} %",
                round + 1,
                self.open_rounds,
                share * 100.0
            ));
            let mut capacities = BTreeMap::new();
            for line in &lines {
                if let Some(calls) = self.capacity(line, places, cores, behind, &report.rules)? {
                    capacities.insert(line.unit.name.clone(), calls);
                }
            }
            let slowest = capacities.values().copied().fold(f64::INFINITY, f64::min);
            for pace in Pace::ALL {
                for place in 0..count {
                    let line = &mut lines[(place + round) % count];
                    let Some(own) = capacities.get(&line.unit.name) else {
                        continue;
                    };
                    let rate = SHARE * if pace == Pace::Own { *own } else { slowest };
                    if !line.still_runs(round) {
                        continue;
                    }
                    let Some(load) = line.load(places, cores, behind, CALL, Some(rate)) else {
                        continue;
                    };
                    let calm = self.calm(&report.rules);
                    let duration = Duration::from_secs_f64(self.open_seconds);
                    let sample = load.measure_calm(&line.unit.name, round, duration, &calm)?;
                    report.open.push(OpenSample { pace, sample });
                }
            }
        }
        Ok(())
    }

    /// Calls a second in a closed loop, measured in the round that is to use it: how fast a machine is that it shares
    /// with others changes within minutes.
    fn capacity(
        &self,
        line: &Line,
        places: &Places,
        cores: Cores,
        behind: &Behind,
        rules: &Rules,
    ) -> io::Result<Option<f64>> {
        let Some(load) = line.load(places, cores, behind, CALL, None) else {
            return Ok(None);
        };
        let duration = Duration::from_secs_f64(self.open_seconds);
        let sample = load.measure_calm(&line.unit.name, 0, duration, &self.calm(rules))?;
        Ok(sample.problem.is_none().then(|| rate(&sample)))
    }

    /// System calls, once for each unit.
    pub(super) fn count_syscalls(&self, lines: &mut [Line], places: &Places, cores: Cores, behind: &Behind) {
        for line in lines {
            if !matches!(line.report.checked.get(&CALL), Some(Ok(_))) || !line.still_runs(self.rounds) {
                continue;
            }
            let load = line.load(places, cores, behind, CALL, None);
            let counted = load.map(|load| syscalls::per_call(&load, &places.work));
            line.report.syscalls = counted;
        }
    }
}

fn rate(sample: &Sample) -> f64 {
    sample.counts.calls as f64 / sample.counts.seconds.max(f64::EPSILON)
}
