//! Latencies in buckets of a width of about 1.6 %: enough for quantiles, and no allocation per call.

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

#[cfg(test)]
mod tests {
    use super::*;

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
