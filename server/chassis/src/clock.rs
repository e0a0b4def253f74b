//! Time as a value that is passed in, so that a test can set it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `now_us`, microseconds since the Unix epoch, until [`Clock::advance_us`] moves it.
    pub fn manual(now_us: i64) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(now_us))))
    }

    /// Returns microseconds since the Unix epoch.
    pub fn now_us(&self) -> i64 {
        match &self.0 {
            Source::System => {
                #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
                let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX)
            }
            Source::Manual(now_us) => now_us.load(Ordering::SeqCst),
        }
    }

    /// Moves a manual clock forward; the machine's clock stays as it is.
    pub fn advance_us(&self, by_us: i64) {
        if let Source::Manual(now_us) = &self.0 {
            now_us.fetch_add(by_us, Ordering::SeqCst);
        }
    }
}
