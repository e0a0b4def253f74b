//! Random numbers that are the same for one seed (SplitMix64). Pure.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use millrace_chassis::id::Entropy;

/// What the state grows by with each number.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// A row of random numbers.
#[derive(Debug, Clone)]
pub(super) struct Seeded(u64);

impl Seeded {
    /// The row of a seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next number.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// Returns a number below `bound`, which is small: the bias is of no matter here.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap_or_default()
    }

    /// Returns the row as a source of bytes for ids.
    pub(super) fn entropy(self) -> Entropy {
        let state = AtomicU64::new(self.0);
        Arc::new(move |buffer| {
            for chunk in buffer.chunks_mut(8) {
                let number = mix(state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP));
                chunk.copy_from_slice(&number.to_le_bytes()[..chunk.len()]);
            }
        })
    }
}

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_is_the_published_one() {
        // First numbers of SplitMix64 with seed 1234567, from its reference implementation.
        let mut row = Seeded::new(1_234_567);
        assert_eq!(row.next(), 6_457_827_717_110_365_317);
        assert_eq!(row.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn bytes_and_numbers_are_one_row() {
        let mut bytes = [0; 16];
        (Seeded::new(7).entropy())(&mut bytes);
        let mut row = Seeded::new(7);
        assert_eq!(bytes[..8], row.next().to_le_bytes());
        assert_eq!(bytes[8..], row.next().to_le_bytes());
    }
}
