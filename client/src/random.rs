//! Random numbers for request ids, idempotency keys and jitter.
//!
//! The operating system is asked once, when the client is built; after that a draw cannot fail, and a test that passes
//! the seed repeats a run. The numbers are unique, not secret: a key only has to differ from the caller's other keys.

use std::sync::atomic::{AtomicU64, Ordering};

/// Odd, so that multiples of it visit every 64-bit number before one comes again (SplitMix64).
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// Draws numbers; shared by all clones of a channel.
#[derive(Debug)]
pub(crate) struct Random {
    seed: [u64; 2],
    drawn: AtomicU64,
}

impl Random {
    /// Seeds from the operating system.
    #[expect(clippy::disallowed_methods, reason = "the one seed, drawn when the client is built")]
    pub(crate) fn from_system() -> Result<Self, getrandom::Error> {
        let mut seed = [[0; 8]; 2];
        getrandom::fill(seed.as_flattened_mut())?;
        Ok(Self::from_seed(seed.map(u64::from_le_bytes)))
    }

    /// Repeats the same numbers for the same seed.
    pub(crate) fn from_seed(seed: [u64; 2]) -> Self {
        Self {
            seed,
            drawn: AtomicU64::new(0),
        }
    }

    /// Draws an id: 32 hexadecimal digits, never the same twice from one client.
    pub(crate) fn id(&self) -> String {
        let [high, low] = self.draw();
        format!("{high:016x}{low:016x}")
    }

    /// Draws a number from 0 (included) to 1 (excluded).
    pub(crate) fn fraction(&self) -> f64 {
        // 53 bits are what a float of this size holds.
        (self.draw()[0] >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn draw(&self) -> [u64; 2] {
        let count = self.drawn.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        self.seed.map(|seed| mix(seed.wrapping_add(count.wrapping_mul(STEP))))
    }
}

/// The finalizer of SplitMix64: a bijection, so that different counts give different numbers.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_differ_within_and_between_clients_and_repeat_with_the_seed() {
        let [one, other, again] = [[1, 2], [3, 4], [1, 2]].map(Random::from_seed);
        let ids: HashSet<String> = (0..1_000).flat_map(|_| [one.id(), other.id()]).collect();
        assert_eq!(ids.len(), 2_000);
        assert!(
            ids.iter()
                .all(|id| id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit()))
        );
        assert!(ids.contains(&again.id()));
    }

    #[test]
    fn fractions_spread_over_the_unit_interval() {
        let random = Random::from_seed([5, 6]);
        let mut tenths = [0; 10];
        for _ in 0..10_000 {
            tenths[(random.fraction() * 10.0) as usize] += 1;
        }
        assert!(tenths.iter().all(|count| (850..1_150).contains(count)), "{tenths:?}");
    }

    #[test]
    fn the_system_gives_different_seeds() {
        assert_ne!(Random::from_system().unwrap().id(), Random::from_system().unwrap().id());
    }
}
