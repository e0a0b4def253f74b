//! What a load run did: counts, failures by code, times of answers.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tonic::Status;

/// Most times that are kept; a longer run shows those of its newest calls.
const TIMES_MAX: usize = 100_000;

/// Counts of one run.
#[derive(Debug, Clone, Default)]
pub(super) struct Summary {
    placed: u64,
    cancelled: u64,
    skipped: u64,
    failures: BTreeMap<String, u64>,
    times: Vec<Duration>,
    calls: usize,
}

impl Summary {
    /// Notes that an order was placed, or why not.
    pub(super) fn placed(&mut self, time: Duration, outcome: Result<(), &Status>) {
        self.placed += u64::from(outcome.is_ok());
        self.note(time, outcome);
    }

    /// Notes that an order was cancelled, or why not.
    pub(super) fn cancelled(&mut self, time: Duration, outcome: Result<(), &Status>) {
        self.cancelled += u64::from(outcome.is_ok());
        self.note(time, outcome);
    }

    /// Notes that an order was not begun, because too many were under way.
    pub(super) fn skip(&mut self) {
        self.skipped += 1;
    }

    /// Returns how many calls failed or were not begun.
    pub(super) fn failed(&self) -> u64 {
        self.failures.values().sum::<u64>() + self.skipped
    }

    fn note(&mut self, time: Duration, outcome: Result<(), &Status>) {
        if let Err(status) = outcome {
            *self.failures.entry(format!("{:?}", status.code())).or_default() += 1;
        }
        if self.times.len() < TIMES_MAX {
            self.times.push(time);
        } else {
            self.times[self.calls % TIMES_MAX] = time;
        }
        self.calls += 1;
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} placed, {} cancelled, {} failed",
            self.placed,
            self.cancelled,
            self.failed()
        )?;
        for (code, count) in &self.failures {
            write!(f, ", {code} {count}")?;
        }
        if self.skipped > 0 {
            write!(f, ", {} not begun", self.skipped)?;
        }
        let mut times = self.times.clone();
        times.sort_unstable();
        let at = |share: usize| times.get((times.len() * share / 100).min(times.len().saturating_sub(1)));
        if let (Some(p50), Some(p95), Some(max)) = (at(50), at(95), times.last()) {
            let ms = |time: &Duration| time.as_secs_f64() * 1_000.0;
            write!(f, "; ms p50 {:.1}, p95 {:.1}, max {:.1}", ms(p50), ms(p95), ms(max))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_told_in_one_line() {
        let mut summary = Summary::default();
        assert_eq!(summary.to_string(), "0 placed, 0 cancelled, 0 failed");
        for ms in 1..=100 {
            summary.placed(Duration::from_millis(ms), Ok(()));
        }
        summary.cancelled(Duration::from_millis(1), Err(&Status::unavailable("x")));
        summary.skip();
        assert_eq!(
            summary.to_string(),
            "100 placed, 0 cancelled, 2 failed, Unavailable 1, 1 not begun; ms p50 50.0, p95 95.0, max 100.0"
        );
    }
}
