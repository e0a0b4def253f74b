//! The loop of every background task that does one job again and again. Modules write the job; when to do it, when to
//! stop and what happens after a panic is here and in the supervisor.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use millrace_gateway::drain::begun;
use tokio::sync::watch;

use super::Worker;
use crate::id::Ids;

/// Part of the interval by which a pause is longer or shorter.
const JITTER: f64 = 0.1;

/// Returns a worker that does a job when it starts, and again each time the interval has passed since the job ended,
/// give or take a tenth: processes that started together do not ask the databases together for long. When the platform
/// drains, a pause ends at once; a job that is being done is given the signal, and is waited for.
pub fn periodic<J, F>(ids: &Ids, interval: Duration, job: J) -> Worker
where
    J: Fn(watch::Receiver<bool>) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let (ids, job) = (ids.clone(), Arc::new(job));
    Arc::new(move |mut draining| {
        let (ids, job) = (ids.clone(), Arc::clone(&job));
        Box::pin(async move {
            while !*draining.borrow() {
                job(draining.clone()).await;
                tokio::select! {
                    () = tokio::time::sleep(jittered(interval, ids.random_u64())) => {}
                    () = begun(&mut draining) => return,
                }
            }
        })
    })
}

fn jittered(interval: Duration, bits: u64) -> Duration {
    let part = bits as f64 / u64::MAX as f64;
    interval.mul_f64(1.0 + JITTER * (2.0 * part - 1.0))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::clock::Clock;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn pauses_are_a_tenth_longer_or_shorter_at_most() {
        for (bits, seconds) in [(0, 54), (u64::MAX / 2, 60), (u64::MAX, 66)] {
            assert_eq!(jittered(MINUTE, bits).as_secs_f64().round() as u64, seconds, "{bits}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_is_done_again_and_again_until_the_drain() {
        // Every pause is a tenth shorter.
        let ids = Ids::new(Clock::manual(0), Arc::new(|buffer: &mut [u8]| buffer.fill(0)));
        let done = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&done);
        let worker = periodic(&ids, MINUTE, move |_| {
            let counted = Arc::clone(&counted);
            async move {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        let (drain, draining) = watch::channel(false);
        let running = tokio::spawn(worker(draining.clone()));
        tokio::time::sleep(MINUTE * 10).await;
        // At 0, 54, 108 and so on to 594 seconds.
        assert_eq!(done.load(Ordering::SeqCst), 12);

        let since = tokio::time::Instant::now();
        drain.send(true).unwrap();
        running.await.unwrap();
        assert_eq!(since.elapsed(), Duration::ZERO);
        // A worker that is started again by then does nothing.
        worker(draining).await;
        assert_eq!(done.load(Ordering::SeqCst), 12);
    }
}
