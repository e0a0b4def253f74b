//! The connections of one upstream, and who uses them: each call has a place on one, the one with the fewest calls, and
//! those for whom there is none wait in the order in which they came, but not for long. Connections beyond those that are
//! kept are used when these are full. Nothing here does I/O.

mod gauge;
mod lease;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout};

use crate::upstream::connect::Heard;
use crate::upstream::http2::Sender;
pub(super) use gauge::{Gauge, Progress, Timer};
pub(super) use lease::Lease;

/// The connections.
pub(super) struct Pool {
    state: Mutex<State>,
    waiting_max: usize,
    /// Woken when the last call ended.
    idle: Notify,
    /// Woken when a call begins to wait, and when those that wait may find something else to wait for.
    wanted: Notify,
}

struct State {
    members: Vec<Member>,
    /// By ticket: the first is the one that waits longest.
    waiting: BTreeMap<u64, Waiting>,
    next_ticket: u64,
    /// Calls in progress, also those on connections that have left.
    calls: usize,
    /// Calls that ever had a place.
    started: u64,
    /// When the first connection came, or the last one went.
    turned: Option<Instant>,
}

/// What the pool knows of a call in the queue.
struct Waiting {
    since: Instant,
    give: oneshot::Sender<Lease>,
}

/// A connection that takes calls.
struct Member {
    sender: Sender,
    gauge: Arc<Gauge>,
    rank: usize,
}

/// Why a call has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// There was no connection for too long.
    Unreachable,
    /// All places were taken for too long, or too many wait for one already.
    Full,
}

impl Pool {
    pub(super) fn new(waiting_max: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                members: Vec::new(),
                waiting: BTreeMap::new(),
                next_ticket: 0,
                calls: 0,
                started: 0,
                turned: None,
            }),
            waiting_max,
            idle: Notify::new(),
            wanted: Notify::new(),
        })
    }

    /// Adds a connection, until what is returned is dropped. Those of a higher rank take calls only when those of lower
    /// ones are full, so that they can go again.
    pub(super) fn join(self: &Arc<Self>, sender: Sender, heard: Heard, streams_max: usize, rank: usize) -> Joined {
        let gauge = Arc::new(Gauge::new(heard, streams_max));
        let mut state = self.lock();
        if state.members.is_empty() {
            state.turned = Some(Instant::now());
        }
        state.members.push(Member {
            sender,
            gauge: gauge.clone(),
            rank,
        });
        drop(state);
        self.serve();
        self.wanted.notify_waiters();
        Joined {
            pool: self.clone(),
            gauge,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().members.is_empty()
    }

    /// Takes a place, if there is one and nobody waits for it.
    pub(super) fn lease_now(self: &Arc<Self>) -> Option<Lease> {
        let mut state = self.lock();
        match state.waiting.is_empty() {
            true => self.take(&mut state),
            false => None,
        }
    }

    /// Takes a place, waiting for one: for `connect_wait` while there is no connection, and for the same time while
    /// there are some and all are full. Dropping the future gives up the place in the queue.
    pub(super) async fn lease(self: &Arc<Self>, connect_wait: Duration) -> Result<Lease, NoPlace> {
        let mut waiter = match self.take_or_queue() {
            Taken::Place(lease) => return Ok(lease),
            Taken::Full => return Err(NoPlace::Full),
            Taken::Queued(waiter) => waiter,
        };
        let mut left = connect_wait;
        loop {
            if let Ok(given) = timeout(left, &mut waiter.given).await {
                // The sender lives in the pool until it gives.
                return given.map_err(|_| NoPlace::Unreachable);
            }
            let state = self.lock();
            let since = state.turned.unwrap_or(waiter.began).max(waiter.began);
            left = connect_wait.saturating_sub(since.elapsed());
            if left.is_zero() {
                return Err(match state.members.is_empty() {
                    true => NoPlace::Unreachable,
                    false => NoPlace::Full,
                });
            }
        }
    }

    /// Waits until no call is in progress, and tells how many there ever were.
    pub(super) async fn idle(&self) -> u64 {
        loop {
            let woken = self.idle.notified();
            {
                let state = self.lock();
                if state.calls == 0 && state.waiting.is_empty() {
                    return state.started;
                }
            }
            woken.await;
        }
    }

    /// Waits until a call waits for a place.
    pub(super) async fn wanted(&self) {
        loop {
            let woken = self.wanted.notified();
            if !self.lock().waiting.is_empty() {
                return;
            }
            woken.await;
        }
    }

    /// Waits until a call has waited so long although there is a connection: all places are taken.
    pub(super) async fn pressed(&self, patience: Duration) {
        loop {
            let woken = self.wanted.notified();
            let first = {
                let state = self.lock();
                let first = state.waiting.first_key_value().map(|(_, first)| first.since);
                first.filter(|_| !state.members.is_empty())
            };
            let Some(since) = first else {
                woken.await;
                continue;
            };
            let left = patience.saturating_sub(since.elapsed());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }

    fn take_or_queue(self: &Arc<Self>) -> Taken {
        let mut state = self.lock();
        if state.waiting.is_empty()
            && let Some(lease) = self.take(&mut state)
        {
            return Taken::Place(lease);
        }
        if state.waiting.len() >= self.waiting_max {
            return Taken::Full;
        }
        let (give, given) = oneshot::channel();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        let began = Instant::now();
        state.waiting.insert(ticket, Waiting { since: began, give });
        self.wanted.notify_waiters();
        Taken::Queued(Waiter {
            pool: self.clone(),
            ticket,
            began,
            given,
        })
    }

    /// A place on the connection with the fewest calls, of those that take more. One that may be dead has its turn when
    /// all others are full: without calls in progress it would else be everybody's choice, until the ping gives it up.
    /// So has, before that, one on which a call could not be sent in its time, or whose server does not read what is
    /// sent: its window may be one for all calls, and used up.
    fn take(self: &Arc<Self>, state: &mut State) -> Option<Lease> {
        let free = state.members.iter().filter(|member| member.gauge.has_room());
        let member = free.min_by_key(|member| {
            let gauge = &member.gauge;
            (
                gauge.is_doubted(),
                gauge.is_unsent(),
                gauge.is_stalled(),
                member.rank,
                gauge.in_use(),
            )
        })?;
        let (gauge, sender) = (member.gauge.clone(), member.sender.clone());
        gauge.in_use.fetch_add(1, Ordering::Relaxed);
        gauge.taken.fetch_add(1, Ordering::Relaxed);
        state.calls += 1;
        state.started += 1;
        Some(Lease {
            pool: self.clone(),
            sender: Some(sender),
            heard_before: gauge.heard.so_far(),
            gauge,
        })
    }

    /// Gives free places to those who wait.
    fn serve(self: &Arc<Self>) {
        loop {
            let mut state = self.lock();
            if state.waiting.is_empty() {
                return;
            }
            let Some(lease) = self.take(&mut state) else {
                return;
            };
            let first = state.waiting.pop_first();
            // A place that nobody took is given back by its drop, which takes the lock.
            drop(state);
            if let Some((_, first)) = first {
                let _ = first.give.send(lease);
            }
        }
    }

    /// Nothing panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Taken {
    Place(Lease),
    Queued(Waiter),
    Full,
}

/// A call in the queue.
struct Waiter {
    pool: Arc<Pool>,
    ticket: u64,
    began: Instant,
    given: oneshot::Receiver<Lease>,
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        state.waiting.remove(&self.ticket);
        if state.calls == 0 && state.waiting.is_empty() {
            self.pool.idle.notify_waiters();
        }
    }
}

/// A connection in the pool; dropping it takes the connection out. Its calls go on.
pub(super) struct Joined {
    pool: Arc<Pool>,
    pub(super) gauge: Arc<Gauge>,
}

impl Joined {
    /// Sets how many calls the connection takes.
    pub(super) fn set_streams_max(&self, streams_max: usize) {
        if self.gauge.streams_max.swap(streams_max, Ordering::Relaxed) < streams_max {
            self.pool.serve();
        }
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        state.members.retain(|member| !Arc::ptr_eq(&member.gauge, &self.gauge));
        if state.members.is_empty() {
            state.turned = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests;
