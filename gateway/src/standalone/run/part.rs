//! A part of the gateway that runs beside the others until the drain: one that ends before, or panics, takes the
//! process with it. A gateway that has no listener or no upstreams any more and still runs would be nobody's to restart.

use std::future::Future;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// A part.
pub(super) struct Part {
    name: &'static str,
    task: JoinHandle<()>,
}

impl Part {
    /// Starts it.
    pub(super) fn start(name: &'static str, runs: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            name,
            task: tokio::spawn(runs),
        }
    }

    /// Waits for its end before the drain, and says so. Dropping the future loses nothing.
    pub(super) async fn failed(&mut self) {
        let how = match (&mut self.task).await {
            Err(error) if error.is_panic() => "panicked",
            _ => "ended",
        };
        tracing::error!(part = self.name, "a part of the gateway {how}; the gateway stops");
    }

    /// Lets it end until `end`, and then cuts it.
    pub(super) async fn ends(mut self, end: Instant) {
        // One whose end was seen must not be asked again.
        if !self.task.is_finished() {
            let _ = timeout_at(end, &mut self.task).await;
        }
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_part_that_ends_or_panics_is_seen_and_one_that_hangs_is_cut() {
        let mut ended = Part::start("ended", async {});
        ended.failed().await;
        let mut panicked = Part::start("panicked", async { panic!("on purpose") });
        panicked.failed().await;
        let mut hangs = Part::start("hangs", std::future::pending());
        let end = Instant::now() + Duration::from_secs(3);
        tokio::select! {
            () = hangs.failed() => panic!("it hangs"),
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
        for part in [ended, panicked, hangs] {
            part.ends(end).await;
        }
        assert_eq!(Instant::now(), end);
    }
}
