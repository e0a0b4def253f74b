//! A future beside one that is polled for each call, while it has itself nothing to do for as long as a connection lives.
//! It is polled only after it was woken: to ask a timer and a signal anew for each call costs more than to serve it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

pin_project_lite::pin_project! {
    /// The future.
    pub(super) struct Woken<F> {
        #[pin]
        future: F,
        call: Arc<Call>,
        waker: Waker,
    }
}

/// What the future wakes.
struct Call {
    came: AtomicBool,
    task: AtomicWaker,
}

impl<F> Woken<F> {
    pub(super) fn new(future: F) -> Self {
        let call = Arc::new(Call {
            // For the first time it is asked without having been woken.
            came: AtomicBool::new(true),
            task: AtomicWaker::new(),
        });
        Self {
            future,
            waker: Waker::from(Arc::clone(&call)),
            call,
        }
    }
}

impl<F: Future> Future for Woken<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        // Before the look, so that a call after it wakes the task.
        this.call.task.register(cx.waker());
        // Taken before the poll, so that a call during it is not lost. The cheap look first: mostly there is none.
        if !this.call.came.load(Ordering::Relaxed) || !this.call.came.swap(false, Ordering::Acquire) {
            return Poll::Pending;
        }
        this.future.poll(&mut Context::from_waker(this.waker))
    }
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.came.store(true, Ordering::Release);
        self.task.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;

    use super::*;

    #[derive(Default)]
    struct Counted(std::sync::atomic::AtomicUsize);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn it_is_polled_once_and_then_once_for_each_call() {
        let (polls, waker) = (Cell::new(0), Cell::new(None));
        let future = poll_fn(|cx| {
            polls.set(polls.get() + 1);
            waker.set(Some(cx.waker().clone()));
            if polls.get() < 3 {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        });
        let mut woken = std::pin::pin!(Woken::new(future));
        let tasks = [Arc::new(Counted::default()), Arc::new(Counted::default())];
        let mut poll = |task: usize| {
            let waker = Waker::from(Arc::clone(&tasks[task]));
            woken.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
        };
        let wake = || waker.take().unwrap().wake();
        let woke = || [&tasks[0], &tasks[1]].map(|task| task.0.load(Ordering::Relaxed));
        assert!(!poll(0) && !poll(0));
        assert_eq!((polls.get(), woke()), (1, [0, 0]));
        wake();
        assert_eq!((polls.get(), woke()), (1, [1, 0]), "the task is woken, and polls");
        assert!(!poll(0) && !poll(1), "and may move to another");
        assert_eq!(polls.get(), 2);
        wake();
        assert_eq!(woke(), [1, 1]);
        assert!(poll(1));
        assert_eq!(polls.get(), 3);
    }
}
