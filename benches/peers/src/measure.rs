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
use crate::proc::{MachineTime, ProcessTime, own_time, processors};
use crate::statistics::Round;
use crate::workload::Cell;

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
    /// Of the time, how much the unit was on a processor: 1 is one core.
    pub(crate) busy: f64,
    /// Share of the machine that neither the unit, the backend, the generator nor this program used.
    pub(crate) foreign: f64,
    /// Share of the machine that its host took.
    pub(crate) steal: f64,
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
        }
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
    pub(crate) behind: &'a [u32],
    /// What it speaks.
    pub(crate) door: Door,
    /// The call.
    pub(crate) cell: Cell,
    /// The Accept header.
    pub(crate) accept: &'a str,
}

/// Who had the machine's processors, in seconds of one processor.
struct Shares {
    /// All there was.
    machine: f64,
    idle: f64,
    steal: f64,
    /// The unit, what is behind it, and the harness with its generator.
    ours: f64,
}

impl Shares {
    /// What is left: a share of all. The counters move in steps, so it may come out a little below nothing.
    fn foreign(&self) -> f64 {
        ((self.machine - self.idle - self.steal - self.ours) / self.machine).max(0.0)
    }
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
            machine: elapsed * processors() as f64,
            idle: after.machine.idle.saturating_sub(before.machine.idle).as_secs_f64(),
            steal: after.machine.steal.saturating_sub(before.machine.steal).as_secs_f64(),
            ours,
        };
        let done = counts.calls * self.cell.messages();
        let problem = problem(&counts);
        Ok(Sample {
            round,
            unit: unit.to_owned(),
            cell: self.cell,
            cost_us: used * 1e6 / done.max(1) as f64,
            busy: used / elapsed,
            foreign: shares.foreign(),
            steal: shares.steal / shares.machine,
            problem,
            counts,
        })
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
        let words: Vec<OsString> = [
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
            // 16 calls at once over either door.
            if self.door == Door::Rest { "16" } else { "4" }.to_owned(),
            "--seconds".into(),
            duration.as_secs_f64().to_string(),
        ]
        .into_iter()
        .map(OsString::from)
        .collect();
        let start = Start {
            command: [self.own.as_os_str().to_owned()].into_iter().chain(words).collect(),
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

/// Waits until others leave the machine alone for half a second, but no longer than that; the share that they had last.
pub(crate) fn quiet(share_max: f64, patience: Duration, behind: &[u32]) -> io::Result<(f64, Duration)> {
    const WINDOW: Duration = Duration::from_millis(500);
    let begin = now();
    loop {
        let (at, before, own) = (now(), MachineTime::read()?, own_time()?);
        let ours: Vec<_> = behind
            .iter()
            .map(|pid| ProcessTime::of(*pid))
            .collect::<io::Result<_>>()?;
        std::thread::sleep(WINDOW.min(patience));
        let machine = at.elapsed().as_secs_f64() * processors() as f64;
        let after = MachineTime::read()?;
        let mut used = own_time()?.saturating_sub(own);
        for (pid, before) in behind.iter().zip(&ours) {
            used += ProcessTime::of(*pid)?.since(before);
        }
        let idle = after.idle.saturating_sub(before.idle);
        let share = 1.0 - (idle + used).as_secs_f64() / machine.max(f64::EPSILON);
        if share <= share_max || begin.elapsed() >= patience {
            return Ok((share.max(0.0), begin.elapsed()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_of_ours_used_is_foreign() {
        let shares = |idle, steal, ours| Shares {
            machine: 4.0,
            idle,
            steal,
            ours,
        };
        assert!((shares(0.5, 0.1, 3.2).foreign() - 0.05).abs() < 1e-9);
        assert!(shares(0.81, 0.0, 3.2).foreign().abs() < 1e-9);
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
