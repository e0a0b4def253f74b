//! What a connection is doing: whether a request ever came, how many are in progress, since when it is idle.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

/// One connection's activity, shared with the guards of its requests.
pub(super) struct Activity {
    accepted: Instant,
    begun: AtomicBool,
    in_progress: AtomicUsize,
    /// Milliseconds from `accepted` to the end of the last request.
    last_end_ms: AtomicU64,
}

impl Activity {
    pub(super) fn start() -> Self {
        Self {
            accepted: Instant::now(),
            begun: AtomicBool::new(false),
            in_progress: AtomicUsize::new(0),
            last_end_ms: AtomicU64::new(0),
        }
    }

    /// Counts a request until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> InProgress {
        self.begun.store(true, Ordering::Relaxed);
        self.in_progress.fetch_add(1, Ordering::AcqRel);
        InProgress(Arc::clone(self))
    }

    /// Tells whether a request ever came.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// Returns since when no request is in progress; `None` while one is.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        (self.in_progress.load(Ordering::Acquire) == 0)
            .then(|| self.accepted + Duration::from_millis(self.last_end_ms.load(Ordering::Relaxed)))
    }
}

/// A request in progress, from its head to the end of its answer's body.
pub(super) struct InProgress(Arc<Activity>);

impl InProgress {
    pub(super) fn until_end_of<B>(self, body: B) -> Tracked<B> {
        Tracked {
            body,
            _in_progress: self,
        }
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        let millis = u64::try_from(self.0.accepted.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.last_end_ms.store(millis, Ordering::Relaxed);
        self.0.in_progress.fetch_sub(1, Ordering::AcqRel);
    }
}

pin_project_lite::pin_project! {
    /// An answer's body; hyper drops it at its end, and the request with it.
    pub(super) struct Tracked<B> {
        #[pin]
        body: B,
        _in_progress: InProgress,
    }
}

impl<B: http_body::Body<Data = Bytes>> http_body::Body for Tracked<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
