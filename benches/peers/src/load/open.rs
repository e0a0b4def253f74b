//! An open loop: calls are due at a fixed rate, whether the ones before are answered or not, and a latency counts from
//! when its call was due. A slow answer therefore makes those behind it late, as it does to callers who do not wait for
//! one another.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::rest::{self, Connection};
use super::{Counts, LoadArgs, LoadError};
use crate::latency::Exact;

/// For what is still unanswered when no more calls are due.
const PATIENCE: Duration = Duration::from_secs(2);

/// Calls that are due, for whichever connection is free.
type Waiting = Arc<Mutex<UnboundedReceiver<Instant>>>;

/// What one connection counts.
#[derive(Default)]
struct Tally {
    counts: Counts,
    latency: Exact,
}

/// Calls at that rate until the time is over.
pub(super) async fn run(args: &LoadArgs, rate: f64) -> Result<Counts, LoadError> {
    let mut connections = Vec::new();
    for _ in 0..args.connections {
        connections.push(Connection::open(args.target).await?);
    }
    let request = rest::request(args.target, args.cell, &args.accept);
    let alarm = Alarm::new()?;
    let (due, waiting) = unbounded_channel();
    let waiting = Arc::new(Mutex::new(waiting));
    let begin = Instant::now();
    let until = begin + Duration::from_secs_f64(args.seconds);
    let mut tasks = JoinSet::new();
    for connection in connections {
        tasks.spawn(answer(
            connection,
            request.clone(),
            Arc::clone(&waiting),
            until + PATIENCE,
        ));
    }
    let mut late = pace(&alarm, begin, until, rate, due).await?;
    let mut total = Tally::default();
    while let Some(tally) = tasks.join_next().await {
        let Ok(tally) = tally else {
            total.counts.broken += 1;
            continue;
        };
        total.counts.calls += tally.counts.calls;
        total.counts.failed += tally.counts.failed;
        total.counts.broken += tally.counts.broken;
        total.counts.bytes += tally.counts.bytes;
        total.counts.first_failure = total.counts.first_failure.or(tally.counts.first_failure);
        total.latency.join(tally.latency);
    }
    total.counts.seconds = begin.elapsed().as_secs_f64();
    total.counts.p50_us = total.latency.quantile_us(0.5);
    total.counts.p99_us = total.latency.quantile_us(0.99);
    total.counts.late_p99_us = late.quantile_us(0.99);
    Ok(total.counts)
}

/// Makes calls due; how late each was made so.
async fn pace(
    alarm: &Alarm,
    begin: Instant,
    until: Instant,
    rate: f64,
    due: UnboundedSender<Instant>,
) -> io::Result<Exact> {
    let mut late = Exact::default();
    let mut number = 0.0;
    loop {
        // From the beginning each time: what was late once makes nothing after it later.
        let at = begin + Duration::from_secs_f64(number / rate);
        if at >= until {
            return Ok(late);
        }
        let left = at.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            alarm.after(left).await?;
        }
        late.add(at.elapsed());
        // Nobody is left to answer only if every connection broke, which is counted there.
        if due.send(at).is_err() {
            return Ok(late);
        }
        number += 1.0;
    }
}

/// Answers what is due over one connection, until nothing is and nothing will be.
async fn answer(mut connection: Connection, request: Bytes, waiting: Waiting, end: Instant) -> Tally {
    let mut tally = Tally::default();
    let counts = &mut tally.counts;
    loop {
        let Some(at) = waiting.lock().await.recv().await else {
            return tally;
        };
        let close = match timeout_at(end, connection.call(&request, None)).await {
            Ok(Ok(reply)) if (200..300).contains(&reply.status) => {
                counts.calls += 1;
                counts.bytes += reply.bytes;
                tally.latency.add(at.elapsed());
                reply.close
            }
            Ok(Ok(reply)) => {
                counts.failed += 1;
                counts
                    .first_failure
                    .get_or_insert_with(|| format!("status {}", reply.status));
                reply.close
            }
            Ok(Err(error)) => {
                counts.broken += 1;
                counts.first_failure.get_or_insert_with(|| error.to_string());
                true
            }
            Err(_) => {
                counts.broken += 1;
                let why = || format!("no answer {PATIENCE:?} after the last call was due");
                counts.first_failure.get_or_insert_with(why);
                true
            }
        };
        if close {
            match connection.again().await {
                Ok(opened) => connection = opened,
                Err(error) => {
                    counts.broken += 1;
                    counts.first_failure.get_or_insert_with(|| error.to_string());
                    return tally;
                }
            }
        }
    }
}

/// A timer of the kernel's: tokio's own steps are a millisecond, many times what a call takes.
struct Alarm(AsyncFd<OwnedFd>);

impl Alarm {
    #[expect(
        deprecated,
        reason = "what takes its place is unsafe, for descriptors that are closed too early; this one is owned"
    )]
    fn new() -> io::Result<Self> {
        let timer = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )?;
        Ok(Self(AsyncFd::new(timer)?))
    }

    async fn after(&self, wait: Duration) -> io::Result<()> {
        let once = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            // A timer of nothing would be one that is off.
            it_value: Timespec {
                tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(wait.subsec_nanos()).max(1),
            },
        };
        timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once)?;
        let mut expirations = [0; 8];
        loop {
            let mut ready = self.0.readable().await?;
            let read = ready.try_io(|timer| Ok(rustix::io::read(timer.get_ref(), &mut expirations)?));
            if let Ok(read) = read {
                return read.map(|_| ());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_call_is_due_when_the_rate_says_so_however_late_it_is() {
        let (due, mut waiting) = unbounded_channel();
        // In the past: nothing has to be waited for.
        let until = Instant::now();
        let begin = until - Duration::from_millis(10);
        let mut late = pace(&Alarm::new().unwrap(), begin, until, 1_000.0, due).await.unwrap();
        let mut times = Vec::new();
        while let Some(at) = waiting.recv().await {
            times.push((at - begin).as_micros());
        }
        assert_eq!(times, (0..10).map(|number| number * 1_000).collect::<Vec<_>>());
        assert!(late.quantile_us(1.0) >= 10_000.0);
    }

    #[tokio::test]
    async fn the_alarm_waits() {
        let wait = Duration::from_millis(2);
        let since = Instant::now();
        Alarm::new().unwrap().after(wait).await.unwrap();
        assert!(since.elapsed() >= wait);
    }
}
