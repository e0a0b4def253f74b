//! Tells all calls in progress that they are to end. Each says once whom to wake, and leaves with its end: what a
//! `watch` channel does for that costs a call more than its timer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use crate::drain::LastFrames;

/// Rings once, for all who hear it then or later.
#[derive(Debug, Default)]
pub(super) struct Bell {
    /// Set while the lock is held.
    has_rung: AtomicBool,
    seats: Mutex<Seats>,
}

/// Who is to be woken: as many seats as there ever were calls at once, which the places on connections bound.
#[derive(Debug, Default)]
struct Seats {
    taken: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl Bell {
    /// Rings.
    pub(super) fn ring(&self) {
        let mut seats = self.lock();
        self.has_rung.store(true, Ordering::Release);
        let wakers: Vec<Waker> = seats.taken.iter_mut().filter_map(Option::take).collect();
        drop(seats);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn has_rung(&self) -> bool {
        self.has_rung.load(Ordering::Acquire)
    }

    /// Nothing panics while it holds the lock, but for want of memory.
    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When one call is cut: as soon as it has nothing ready after the bell has rung, or after its last few frames.
pub(super) struct Cut {
    bell: Arc<Bell>,
    seat: Option<usize>,
    last: LastFrames,
}

impl Cut {
    /// Of a call that begins.
    pub(super) fn new(bell: &Arc<Bell>) -> Self {
        Self {
            bell: bell.clone(),
            seat: None,
            last: LastFrames::default(),
        }
    }

    /// Whether the call is cut in the place of its next frame, which is there or not. To be asked after the call was,
    /// once for each frame; if there is none, the bell wakes the task.
    pub(super) fn is_due(&mut self, cx: &mut Context<'_>, is_pending: bool) -> bool {
        if self.bell.has_rung() || (is_pending && self.listen(cx)) {
            self.last.begin();
        }
        self.last.is_over(is_pending)
    }

    /// Says whom to wake; true if the bell has rung meanwhile.
    fn listen(&mut self, cx: &mut Context<'_>) -> bool {
        let mut seats = self.bell.lock();
        if self.bell.has_rung() {
            return true;
        }
        let seat = match self.seat {
            Some(seat) => seat,
            None => seats.free.pop().unwrap_or_else(|| {
                seats.taken.push(None);
                seats.taken.len() - 1
            }),
        };
        self.seat = Some(seat);
        let before = match &mut seats.taken[seat] {
            Some(waker) if waker.will_wake(cx.waker()) => None,
            other => other.replace(cx.waker().clone()),
        };
        drop(seats);
        // It may be the last of its task.
        drop(before);
        false
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        if let Some(seat) = self.seat {
            let mut seats = self.bell.lock();
            let waker = seats.taken[seat].take();
            seats.free.push(seat);
            drop(seats);
            drop(waker);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;
    use crate::drain::FRAMES_BEFORE_CUT;

    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn those_who_wait_are_woken_once_and_those_who_left_are_not() {
        let bell = Arc::new(Bell::default());
        let counted = Arc::new(Counted::default());
        let waker = Waker::from(counted.clone());
        let mut cx = Context::from_waker(&waker);
        let (mut waits, mut leaves, mut busy) = (Cut::new(&bell), Cut::new(&bell), Cut::new(&bell));
        assert!(!waits.is_due(&mut Context::from_waker(Waker::noop()), true));
        assert!(!waits.is_due(&mut cx, true) && !leaves.is_due(&mut cx, true));
        assert!(!busy.is_due(&mut cx, false));
        drop(leaves);
        let mut next = Cut::new(&bell);
        assert!(!next.is_due(&mut Context::from_waker(Waker::noop()), true));
        assert_eq!(bell.lock().taken.len(), 2, "a seat is taken again");
        bell.ring();
        assert_eq!(counted.0.load(Ordering::Relaxed), 1);
        assert!(waits.is_due(&mut cx, true) && next.is_due(&mut cx, true));
        let frames = std::iter::from_fn(|| (!busy.is_due(&mut cx, false)).then_some(())).count();
        assert_eq!(frames, usize::from(FRAMES_BEFORE_CUT), "what is ready still goes");
        assert!(Cut::new(&bell).is_due(&mut cx, true), "who comes later hears it too");
    }
}
