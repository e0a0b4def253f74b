//! Latencies: in buckets of a width of about 1.6 %, without an allocation per call, and each one kept.

use std::time::Duration;

/// Buckets of one doubling.
const STEPS: u32 = 64;
/// Doublings, from a microsecond on: over an hour.
const DOUBLINGS: u32 = 32;

/// Counted latencies.
#[derive(Debug, Clone)]
pub(crate) struct Latency {
    buckets: Vec<u64>,
}

impl Default for Latency {
    fn default() -> Self {
        Self {
            buckets: vec![0; (STEPS * DOUBLINGS) as usize],
        }
    }
}

impl Latency {
    pub(crate) fn add(&mut self, latency: Duration) {
        let index = (latency.as_secs_f64() * 1e6).max(1.0).log2() * f64::from(STEPS);
        let last = self.buckets.len() - 1;
        self.buckets[(index as usize).min(last)] += 1;
    }

    pub(crate) fn join(&mut self, other: &Self) {
        for (bucket, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *bucket += more;
        }
    }

    /// The upper end of the bucket in which the quantile lies, in microseconds; 0 of none.
    pub(crate) fn quantile_us(&self, quantile: f64) -> f64 {
        let total: u64 = self.buckets.iter().sum();
        let wanted = (total as f64 * quantile).ceil() as u64;
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted && seen > 0 {
                return ((index + 1) as f64 / f64::from(STEPS)).exp2();
            }
        }
        0.0
    }
}

/// Latencies, each kept: for a number of calls that is known to be small.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exact {
    nanos: Vec<u64>,
}

impl Exact {
    pub(crate) fn add(&mut self, latency: Duration) {
        self.nanos.push(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn join(&mut self, other: Self) {
        self.nanos.extend(other.nanos);
    }

    /// The least that so large a part is not above, in microseconds; 0 of none.
    pub(crate) fn quantile_us(&mut self, quantile: f64) -> f64 {
        self.nanos.sort_unstable();
        let wanted = (self.nanos.len() as f64 * quantile).ceil() as usize;
        let nanos = self.nanos.get(wanted.saturating_sub(1));
        nanos.map_or(0.0, |nanos| *nanos as f64 / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_latency_is_kept() {
        let (mut one, mut other) = (Exact::default(), Exact::default());
        for micros in (1..=100).rev() {
            one.add(Duration::from_micros(micros));
        }
        other.add(Duration::from_micros(1_000));
        assert!((one.quantile_us(0.5) - 50.0).abs() < 1e-9);
        assert!((one.quantile_us(0.99) - 99.0).abs() < 1e-9);
        one.join(other);
        assert!((one.quantile_us(1.0) - 1_000.0).abs() < 1e-9);
        assert!(Exact::default().quantile_us(0.99).abs() < 1e-9);
    }

    #[test]
    fn quantiles_are_within_a_bucket() {
        let mut latency = Latency::default();
        for micros in 1..=1_000 {
            latency.add(Duration::from_micros(micros));
        }
        let mut twice = latency.clone();
        twice.join(&latency);
        for (quantile, expected) in [(0.5, 500.0), (0.99, 990.0)] {
            let found = twice.quantile_us(quantile);
            assert!((found / expected - 1.0).abs() < 0.02, "{quantile}: {found}");
        }
        assert!(Latency::default().quantile_us(0.5).abs() < f64::EPSILON);
    }
}
