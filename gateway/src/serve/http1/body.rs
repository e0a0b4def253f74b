//! The body of a request on its way from the connection to whoever reads it: one piece at a time, and none is read off
//! the connection before it is asked for.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// Why a body has no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    #[error("the connection ended before the body did")]
    Closed,
    #[error(transparent)]
    Malformed(#[from] super::decoder::Malformed),
}

/// What both sides share.
#[derive(Default)]
struct Shared {
    /// What comes next, from when it is there until it is taken.
    next: Option<Result<Frame<Bytes>, Broken>>,
    has_ended: bool,
    /// Whether the reader waits for `next`.
    is_asked: bool,
    reader: Option<Waker>,
    /// Whom to wake when it is asked for, or nobody reads any more.
    connection: Option<Waker>,
    /// Whether nobody reads any more.
    is_dropped: bool,
}

/// Where the body is read.
pub(super) struct Incoming {
    shared: Arc<Mutex<Shared>>,
    /// Bytes that were not read yet, if the request said how many there are.
    left: Option<u64>,
}

/// Where it comes from.
pub(super) struct Feed(Arc<Mutex<Shared>>);

/// A body of so many bytes, if that is known.
pub(super) fn body(bytes: Option<u64>) -> (Feed, Incoming) {
    let shared = Arc::<Mutex<Shared>>::default();
    let incoming = Incoming {
        shared: shared.clone(),
        left: bytes,
    };
    (Feed(shared), incoming)
}

/// Nothing panics while it holds the lock.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Feed {
    /// Whether the next piece is asked for.
    pub(super) fn is_asked(&self) -> bool {
        lock(&self.0).is_asked
    }

    /// Whether nobody reads any more.
    pub(super) fn is_dropped(&self) -> bool {
        lock(&self.0).is_dropped
    }

    /// Gives what was asked for; `has_ended` if it is the last.
    pub(super) fn give(&self, next: Option<Result<Frame<Bytes>, Broken>>, has_ended: bool) {
        let mut shared = lock(&self.0);
        shared.next = next;
        shared.has_ended = has_ended;
        shared.is_asked = false;
        let reader = shared.reader.take();
        drop(shared);
        reader.into_iter().for_each(Waker::wake);
    }

    /// Says whom to wake when the next piece is asked for; false if it is already.
    pub(super) fn rest(&self, cx: &mut Context<'_>) -> bool {
        let mut shared = lock(&self.0);
        if shared.is_asked {
            return false;
        }
        let before = match &shared.connection {
            Some(waker) if waker.will_wake(cx.waker()) => None,
            _ => shared.connection.replace(cx.waker().clone()),
        };
        drop(shared);
        // It may be the last of its task.
        drop(before);
        true
    }
}

impl Drop for Feed {
    /// The connection is gone.
    fn drop(&mut self) {
        let mut shared = lock(&self.0);
        if !shared.has_ended {
            shared.has_ended = true;
            shared.next.get_or_insert(Err(Broken::Closed));
        }
        let reader = shared.reader.take();
        drop(shared);
        reader.into_iter().for_each(Waker::wake);
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        let mut shared = lock(&this.shared);
        if let Some(next) = shared.next.take() {
            drop(shared);
            let read = next.as_ref().ok().and_then(Frame::data_ref).map_or(0, Bytes::len);
            this.left = this.left.map(|left| left.saturating_sub(read as u64));
            return Poll::Ready(Some(next));
        }
        if shared.has_ended {
            return Poll::Ready(None);
        }
        shared.is_asked = true;
        let before = match &shared.reader {
            Some(waker) if waker.will_wake(cx.waker()) => None,
            _ => shared.reader.replace(cx.waker().clone()),
        };
        let connection = shared.connection.take();
        drop(shared);
        drop(before);
        connection.into_iter().for_each(Waker::wake);
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        let shared = lock(&self.shared);
        shared.has_ended && shared.next.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let mut shared = lock(&self.shared);
        shared.is_dropped = true;
        shared.is_asked = false;
        let kept = (shared.next.take(), shared.reader.take());
        let connection = shared.connection.take();
        drop(shared);
        drop(kept);
        connection.into_iter().for_each(Waker::wake);
    }
}
