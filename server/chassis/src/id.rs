//! Ids and secrets, drawn from an entropy source that is passed in.

use std::sync::Arc;

use crate::clock::Clock;
use crate::shard::{Bucket, UserId};

/// Microseconds from the Unix epoch to 2026-01-01, where the time in an id begins.
const ID_EPOCH_US: i64 = 1_767_225_600_000_000;

/// Fills a buffer with random bytes.
pub type Entropy = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// Draws ids.
#[derive(Clone)]
pub struct Ids {
    clock: Clock,
    entropy: Entropy,
}

impl Ids {
    /// Ids that are unique over all processes, from the operating system's random numbers.
    pub fn system(clock: Clock) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place that draws from the machine")]
        let entropy = |buffer: &mut [u8]| getrandom::fill(buffer).expect("the operating system has random numbers");
        Self::new(clock, Arc::new(entropy))
    }

    /// Ids from the given entropy; a seeded one repeats a run.
    pub fn new(clock: Clock, entropy: Entropy) -> Self {
        Self { clock, entropy }
    }

    /// Draws a user id: 62 random bits. The shard on which it falls refuses one that is taken.
    pub fn user_id(&self) -> UserId {
        UserId::from_bits(self.random_u64())
    }

    /// Draws an id for a row of a bucket: 41 bits of milliseconds since 2026, 10 of bucket, 12 random. Ids rise with
    /// time.
    pub fn row_id(&self, bucket: Bucket) -> i64 {
        let millis = ((self.clock.now_us() - ID_EPOCH_US) / 1_000).max(0) & ((1 << 41) - 1);
        let random = i64::try_from(self.random_u64() & 0xFFF).unwrap_or_default();
        (millis << 22) | (i64::from(bucket.number()) << 12) | random
    }

    /// Draws 32 secret bytes.
    pub fn secret(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        (self.entropy)(&mut bytes);
        bytes
    }

    /// Draws a secret as text: 64 hexadecimal digits, as `openssl rand -hex 32` prints them.
    pub fn secret_text(&self) -> String {
        self.secret().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Draws 128 random bits as text: 32 hexadecimal digits.
    pub fn random_hex(&self) -> String {
        millrace_gateway::edge::hex_id(self.random_u128())
    }

    /// Draws 128 random bits.
    pub fn random_u128(&self) -> u128 {
        let mut bytes = [0; 16];
        (self.entropy)(&mut bytes);
        u128::from_be_bytes(bytes)
    }

    /// Draws 64 random bits.
    pub fn random_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        (self.entropy)(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}
