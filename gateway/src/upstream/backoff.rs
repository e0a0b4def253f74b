//! How long to wait before the next attempt to connect. Pure.

use std::time::Duration;

/// A connection that took calls for this long was a success, however it ended.
const SUCCESS: Duration = Duration::from_secs(10);

/// How a connection stopped taking calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// The server asked to leave, or closed while nothing was in progress, and had answered calls before: as servers do
    /// that are replaced.
    Served,
    /// The server asked to leave before it had answered anything.
    Unused,
    /// It broke, fell silent, or was closed before it had served.
    Broken,
}

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

    /// The wait after an attempt that failed.
    pub(super) fn next(&mut self) -> Duration {
        let wait = self.again();
        self.next = self.next.saturating_mul(2).min(self.max);
        wait
    }

    /// The wait after a connection that took calls for so long.
    pub(super) fn after(&mut self, left: Left, lived: Duration) -> Duration {
        match left {
            _ if lived >= SUCCESS => {
                self.reset();
                Duration::ZERO
            }
            // At once, unless the server sends each connection away as soon as it has it.
            Left::Served => {
                self.reset();
                self.next.saturating_sub(lived)
            }
            Left::Unused => self.again(),
            // Also a server that accepts and dies, for ever.
            Left::Broken => self.next(),
        }
    }

    /// The wait as it is, without growth.
    fn again(&mut self) -> Duration {
        let wait = self.next;
        // A float keeps the 32 bits exactly.
        let part = f64::from(u32::try_from(self.draw() >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX);
        wait.mul_f64(1.0 - part / 2.0)
    }

    /// Begins anew, after a success.
    fn reset(&mut self) {
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
    fn only_connections_that_served_nothing_and_broke_are_failures() {
        let first = Duration::from_millis(100);
        let new = || Backoff::new(first, Duration::from_secs(60), 7);
        let short = Duration::from_millis(30);
        let mut backoff = new();
        for _ in 0..20 {
            assert_eq!(backoff.after(Left::Served, short), first - short);
            assert_eq!(backoff.after(Left::Served, first), Duration::ZERO);
            assert!(backoff.after(Left::Unused, short) <= first);
        }
        // A crash loop, until something works.
        let waits: Vec<_> = (0..10).map(|_| backoff.after(Left::Broken, short)).collect();
        assert!(waits[9] >= first * 256, "{waits:?}");
        assert_eq!(backoff.after(Left::Served, first), Duration::ZERO);
        assert!(backoff.next() <= first);
        for left in [Left::Served, Left::Unused, Left::Broken] {
            let mut backoff = new();
            for _ in 0..10 {
                backoff.next();
            }
            assert_eq!(backoff.after(left, SUCCESS), Duration::ZERO);
            assert!(backoff.next() <= first);
        }
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
