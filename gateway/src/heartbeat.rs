//! Liveness: a task of the main runtime that beats. The admin listener has a thread of its own and would answer while
//! the main runtime is dead; so it asks when the last beat was.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

const INTERVAL: Duration = Duration::from_millis(500);
/// Four beats missed in a row are no accident.
const SILENCE_MAX: Duration = Duration::from_secs(2);

/// When the main runtime last showed a sign of life; cheap to clone.
#[derive(Clone)]
pub struct Heartbeat {
    start: Instant,
    last_ms: Arc<AtomicU64>,
}

impl Heartbeat {
    /// Starts to beat on the present runtime, until the last clone is gone.
    pub fn start() -> Self {
        let heart = Self {
            start: Instant::now(),
            last_ms: Arc::new(AtomicU64::new(0)),
        };
        let (start, last_ms) = (heart.start, Arc::downgrade(&heart.last_ms));
        tokio::spawn(async move {
            while let Some(last_ms) = last_ms.upgrade() {
                last_ms.store(millis(start.elapsed()), Ordering::Relaxed);
                drop(last_ms);
                tokio::time::sleep(INTERVAL).await;
            }
        });
        heart
    }

    /// Tells whether the main runtime is alive.
    pub fn is_alive(&self) -> bool {
        let silence = millis(self.start.elapsed()).saturating_sub(self.last_ms.load(Ordering::Relaxed));
        silence <= millis(SILENCE_MAX)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blocked_runtime_is_not_alive() {
        let main = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let heart = main.block_on(async {
            let heart = Heartbeat::start();
            // The first beat.
            tokio::task::yield_now().await;
            heart
        });
        assert!(heart.is_alive());
        // Nobody drives the runtime from here on; move its last beat into the past instead of waiting.
        let past = Heartbeat {
            start: heart.start.checked_sub(Duration::from_secs(3)).unwrap(),
            ..heart.clone()
        };
        assert!(!past.is_alive());
    }
}
