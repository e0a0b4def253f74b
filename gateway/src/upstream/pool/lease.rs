//! The place of one call.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Gauge, Pool, Progress, Timer};
use crate::upstream::http2::Sender;

/// A call's place on a connection; dropping it gives it back.
pub(in crate::upstream) struct Lease {
    pub(super) pool: Arc<Pool>,
    pub(super) sender: Option<Sender>,
    pub(super) gauge: Arc<Gauge>,
    pub(super) heard_before: u64,
}

impl Lease {
    /// What opens the call's stream: there is one call to a place.
    pub(in crate::upstream) fn take_sender(&mut self) -> Option<Sender> {
        self.sender.take()
    }

    /// The call's upload, which stalls nothing yet.
    pub(in crate::upstream) fn progress(&self) -> Progress {
        Progress::new(self.gauge.clone())
    }

    /// Has the call's timer be one of the connection's.
    pub(in crate::upstream) fn lend(&self, timer: &mut Timer) {
        timer.at(&self.gauge);
    }

    /// Notes that the connection did not take the call, so that none is given to it until it looks after itself again; if
    /// its server does not read, it is asked whether it is there.
    pub(in crate::upstream) fn note_refused(&self, is_unread: bool) {
        self.gauge.streams_max.store(0, Ordering::Relaxed);
        if is_unread {
            self.gauge.suspected.notify_one();
        }
    }

    /// Notes that the server answers calls.
    pub(in crate::upstream) fn note_served(&self) {
        self.gauge.note_answered();
    }

    /// Notes that the call had no answer in its time, and whether it could not even be sent.
    pub(in crate::upstream) fn note_unanswered(&self, was_unsent: bool) {
        self.gauge.note_unanswered(was_unsent);
    }

    /// Whether it has to be watched that what is sent does leave: the call before had no answer.
    pub(in crate::upstream) fn is_questioned(&self) -> bool {
        self.gauge.is_unanswered()
    }

    /// Has the connection checked, if nothing came over it since the call began.
    pub(in crate::upstream) fn suspect_silence(&self) {
        if self.gauge.heard.so_far() == self.heard_before {
            self.gauge.doubted.store(true, Ordering::Relaxed);
            self.gauge.suspected.notify_one();
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        self.gauge.in_use.fetch_sub(1, Ordering::Relaxed);
        state.calls -= 1;
        if !state.waiting.is_empty() {
            drop(state);
            self.pool.serve();
        } else if state.calls == 0 {
            self.pool.idle.notify_waiters();
        }
    }
}
