//! Whether others leave the machine alone: their share of it while something is measured, and the wait before it.

use std::io;
use std::time::{Duration, Instant};

use crate::clock::now;
use crate::proc::{MachineTime, ProcessTime, own_time, processors};

/// Who had the machine's processors, in seconds of one processor.
pub(crate) struct Shares {
    /// All there was.
    pub(crate) machine: f64,
    pub(crate) idle: f64,
    pub(crate) steal: f64,
    /// The unit, what is behind it, and the harness with its generator.
    pub(crate) ours: f64,
}

impl Shares {
    /// What is left: a share of all. The counters move in steps, so it may come out a little below nothing.
    pub(crate) fn foreign(&self) -> f64 {
        ((self.machine - self.idle - self.steal - self.ours) / self.machine).max(0.0)
    }
}

/// Watches the machine while processes are started and ended.
pub(crate) struct Watch {
    at: Instant,
    machine: MachineTime,
    own: Duration,
    behind: Vec<ProcessTime>,
}

impl Watch {
    /// Begins.
    pub(crate) fn begin(behind: &[u32]) -> io::Result<Self> {
        Ok(Self {
            at: now(),
            machine: MachineTime::read()?,
            own: own_time()?,
            behind: behind
                .iter()
                .map(|pid| ProcessTime::of(*pid))
                .collect::<io::Result<_>>()?,
        })
    }

    /// Shares of the machine that others and its host had; of units that were started, one still runs.
    pub(crate) fn end(&self, behind: &[u32], unit: u32) -> io::Result<(f64, f64)> {
        let machine = MachineTime::read()?;
        let mut ours = own_time()?.saturating_sub(self.own) + ProcessTime::of(unit)?.since(&ProcessTime::default());
        for (pid, before) in behind.iter().zip(&self.behind) {
            ours += ProcessTime::of(*pid)?.since(before);
        }
        let shares = Shares {
            machine: self.at.elapsed().as_secs_f64() * processors() as f64,
            idle: machine.idle.saturating_sub(self.machine.idle).as_secs_f64(),
            steal: machine.steal.saturating_sub(self.machine.steal).as_secs_f64(),
            ours: ours.as_secs_f64(),
        };
        Ok((shares.foreign(), shares.steal / shares.machine))
    }
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
}
