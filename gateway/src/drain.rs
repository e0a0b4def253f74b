//! The signal that the platform ends, as everything that must end with it waits for it; and how it ends a stream, which
//! has no end of its own to wait for.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;

use tokio::sync::watch;

/// Frames that a stream may still send once it is to be cut: enough for what is ready, such as the last status of a
/// health watch, and an end for a stream that is never short of data.
pub(crate) const FRAMES_BEFORE_CUT: u8 = 16;

/// Waits until the drain begins. A sender that is gone means the same.
pub async fn begun(draining: &mut watch::Receiver<bool>) {
    let _ = draining.wait_for(|draining| *draining).await;
}

/// When a drain cuts one stream: as soon as it has nothing ready, or after its last few frames.
pub struct Cut {
    draining: watch::Receiver<bool>,
    /// What wakes the task. Most streams end before they have to be waited for, and need none.
    waited_for: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    last: LastFrames,
}

/// What a stream may still send that is to be cut; nothing is counted before.
#[derive(Debug, Default)]
pub(crate) struct LastFrames(Option<u8>);

impl LastFrames {
    /// The cut is due.
    pub(crate) fn begin(&mut self) {
        self.0.get_or_insert(FRAMES_BEFORE_CUT);
    }

    /// Whether the cut is due already.
    fn has_begun(&self) -> bool {
        self.0.is_some()
    }

    /// Whether the stream is cut in the place of its next frame, which is there or not.
    pub(crate) fn is_over(&mut self, is_pending: bool) -> bool {
        match (self.0, is_pending) {
            (None, _) => false,
            (Some(_), true) | (Some(0), false) => true,
            (Some(left), false) => {
                self.0 = Some(left - 1);
                false
            }
        }
    }
}

impl Cut {
    /// Cuts when `draining` turns true.
    pub fn new(draining: watch::Receiver<bool>) -> Self {
        Self {
            draining,
            waited_for: None,
            last: LastFrames::default(),
        }
    }

    /// Whether the stream is cut in the place of its next frame, which is there or not. To be asked after the stream
    /// was, once for each frame; it wakes the task when the drain begins.
    pub fn is_due(&mut self, cx: &mut Context<'_>, is_pending: bool) -> bool {
        if !self.last.has_begun() && self.has_begun(cx, is_pending) {
            self.waited_for = None;
            self.last.begin();
        }
        self.last.is_over(is_pending)
    }

    /// Whether the drain has begun; if not, and the stream is waited for, the drain wakes the task.
    fn has_begun(&mut self, cx: &mut Context<'_>, is_pending: bool) -> bool {
        if !is_pending {
            return *self.draining.borrow() || self.draining.has_changed().is_err();
        }
        let waited_for = self.waited_for.get_or_insert_with(|| {
            let mut draining = self.draining.clone();
            Box::pin(async move { begun(&mut draining).await })
        });
        waited_for.as_mut().poll(cx).is_ready()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_stream_is_cut_when_it_has_nothing_ready_or_never_ends() {
        let mut cx = Context::from_waker(Waker::noop());
        let (drain, draining) = watch::channel(false);
        let (mut silent, mut busy) = (Cut::new(draining.clone()), Cut::new(draining));
        assert!(!silent.is_due(&mut cx, true) && !busy.is_due(&mut cx, false));
        drain.send(true).unwrap();
        assert!(silent.is_due(&mut cx, true));
        let frames = std::iter::from_fn(|| (!busy.is_due(&mut cx, false)).then_some(())).count();
        assert_eq!(frames, usize::from(FRAMES_BEFORE_CUT));
    }

    #[test]
    fn a_sender_that_is_gone_cuts_as_the_drain_does() {
        let mut cx = Context::from_waker(Waker::noop());
        let (drain, draining) = watch::channel(false);
        let (mut silent, mut busy) = (Cut::new(draining.clone()), Cut::new(draining));
        assert!(!silent.is_due(&mut cx, true) && !busy.is_due(&mut cx, false));
        drop(drain);
        assert!(silent.is_due(&mut cx, true));
        let frames = std::iter::from_fn(|| (!busy.is_due(&mut cx, false)).then_some(())).count();
        assert_eq!(frames, usize::from(FRAMES_BEFORE_CUT));
    }
}
