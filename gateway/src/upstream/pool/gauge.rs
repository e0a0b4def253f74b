//! How one connection is used, and how it fares: by this a call chooses among them.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use crate::clocks::{Clock, Clocks};
use crate::upstream::connect::Heard;

/// Calls in a row that had no answer in their time; if the last could not even be sent, the connection is replaced.
const UNANSWERED_MAX: usize = 2;

/// How a connection is used.
pub(in crate::upstream) struct Gauge {
    pub(super) heard: Heard,
    /// Written under the pool's lock alone.
    pub(super) in_use: AtomicUsize,
    /// Calls that ever had a place.
    pub(super) taken: AtomicU64,
    pub(super) streams_max: AtomicUsize,
    pub(super) suspected: Notify,
    /// Whether it was suspected, and has not proven since that it lives.
    pub(super) doubted: AtomicBool,
    /// Whether it ever answered a call.
    pub(super) served: AtomicBool,
    /// Calls in a row whose time ended before an answer began.
    unanswered: AtomicUsize,
    /// Whether one of them could not be sent.
    unsent: AtomicBool,
    given_up: Notify,
    /// Uploads that wait for the server to read.
    stalled: AtomicUsize,
    /// Timers of the calls.
    pub(super) clocks: Clocks,
}

impl Gauge {
    /// Of a new connection.
    pub(super) fn new(heard: Heard, streams_max: usize) -> Self {
        Self {
            heard,
            in_use: AtomicUsize::new(0),
            taken: AtomicU64::new(0),
            streams_max: AtomicUsize::new(streams_max),
            suspected: Notify::new(),
            doubted: AtomicBool::new(false),
            served: AtomicBool::new(false),
            unanswered: AtomicUsize::new(0),
            unsent: AtomicBool::new(false),
            given_up: Notify::new(),
            stalled: AtomicUsize::new(0),
            clocks: Clocks::default(),
        }
    }

    /// Calls in progress.
    pub(in crate::upstream) fn in_use(&self) -> usize {
        self.in_use.load(Ordering::Relaxed)
    }

    pub(super) fn has_room(&self) -> bool {
        self.in_use() < self.streams_max.load(Ordering::Relaxed)
    }

    pub(super) fn is_doubted(&self) -> bool {
        self.doubted.load(Ordering::Relaxed)
    }

    pub(in crate::upstream) fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed) > 0
    }

    /// Whether the last call that ended had no answer in its time.
    pub(super) fn is_unanswered(&self) -> bool {
        self.unanswered.load(Ordering::Relaxed) > 0
    }

    /// Whether a call could not be sent in its time, and none was answered since.
    pub(super) fn is_unsent(&self) -> bool {
        self.unsent.load(Ordering::Relaxed)
    }

    /// Notes that a call was answered.
    pub(super) fn note_answered(&self) {
        self.served.store(true, Ordering::Relaxed);
        if self.is_unanswered() {
            self.unanswered.store(0, Ordering::Relaxed);
            self.unsent.store(false, Ordering::Relaxed);
        }
    }

    /// Notes that a call had no answer in its time, and whether it could not even be sent.
    pub(super) fn note_unanswered(&self, was_unsent: bool) {
        let in_a_row = self.unanswered.fetch_add(1, Ordering::Relaxed) + 1;
        if was_unsent {
            self.unsent.store(true, Ordering::Relaxed);
            if in_a_row >= UNANSWERED_MAX {
                self.given_up.notify_one();
            }
        }
    }

    /// Waits until calls could not be sent again and again: whatever the server says to pings, the connection is of no
    /// use.
    pub(in crate::upstream) async fn given_up(&self) {
        self.given_up.notified().await;
    }

    /// Whether a call was ever answered.
    pub(in crate::upstream) fn has_served(&self) -> bool {
        self.served.load(Ordering::Relaxed)
    }

    /// The connection has answered, and takes calls as any other does.
    pub(in crate::upstream) fn trust(&self) {
        self.doubted.store(false, Ordering::Relaxed);
    }

    /// Waits until the connection had no call for so long, or somewhat longer.
    pub(in crate::upstream) async fn unused(&self, idle: Duration) {
        loop {
            let before = self.taken.load(Ordering::Relaxed);
            sleep(idle).await;
            if self.in_use() == 0 && self.taken.load(Ordering::Relaxed) == before {
                return;
            }
        }
    }

    /// Waits until a call gave up on a connection that was silent.
    pub(in crate::upstream) async fn suspected(&self) {
        self.suspected.notified().await;
    }
}

/// The timer of one call, which goes back to its connection's.
#[derive(Default)]
pub(in crate::upstream) struct Timer {
    /// `None` while the call waits for a connection.
    gauge: Option<Arc<Gauge>>,
    clock: Option<Clock>,
}

impl Timer {
    /// Takes timers from a connection from now on.
    pub(super) fn at(&mut self, gauge: &Arc<Gauge>) {
        if self.clock.is_none() {
            self.gauge = Some(gauge.clone());
        }
    }

    /// Whether the end has come, which has to be the same in each call. It takes a timer when first asked.
    pub(in crate::upstream) fn poll(&mut self, ends: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let gauge = self.gauge.as_ref();
        let clock = self.clock.get_or_insert_with(|| match gauge {
            Some(gauge) => gauge.clocks.until(ends),
            None => Box::pin(sleep_until(ends)),
        });
        clock.as_mut().poll(cx)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let (Some(gauge), Some(clock)) = (&self.gauge, self.clock.take()) {
            gauge.clocks.give_back(clock);
        }
    }
}

/// An upload as its connection sees it.
pub(in crate::upstream) struct Progress {
    gauge: Arc<Gauge>,
    is_stalled: bool,
}

impl Progress {
    /// Of an upload that stalls nothing yet.
    pub(super) fn new(gauge: Arc<Gauge>) -> Self {
        Self {
            gauge,
            is_stalled: false,
        }
    }

    /// Says whether the upload waits for the server to read.
    pub(in crate::upstream) fn set_stalled(&mut self, is_stalled: bool) {
        match (std::mem::replace(&mut self.is_stalled, is_stalled), is_stalled) {
            (false, true) => drop(self.gauge.stalled.fetch_add(1, Ordering::Relaxed)),
            (true, false) => drop(self.gauge.stalled.fetch_sub(1, Ordering::Relaxed)),
            (true, true) | (false, false) => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.set_stalled(false);
    }
}
