//! How long to wait before the next attempt to connect. Pure.

use std::time::Duration;

/// Waits that double up to a bound, each shortened by chance by up to a half.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    max: Duration,
    next: Duration,
    chance: u64,
}

impl Backoff {
    pub(super) fn new(first: Duration, max: Duration, seed: u64) -> Self {
        Self {
            first,
            max,
            next: first.min(max),
            chance: seed,
        }
    }

    /// The wait before the next attempt.
    pub(super) fn next(&mut self) -> Duration {
        let wait = self.next;
        self.next = wait.saturating_mul(2).min(self.max);
        // A float keeps the 32 bits exactly.
        let part = f64::from(u32::try_from(self.draw() >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX);
        wait.mul_f64(1.0 - part / 2.0)
    }

    /// Begins anew, after a success.
    pub(super) fn reset(&mut self) {
        self.next = self.first.min(self.max);
    }

    /// SplitMix64.
    fn draw(&mut self) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.chance ^ (self.chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn waits_double_up_to_the_bound_and_begin_anew() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(700), 7);
        for full in [100, 200, 400, 700, 700] {
            let full = Duration::from_millis(full);
            let wait = backoff.next();
            assert!(wait >= full / 2 && wait <= full, "{wait:?} of {full:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(100));
    }

    #[test]
    fn two_seeds_wait_differently() {
        let waits = |seed| {
            let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60), seed);
            std::array::from_fn::<_, 4, _>(|_| backoff.next())
        };
        assert_ne!(waits(1), waits(2));
        assert_eq!(waits(1), waits(1));
    }

    proptest! {
        #[test]
        fn a_wait_is_never_longer_than_the_bound(first: u32, max: u32, seed: u64) {
            let max = Duration::from_millis(u64::from(max));
            let mut backoff = Backoff::new(Duration::from_millis(u64::from(first)), max, seed);
            for _ in 0..80 {
                prop_assert!(backoff.next() <= max);
            }
        }
    }
}
