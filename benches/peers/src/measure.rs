//! One cell of one unit in one round: CPU time of all its threads over completed calls, and what else went on.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde::Serialize;

use crate::child::Start;
use crate::clock::now;
use crate::load::{Counts, Door};
use crate::proc::{MachineTime, ProcessTime, own_time};
use crate::quiet::Shares;
use crate::statistics::{Round, Rules};
use crate::workload::Cell;

/// Calls at once, in a closed loop.
const CALLS: usize = 16;

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Sample {
    /// Counts from 0.
    pub(crate) round: usize,
    /// The unit.
    pub(crate) unit: String,
    /// The call.
    pub(crate) cell: Cell,
    /// Microseconds of CPU per call; per message of a stream.
    pub(crate) cost_us: f64,
    /// The same of the servers behind the unit.
    pub(crate) behind_us: f64,
    /// Of the time, how much the unit was on a processor: 1 is one core.
    pub(crate) busy: f64,
    /// Share of the machine that neither the unit, the backend, the generator nor this program used.
    pub(crate) foreign: f64,
    /// Share of the machine that its host took.
    pub(crate) steal: f64,
    /// Measurements before it, which others or the host disturbed.
    pub(crate) again: usize,
    /// Calls a second that were due; none in a closed loop.
    pub(crate) rate: Option<f64>,
    /// Where it cannot count: answers that were no success, or broken connections.
    pub(crate) problem: Option<String>,
    /// What the generator counted.
    pub(crate) counts: Counts,
}

impl Sample {
    /// As the statistics take it.
    pub(crate) fn as_round(&self) -> Round {
        Round {
            number: self.round,
            cost: self.cost_us,
            foreign: self.foreign,
            steal: self.steal,
            late: 0.0,
        }
    }

    /// The same with the servers behind it.
    pub(crate) fn as_whole_round(&self) -> Round {
        let round = self.as_round();
        let cost = round.cost + self.behind_us;
        Round { cost, ..round }
    }

    /// The same of the latency that 99 of 100 calls did not exceed.
    pub(crate) fn as_latency_round(&self) -> Round {
        let cost = self.counts.p99_us;
        let late = self.counts.late_p99_us / cost.max(f64::EPSILON);
        let round = self.as_round();
        Round { cost, late, ..round }
    }
}

/// What is called, by whom, and who else works for it.
#[derive(Debug, Clone)]
pub(crate) struct Load<'a> {
    /// This program.
    pub(crate) own: &'a std::path::Path,
    /// The core of the generator.
    pub(crate) core: Option<usize>,
    /// The unit.
    pub(crate) target: SocketAddr,
    /// Its process.
    pub(crate) pid: u32,
    /// Processes behind it.
    pub(crate) behind: [u32; 2],
    /// What it speaks.
    pub(crate) door: Door,
    /// How many connections, if not those that its door has.
    pub(crate) connections: Option<usize>,
    /// The call.
    pub(crate) cell: Cell,
    /// The Accept header.
    pub(crate) accept: &'a str,
    /// Calls a second; as fast as they are answered without.
    pub(crate) rate: Option<f64>,
}

/// When a measurement is calm enough to count.
pub(crate) struct Calm<'a> {
    /// What counts.
    pub(crate) rules: &'a Rules,
    /// How often it is tried at most.
    pub(crate) tries: usize,
    /// How long calls are made before each.
    pub(crate) warm: Duration,
}

/// Times at one moment.
struct Reading {
    at: Instant,
    machine: MachineTime,
    own: Duration,
    unit: ProcessTime,
    behind: Vec<ProcessTime>,
}

impl Load<'_> {
    /// Has the unit called for that long, and measures nothing.
    pub(crate) fn warm(&self, duration: Duration) -> io::Result<Counts> {
        self.generate(duration)
    }

    /// Has the unit called for that long.
    pub(crate) fn measure(&self, unit: &str, round: usize, duration: Duration) -> io::Result<Sample> {
        let before = self.read()?;
        let counts = self.generate(duration)?;
        let after = self.read()?;
        let elapsed = after.at.duration_since(before.at).as_secs_f64();
        let used = after.unit.since(&before.unit).as_secs_f64();
        let behind: Duration = after
            .behind
            .iter()
            .zip(&before.behind)
            .map(|(after, before)| after.since(before))
            .sum();
        let ours = used + behind.as_secs_f64() + after.own.saturating_sub(before.own).as_secs_f64();
        let shares = Shares {
            all: after.machine.since(&before.machine),
            ours,
        };
        let done = counts.calls * self.cell.messages();
        let problem = problem(&counts).or_else(|| too_slow(&counts, self.rate?));
        Ok(Sample {
            round,
            unit: unit.to_owned(),
            cell: self.cell,
            cost_us: used * 1e6 / done.max(1) as f64,
            behind_us: behind.as_secs_f64() * 1e6 / done.max(1) as f64,
            busy: used / elapsed,
            foreign: shares.foreign(),
            steal: shares.steal(),
            again: 0,
            rate: self.rate,
            problem,
            counts,
        })
    }

    /// The same, taken again while others or the host disturb it, but no more often than that. Only who else had the
    /// machine decides, and never what was measured, so that no unit is favoured. The last is given back, whether it
    /// counts or not; if it does not, that the unit was too slow in it is not the unit's fault.
    pub(crate) fn measure_calm(
        &self,
        unit: &str,
        round: usize,
        duration: Duration,
        calm: &Calm<'_>,
    ) -> io::Result<Sample> {
        let mut again = 0;
        loop {
            self.warm(calm.warm)?;
            let sample = self.measure(unit, round, duration)?;
            // What fails is not tried until it succeeds.
            let is_final = calm.rules.keeps(&sample.as_round()) || problem(&sample.counts).is_some();
            if is_final || again + 1 >= calm.tries {
                let problem = sample.problem.filter(|_| is_final);
                return Ok(Sample {
                    again,
                    problem,
                    ..sample
                });
            }
            again += 1;
        }
    }

    fn read(&self) -> io::Result<Reading> {
        Ok(Reading {
            at: now(),
            machine: MachineTime::read()?,
            own: own_time()?,
            unit: ProcessTime::of(self.pid)?,
            behind: self
                .behind
                .iter()
                .map(|pid| ProcessTime::of(*pid))
                .collect::<io::Result<_>>()?,
        })
    }

    fn generate(&self, duration: Duration) -> io::Result<Counts> {
        self.generate_under(&[], duration)
    }

    /// The same, with the words of another program before the generator's.
    pub(crate) fn generate_under(&self, before: &[OsString], duration: Duration) -> io::Result<Counts> {
        // As many calls at once over either door; at a fixed rate, more than are ever in progress.
        let connections = match (self.rate, self.door) {
            (Some(_), _) => 64,
            (None, Door::Rest) => self.connections.unwrap_or(CALLS),
            (None, Door::Grpc) => self.connections.unwrap_or(4),
        };
        let streams = (CALLS / connections).max(1);
        let mut words: Vec<OsString> = [
            "load".into(),
            "--target".into(),
            self.target.to_string(),
            "--door".into(),
            value(self.door),
            "--cell".into(),
            self.cell.name().to_owned(),
            "--accept".into(),
            self.accept.to_owned(),
            "--connections".into(),
            connections.to_string(),
            "--streams".into(),
            streams.to_string(),
            "--seconds".into(),
            duration.as_secs_f64().to_string(),
        ]
        .into_iter()
        .map(OsString::from)
        .collect();
        if let Some(rate) = self.rate {
            words.extend(["--rate".into(), rate.to_string().into()]);
        }
        let own = [self.own.as_os_str().to_owned()];
        let start = Start {
            command: before.iter().cloned().chain(own).chain(words).collect(),
            environment: Vec::new(),
            core: self.core,
            log: Default::default(),
        };
        let output = start.command().stdin(Stdio::null()).stderr(Stdio::piped()).output()?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            let first_failure = Some(words);
            return Ok(Counts {
                broken: 1,
                first_failure,
                ..Counts::default()
            });
        }
        serde_json::from_slice(&output.stdout).map_err(io::Error::other)
    }
}

fn value(door: Door) -> String {
    door.to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}

fn problem(counts: &Counts) -> Option<String> {
    let failed = counts.failed + counts.broken;
    if failed == 0 && counts.calls > 0 {
        return None;
    }
    let first = counts.first_failure.as_deref().unwrap_or("no call was answered");
    Some(format!("{failed} of {} calls failed: {first}", counts.calls + failed))
}

/// Calls that were due were answered only after all of them had been.
fn too_slow(counts: &Counts, rate: f64) -> Option<String> {
    const KEPT: f64 = 0.95;
    let answered = counts.calls as f64 / counts.seconds.max(f64::EPSILON);
    (answered < rate * KEPT).then(|| format!("{answered:.0} of {rate:.0} calls a second were answered"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_that_does_not_keep_up_has_a_problem() {
        let counts = |calls| Counts {
            calls,
            seconds: 2.0,
            ..Counts::default()
        };
        assert_eq!(too_slow(&counts(1_960), 1_000.0), None);
        assert_eq!(
            too_slow(&counts(1_500), 1_000.0).unwrap(),
            "750 of 1000 calls a second were answered"
        );
    }

    #[test]
    fn any_failed_call_is_a_problem() {
        let counts = |calls, failed, first: Option<&str>| Counts {
            calls,
            failed,
            first_failure: first.map(str::to_owned),
            ..Counts::default()
        };
        assert_eq!(problem(&counts(10, 0, None)), None);
        assert_eq!(
            problem(&counts(9, 1, Some("status 503"))).unwrap(),
            "1 of 10 calls failed: status 503"
        );
        assert_eq!(
            problem(&counts(0, 0, None)).unwrap(),
            "0 of 0 calls failed: no call was answered"
        );
    }
}
