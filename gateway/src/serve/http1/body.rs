//! The body of a request on its way from the connection to whoever reads it: one piece at a time, and but for
//! the start of a short one none is read off the connection before it is asked for.

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
    next: Option<Frame<Bytes>>,
    /// What comes behind it.
    end: End,
    /// Whether the reader waits for `next`.
    is_asked: bool,
    reader: Option<Waker>,
    /// Whom to wake when it is asked for, or nobody reads any more.
    connection: Option<Waker>,
    /// Whether nobody reads any more.
    is_dropped: bool,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum End {
    /// More may come.
    #[default]
    Open,
    Whole,
    Broken(Broken),
}

/// Where the body is read.
pub(super) struct Incoming {
    shared: Arc<Mutex<Shared>>,
    /// Bytes that were not read yet, if the request said how many there are.
    left: Option<u64>,
}

/// Where it comes from.
pub(super) struct Feed(Arc<Mutex<Shared>>);

/// What whoever reads does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// Waits for the next piece.
    Asks,
    Rests,
    /// Reads no more.
    Left,
}

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
    /// What whoever reads does.
    pub(super) fn reader(&self) -> Reader {
        let shared = lock(&self.0);
        match (shared.is_dropped, shared.is_asked) {
            (true, _) => Reader::Left,
            (false, true) => Reader::Asks,
            (false, false) => Reader::Rests,
        }
    }

    /// Gives the piece that was asked for.
    pub(super) fn give(&self, frame: Frame<Bytes>, is_last: bool) {
        let end = if is_last { End::Whole } else { End::Open };
        self.put(Some(frame), end);
    }

    /// There is no further piece.
    pub(super) fn end(&self, end: Result<(), Broken>) {
        self.put(None, end.map_or_else(End::Broken, |()| End::Whole));
    }

    fn put(&self, next: Option<Frame<Bytes>>, end: End) {
        let mut shared = lock(&self.0);
        // Nothing is given that was not asked for, so nothing waits to be taken, but for the end of the connection.
        if next.is_some() {
            shared.next = next;
        }
        if shared.end == End::Open {
            shared.end = end;
        }
        shared.is_asked = false;
        let reader = shared.reader.take();
        drop(shared);
        reader.into_iter().for_each(Waker::wake);
    }

    /// Says whom to wake when whoever reads does something else; false if that does not rest.
    pub(super) fn rest(&self, cx: &mut Context<'_>) -> bool {
        let mut shared = lock(&self.0);
        if shared.is_asked || shared.is_dropped {
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
    /// The connection is gone, or done with the request.
    fn drop(&mut self) {
        self.end(Err(Broken::Closed));
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        let mut shared = lock(&this.shared);
        if let Some(frame) = shared.next.take() {
            drop(shared);
            let read = frame.data_ref().map_or(0, Bytes::len);
            this.left = this.left.map(|left| left.saturating_sub(read as u64));
            return Poll::Ready(Some(Ok(frame)));
        }
        match shared.end {
            End::Open => {}
            End::Whole => return Poll::Ready(None),
            End::Broken(broken) => return Poll::Ready(Some(Err(broken))),
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
        shared.end == End::Whole && shared.next.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let mut shared = lock(&self.shared);
        shared.is_dropped = true;
        let kept = (shared.next.take(), shared.reader.take());
        let connection = shared.connection.take();
        drop(shared);
        drop(kept);
        connection.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn data(text: &'static str) -> Frame<Bytes> {
        Frame::data(Bytes::from_static(text.as_bytes()))
    }

    /// What comes next, as text.
    fn next(incoming: &mut Incoming, cx: &mut Context<'_>) -> Poll<Option<Result<Vec<u8>, Broken>>> {
        let polled = Pin::new(incoming).poll_frame(cx);
        polled.map_ok(|frame| frame.into_data().unwrap().to_vec())
    }

    #[test]
    fn a_piece_is_asked_for_and_each_side_wakes_the_other() {
        let (connection, reader) = (Arc::new(Counted::default()), Arc::new(Counted::default()));
        let wakes = || [&connection, &reader].map(|counted| counted.0.load(Ordering::Relaxed));
        let (of_connection, of_reader) = (Waker::from(connection.clone()), Waker::from(reader.clone()));
        let mut cx = Context::from_waker(&of_reader);
        let (feed, mut incoming) = body(Some(5));
        assert!(feed.rest(&mut Context::from_waker(&of_connection)));
        assert_eq!(feed.reader(), Reader::Rests);
        assert!(next(&mut incoming, &mut cx).is_pending());
        assert_eq!((wakes(), feed.reader()), ([1, 0], Reader::Asks));
        assert!(
            !feed.rest(&mut Context::from_waker(&of_connection)),
            "there is something to do"
        );
        feed.give(data("123"), false);
        assert_eq!((wakes(), feed.reader()), ([1, 1], Reader::Rests));
        assert_eq!(next(&mut incoming, &mut cx), Poll::Ready(Some(Ok(b"123".to_vec()))));
        assert_eq!(incoming.size_hint().exact(), Some(2));
        assert!(next(&mut incoming, &mut cx).is_pending() && !incoming.is_end_stream());
        feed.give(data("45"), true);
        drop(feed);
        assert!(!incoming.is_end_stream());
        assert_eq!(next(&mut incoming, &mut cx), Poll::Ready(Some(Ok(b"45".to_vec()))));
        assert!(incoming.is_end_stream());
        assert_eq!(next(&mut incoming, &mut cx), Poll::Ready(None));
    }

    #[test]
    fn a_body_whose_connection_ends_never_looks_whole() {
        let mut cx = Context::from_waker(Waker::noop());
        for has_piece in [false, true] {
            let (feed, mut incoming) = body(None);
            assert!(next(&mut incoming, &mut cx).is_pending());
            if has_piece {
                feed.give(data("1"), false);
            }
            drop(feed);
            if has_piece {
                assert_eq!(next(&mut incoming, &mut cx), Poll::Ready(Some(Ok(b"1".to_vec()))));
            }
            assert!(!incoming.is_end_stream());
            assert_eq!(next(&mut incoming, &mut cx), Poll::Ready(Some(Err(Broken::Closed))));
        }
        let (feed, incoming) = body(None);
        let connection = Arc::new(Counted::default());
        assert!(feed.rest(&mut Context::from_waker(&Waker::from(connection.clone()))));
        drop(incoming);
        assert_eq!(feed.reader(), Reader::Left);
        assert_eq!(connection.0.load(Ordering::Relaxed), 1);
        assert!(!feed.rest(&mut cx));
    }
}
