//! Background tasks of modules: started once, restarted with a growing delay when they end or panic, and told when the
//! platform drains.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use millrace_gateway::drain::begun;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::module::Worker;

const DELAY_FIRST: Duration = Duration::from_millis(100);
const DELAY_MAX: Duration = Duration::from_secs(30);
/// A worker that ran this long before it ended is not in a loop of failures.
const STEADY: Duration = Duration::from_secs(60);

/// Starts workers; the set is empty again when all have ended after the drain began.
pub(crate) fn start(
    workers: impl IntoIterator<Item = (String, Worker)>,
    draining: &watch::Receiver<bool>,
) -> JoinSet<()> {
    let mut set = JoinSet::new();
    for (name, worker) in workers {
        set.spawn(keep_running(name, worker, draining.clone()));
    }
    set
}

async fn keep_running(name: String, worker: Worker, mut draining: watch::Receiver<bool>) {
    let mut delay = DELAY_FIRST;
    loop {
        let started = Instant::now();
        let outcome = AssertUnwindSafe(worker(draining.clone())).catch_unwind().await;
        if *draining.borrow() {
            return;
        }
        if started.elapsed() >= STEADY {
            delay = DELAY_FIRST;
        }
        let how = if outcome.is_err() { "panicked" } else { "ended" };
        tracing::error!(
            worker = name,
            delay_ms = delay.as_millis() as u64,
            "a worker {how} and is restarted"
        );
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = begun(&mut draining) => return,
        }
        delay = (delay * 2).min(DELAY_MAX);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_worker_is_restarted_until_the_drain() {
        let runs = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&runs);
        let worker: Worker = Arc::new(move |mut draining| {
            let run = counted.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                match run {
                    0 => panic!("the first run"),
                    1 => {}
                    _ => begun(&mut draining).await,
                }
            })
        });
        let (drain, draining) = watch::channel(false);
        let mut workers = start([("w".to_owned(), worker)], &draining);
        tokio::time::sleep(DELAY_FIRST / 2).await;
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        tokio::time::sleep(DELAY_FIRST).await;
        assert_eq!(runs.load(Ordering::SeqCst), 2);
        tokio::time::sleep(DELAY_FIRST * 2).await;
        assert_eq!(runs.load(Ordering::SeqCst), 3);
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(runs.load(Ordering::SeqCst), 3);
        drain.send(true).unwrap();
        assert!(workers.join_next().await.unwrap().is_ok());
        assert!(workers.join_next().await.is_none());
    }
}
