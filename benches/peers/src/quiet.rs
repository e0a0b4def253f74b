//! Whether others leave the machine alone: their share of it while something is measured, and the wait before it.

use std::io;
use std::time::Duration;

use crate::clock::now;
use crate::proc::{MachineTime, MachineUse, ProcessTime, own_time};

/// Who had the machine's processors.
pub(crate) struct Shares {
    pub(crate) all: MachineUse,
    /// Seconds of the unit, of what is behind it, and of the harness with its generator.
    pub(crate) ours: f64,
}

impl Shares {
    /// What others used: a share of all. The counters move in steps, so it may come out a little below nothing.
    pub(crate) fn foreign(&self) -> f64 {
        ((self.all.used - self.ours) / self.all.machine.max(f64::EPSILON)).max(0.0)
    }

    /// What the machine's host took: a share of all.
    pub(crate) fn steal(&self) -> f64 {
        self.all.steal / self.all.machine.max(f64::EPSILON)
    }
}

/// Watches the machine while processes are started and ended.
pub(crate) struct Watch {
    machine: MachineTime,
    own: Duration,
    behind: Vec<ProcessTime>,
}

impl Watch {
    /// Begins.
    pub(crate) fn begin(behind: &[u32]) -> io::Result<Self> {
        Ok(Self {
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
            all: machine.since(&self.machine),
            ours: ours.as_secs_f64(),
        };
        Ok((shares.foreign(), shares.steal()))
    }
}

/// Waits until others leave the machine alone for half a second, but no longer than that; the share that they had last.
pub(crate) fn quiet(share_max: f64, patience: Duration, behind: &[u32]) -> io::Result<(f64, Duration)> {
    const WINDOW: Duration = Duration::from_millis(500);
    let begin = now();
    loop {
        let (before, own) = (MachineTime::read()?, own_time()?);
        let ours: Vec<_> = behind
            .iter()
            .map(|pid| ProcessTime::of(*pid))
            .collect::<io::Result<_>>()?;
        std::thread::sleep(WINDOW.min(patience));
        let after = MachineTime::read()?;
        let mut used = own_time()?.saturating_sub(own);
        for (pid, before) in behind.iter().zip(&ours) {
            used += ProcessTime::of(*pid)?.since(before);
        }
        let shares = Shares {
            all: after.since(&before),
            ours: used.as_secs_f64(),
        };
        if shares.foreign() <= share_max || begin.elapsed() >= patience {
            return Ok((shares.foreign(), begin.elapsed()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_of_ours_used_is_foreign() {
        let shares = |used, ours| Shares {
            all: MachineUse {
                machine: 4.0,
                used,
                steal: 0.1,
            },
            ours,
        };
        assert!((shares(3.4, 3.2).foreign() - 0.05).abs() < 1e-9);
        assert!(shares(3.19, 3.2).foreign().abs() < 1e-9);
        assert!((shares(3.4, 3.2).steal() - 0.025).abs() < 1e-9);
    }
}
