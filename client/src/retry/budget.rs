//! How many retries the client still affords: the token bucket of gRFC A6.
//!
//! Each failure that could be retried takes a token, each other outcome gives a tenth back, and below half of the
//! tokens nothing is sent again. So a server that fails for everybody gets at most nine calls more and then, over time,
//! one retry for ten successes: retries never amplify an outage.
//!
//! See <https://github.com/grpc/proposal/blob/master/A6-client-retries.md#throttling-retry-attempts-and-hedged-rpcs>.

use std::sync::atomic::{AtomicU32, Ordering};

/// Thousandths of a token in a full bucket.
const FULL: u32 = 20_000;
/// What one failure takes.
const FAILURE: u32 = 1_000;
/// What one success gives back.
const SUCCESS: u32 = 100;

/// The bucket, shared by all calls of a client.
#[derive(Debug)]
pub(crate) struct Budget(AtomicU32);

impl Budget {
    /// A full bucket.
    pub(crate) fn full() -> Self {
        Self(AtomicU32::new(FULL))
    }

    /// Notes an answer that is not to be retried.
    pub(crate) fn note_answer(&self) {
        self.update(|tokens| (tokens + SUCCESS).min(FULL));
    }

    /// Notes a failure that could be retried, and says whether it may be.
    pub(crate) fn note_failure(&self) -> bool {
        self.update(|tokens| tokens.saturating_sub(FAILURE)) > FULL / 2
    }

    fn update(&self, change: impl Fn(u32) -> u32) -> u32 {
        let before = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tokens| Some(change(tokens)));
        // The closure never refuses, so both arms hold the value from before.
        change(before.unwrap_or_else(|tokens| tokens))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_at_half_and_recovers_with_one_retry_per_ten_answers() {
        let budget = Budget::full();
        let allowed = (0..1_000).filter(|_| budget.note_failure()).count();
        assert_eq!(allowed, 9);

        // The bucket is empty. 110 answers give half of it and one token, which the failure takes.
        for _ in 0..110 {
            budget.note_answer();
        }
        assert!(!budget.note_failure());
        for _ in 0..11 {
            budget.note_answer();
        }
        assert!(budget.note_failure());
    }

    #[test]
    fn never_holds_more_than_when_full() {
        let budget = Budget::full();
        for _ in 0..1_000 {
            budget.note_answer();
        }
        assert_eq!((0..1_000).filter(|_| budget.note_failure()).count(), 9);
    }
}
