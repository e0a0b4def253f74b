//! How one connection is used, and how it fares: by this a call chooses among them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::upstream::connect::Heard;

/// How a connection is used.
pub(in crate::upstream) struct Gauge {
    pub(super) heard: Heard,
    /// Written under the pool's lock alone.
    pub(super) in_use: AtomicUsize,
    pub(super) streams_max: AtomicUsize,
    pub(super) suspected: Notify,
    /// Whether it was suspected, and has not proven since that it lives.
    pub(super) doubted: AtomicBool,
    /// Whether it ever answered a call.
    pub(super) served: AtomicBool,
    /// Uploads that wait for the server to read.
    stalled: AtomicUsize,
}

impl Gauge {
    /// Of a new connection.
    pub(super) fn new(heard: Heard, streams_max: usize) -> Self {
        Self {
            heard,
            in_use: AtomicUsize::new(0),
            streams_max: AtomicUsize::new(streams_max),
            suspected: Notify::new(),
            doubted: AtomicBool::new(false),
            served: AtomicBool::new(false),
            stalled: AtomicUsize::new(0),
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

    /// Whether a call was ever answered.
    pub(in crate::upstream) fn has_served(&self) -> bool {
        self.served.load(Ordering::Relaxed)
    }

    /// The connection has answered, and takes calls as any other does.
    pub(in crate::upstream) fn trust(&self) {
        self.doubted.store(false, Ordering::Relaxed);
    }

    /// Waits until a call gave up on a connection that was silent.
    pub(in crate::upstream) async fn suspected(&self) {
        self.suspected.notified().await;
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
