//! How long a call may last, and what ends it before its answer does.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::HeaderValue;
use tokio::time::Instant;

use crate::deadline;
use crate::upstream::Shared;
use crate::upstream::bell::Cut;
use crate::upstream::fault::Fault;
use crate::upstream::pool::Timer;

/// A call that has lost less than this of its time is told that it has all of it: that value is there.
const HASTE: Duration = Duration::from_millis(1);

/// How long a call may last: to the caller's deadline, or else the settings', and not beyond the moment at which the
/// gateway, stopping, cuts it.
pub(super) struct Life {
    ends: Instant,
    pub(super) timer: Timer,
    /// `grpc-timeout` of a call that has all of its time left, if the caller said nothing of it.
    whole: Option<HeaderValue>,
    /// Whether the end is the longest life of a stream, and not a deadline that the caller knows.
    is_stream_limit: bool,
    is_stream: bool,
    cut: Cut,
}

impl Life {
    /// It begins now: what a REST body took to arrive is no part of a deadline that nobody asked for.
    ///
    /// `timeout` is what the caller said of it, as `grpc-timeout`.
    pub(super) fn of(timeout: Option<&HeaderValue>, is_stream: bool, shared: &Shared) -> Result<Self, Fault> {
        let now = Instant::now();
        let (ends, is_stream_limit, whole) = match timeout {
            Some(timeout) => {
                let timeout = timeout.to_str().ok().and_then(deadline::parse_grpc);
                (now.checked_add(timeout.ok_or(Fault::MalformedTimeout)?), false, None)
            }
            None if is_stream => (now.checked_add(shared.settings.stream_deadline), true, None),
            None => (
                now.checked_add(shared.settings.deadline),
                false,
                Some(shared.whole_timeout.clone()),
            ),
        };
        // A time that the clock does not hold is no limit.
        let ends = ends.unwrap_or_else(|| now + Duration::from_secs(u64::from(u32::MAX)));
        Ok(Self {
            ends,
            timer: Timer::default(),
            whole,
            is_stream_limit,
            is_stream,
            cut: Cut::new(match is_stream {
                true => &shared.cutting,
                false => &shared.ending,
            }),
        })
    }

    /// What is left of it, as `grpc-timeout`, for a call that has waited since it began, or has not.
    pub(super) fn left(&mut self, shared: &Shared, has_waited: bool) -> HeaderValue {
        let whole = match self.whole.take() {
            Some(whole) if !has_waited => return whole,
            whole => whole,
        };
        let left = self.ends.saturating_duration_since(Instant::now());
        match whole {
            // The gateway itself ends the call in time.
            Some(whole) if left + HASTE >= shared.settings.deadline => whole,
            _ => deadline::to_grpc(left),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.ends
    }

    /// Waits for something, but not beyond the end.
    pub(super) fn bound<F: Future + Unpin>(&mut self, mut future: F) -> impl Future<Output = Result<F::Output, Fault>> {
        poll_fn(move |cx| {
            if let Poll::Ready(output) = Pin::new(&mut future).poll(cx) {
                return Poll::Ready(Ok(output));
            }
            if self.is_cut(cx, true) {
                return Poll::Ready(Err(self.cut_fault()));
            }
            Pin::new(&mut *self).poll(cx).map(|()| Err(self.fault()))
        })
    }

    /// Whether the gateway cuts the call in the place of the next frame of its answer, which is there or not.
    pub(super) fn is_cut(&mut self, cx: &mut Context<'_>, is_pending: bool) -> bool {
        self.cut.is_due(cx, is_pending)
    }

    /// What the cut means.
    pub(super) fn cut_fault(&self) -> Fault {
        match self.is_stream {
            true => Fault::StreamCut,
            false => Fault::Stopping,
        }
    }

    /// A server that sees the end of the time first cancels the call, as grpc-go does; its reason is the time.
    pub(super) fn blame(&self, fault: Fault) -> Fault {
        if fault.is_cancel() && self.is_over() {
            self.fault()
        } else {
            fault
        }
    }

    /// What the end means.
    pub(super) fn fault(&self) -> Fault {
        if self.is_stream_limit {
            Fault::LifeOver
        } else {
            Fault::DeadlineExceeded
        }
    }
}

/// Comes at the end.
impl Future for Life {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.timer.poll(this.ends, cx)
    }
}
