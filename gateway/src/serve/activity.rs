//! What a connection is doing: whether a request ever came, how many are in progress, since when it is idle, and since
//! when its peer takes nothing of what it is owed.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

/// One connection's activity, shared with its transport and with the guards of its requests. Times are kept as
/// milliseconds from `accepted`.
pub(super) struct Activity {
    accepted: Instant,
    begun: AtomicBool,
    in_progress: AtomicUsize,
    /// Whether the request of HTTP/1.1 that is in progress has come to its end.
    is_request_whole: AtomicBool,
    last_end_ms: AtomicU64,
    /// When the transport began to refuse bytes; [`NEVER`] while it takes them.
    blocked_ms: AtomicU64,
    /// Those of HTTP/2 that are in progress.
    answers: Mutex<Vec<Weak<InProgress>>>,
}

const NEVER: u64 = u64::MAX;

impl Activity {
    pub(super) fn start() -> Self {
        Self {
            accepted: Instant::now(),
            begun: AtomicBool::new(false),
            in_progress: AtomicUsize::new(0),
            is_request_whole: AtomicBool::new(false),
            last_end_ms: AtomicU64::new(0),
            blocked_ms: AtomicU64::new(NEVER),
            answers: Mutex::default(),
        }
    }

    /// Counts a request of HTTP/2 until the last clone of the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Arc<InProgress> {
        self.begun.store(true, Ordering::Relaxed);
        self.in_progress.fetch_add(1, Ordering::AcqRel);
        let request = Arc::new(InProgress {
            activity: Arc::clone(self),
            owed: AtomicUsize::new(0),
            moved_ms: AtomicU64::new(0),
        });
        self.answers().push(Arc::downgrade(&request));
        request
    }

    /// Counts a request of HTTP/1.1 until the guard is dropped; `is_whole` if all of it is there.
    pub(super) fn count(self: &Arc<Self>, is_whole: bool) -> Counted {
        self.begun.store(true, Ordering::Relaxed);
        self.note_request(is_whole);
        self.in_progress.fetch_add(1, Ordering::AcqRel);
        Counted(Arc::clone(self))
    }

    /// One request less is in progress.
    fn end(&self) {
        self.last_end_ms.store(self.now_ms(), Ordering::Relaxed);
        self.in_progress.fetch_sub(1, Ordering::AcqRel);
    }

    /// Notes whether the request in progress, one of HTTP/1.1, has come to its end.
    pub(super) fn note_request(&self, is_whole: bool) {
        self.is_request_whole.store(is_whole, Ordering::Relaxed);
    }

    /// Tells whether a request of HTTP/1.1 that has come to its end is being answered. Of HTTP/2's nobody notes an end:
    /// a peer who closes that connection, half or whole, is gone.
    pub(super) fn is_answering_whole_request(&self) -> bool {
        self.is_request_whole.load(Ordering::Relaxed) && self.in_progress.load(Ordering::Acquire) > 0
    }

    /// Returns when the connection was accepted.
    pub(super) fn accepted(&self) -> Instant {
        self.accepted
    }

    /// Tells whether a request ever came.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// Returns since when no request is in progress; `None` while one is.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        (self.in_progress.load(Ordering::Acquire) == 0).then(|| self.at(self.last_end_ms.load(Ordering::Relaxed)))
    }

    /// Returns since when the peer takes nothing of an answer, or the transport no byte at all; `None` while nobody
    /// waits for the peer.
    pub(super) fn unread_since(&self) -> Option<Instant> {
        let blocked = Some(self.blocked_ms.load(Ordering::Relaxed)).filter(|since| *since != NEVER);
        // Kept beyond the lock: the last clone of one takes it.
        let answers: Vec<Arc<InProgress>> = self.answers().iter().filter_map(Weak::upgrade).collect();
        let owed = answers.iter().filter(|answer| answer.owed.load(Ordering::Acquire) > 0);
        let of_answers = owed.map(|answer| answer.moved_ms.load(Ordering::Relaxed));
        let oldest = of_answers.chain(blocked).min();
        oldest.map(|since| self.at(since))
    }

    /// Notes whether the transport took bytes that it was given.
    pub(super) fn note_write(&self, took: bool) {
        if took {
            self.blocked_ms.store(NEVER, Ordering::Relaxed);
        } else if self.blocked_ms.load(Ordering::Relaxed) == NEVER {
            self.blocked_ms.store(self.now_ms(), Ordering::Relaxed);
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.accepted.elapsed().as_millis()).unwrap_or(NEVER)
    }

    fn at(&self, ms: u64) -> Instant {
        self.accepted + Duration::from_millis(ms)
    }

    fn answers(&self) -> MutexGuard<'_, Vec<Weak<InProgress>>> {
        // No code that holds this lock can panic.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request of HTTP/1.1 in progress, from its head until its answer is written; that it waits for the peer is seen by its
/// transport alone.
pub(super) struct Counted(Arc<Activity>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A request of HTTP/2 in progress, from its head until the last byte of its answer was written.
pub(super) struct InProgress {
    activity: Arc<Activity>,
    /// What is there for the peer and waits for it: pieces of the answer that are not written yet, and the next piece
    /// where nobody asks for it.
    owed: AtomicUsize,
    /// When that last changed.
    moved_ms: AtomicU64,
}

/// Something that waits for the peer, until it is dropped.
pub(super) struct Owed(Arc<InProgress>);

impl Owed {
    pub(super) fn of(request: &Arc<InProgress>) -> Self {
        request.moved_ms.store(request.activity.now_ms(), Ordering::Relaxed);
        request.owed.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(request))
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        // Of a request for which nothing is left to wait nobody asks since when.
        if self.0.owed.fetch_sub(1, Ordering::AcqRel) > 1 {
            self.0.moved_ms.store(self.0.activity.now_ms(), Ordering::Relaxed);
        }
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.activity.end();
        // This one counts as gone already.
        self.activity.answers().retain(|answer| answer.strong_count() > 0);
    }
}
