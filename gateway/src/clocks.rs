//! Timers that are used again: nearly every call ends long before its deadline. A timer that was waited for stays in
//! the runtime's wheel, where the next call's later end only moves it: that takes neither memory nor the wheel's lock,
//! both of which a timer of its own takes, to enter and to leave.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep_until};

/// Timers that are kept; more calls at once make more, which go as they end.
const KEPT_MAX: usize = 256;

/// A timer.
pub(crate) type Clock = Pin<Box<Sleep>>;

/// Timers that nobody waits for.
#[derive(Debug, Default)]
pub(crate) struct Clocks {
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    clocks: Vec<Clock>,
    /// Whose they are: a timer ends with its runtime.
    runtime: Option<tokio::runtime::Id>,
}

impl Clocks {
    /// A timer that ends then.
    pub(crate) fn until(&self, ends: Instant) -> Clock {
        let runtime = Handle::current().id();
        let kept = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.runtime == Some(runtime) {
                idle.clocks.pop()
            } else {
                None
            }
        };
        match kept {
            Some(mut clock) => {
                clock.as_mut().reset(ends);
                clock
            }
            None => Box::pin(sleep_until(ends)),
        }
    }

    /// Takes one back that was made here, in the same runtime. Whom it still would wake, it wakes once for nothing, if
    /// no call takes it before its end.
    pub(crate) fn give_back(&self, clock: Clock) {
        // A runtime that is no more has no calls either.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let runtime = runtime.id();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut others = Vec::new();
        if idle.runtime != Some(runtime) {
            others = std::mem::take(&mut idle.clocks);
            idle.runtime = Some(runtime);
        }
        if idle.clocks.len() < KEPT_MAX {
            idle.clocks.push(clock);
        }
        drop(idle);
        drop(others);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_used_again_ends_when_it_is_told() {
        let clocks = Clocks::default();
        let began = Instant::now();
        for millis in [50, 20, 70, 70, 0] {
            let before = Instant::now();
            let mut clock = clocks.until(before + Duration::from_millis(millis));
            clock.as_mut().await;
            assert_eq!(before.elapsed(), Duration::from_millis(millis));
            clocks.give_back(clock);
        }
        assert_eq!(began.elapsed(), Duration::from_millis(210));
        assert_eq!(clocks.idle.lock().unwrap().clocks.len(), 1, "it was the same one");
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_was_left_before_its_end_takes_a_later_or_an_earlier_one() {
        let clocks = Clocks::default();
        for (left, then) in [(50, 90), (500, 10)] {
            let mut clock = clocks.until(Instant::now() + Duration::from_millis(left));
            assert!(clock.as_mut().now_or_never().is_none());
            clocks.give_back(clock);
            let before = Instant::now();
            clocks.until(before + Duration::from_millis(then)).await;
            assert_eq!(before.elapsed(), Duration::from_millis(then));
        }
    }

    #[test]
    fn a_clock_of_a_runtime_that_has_ended_is_not_used_again() {
        let clocks = Clocks::default();
        for _ in 0..2 {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .unwrap();
            runtime.block_on(async {
                let mut clock = clocks.until(Instant::now() + Duration::from_millis(1));
                clock.as_mut().await;
                clocks.give_back(clock);
            });
        }
    }
}
