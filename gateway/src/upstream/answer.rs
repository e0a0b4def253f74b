//! The body of a server's answer as the doors read it: pulled only as fast as they read, watched by the call's
//! deadline, and always ended by trailers if it did not come to its own end. Dropping it resets the stream.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, RecvStream};
use http_body::{Body, Frame, SizeHint};
use tonic::Status;

use crate::call::CallRecord;
use crate::upstream::Shared;
use crate::upstream::fault::Fault;
use crate::upstream::framing::{Framing, HeaderBound};
use crate::upstream::life::Life;
use crate::upstream::outgoing::Upload;
use crate::upstream::pool::Lease;

/// The body.
pub(super) struct Answer {
    /// `None` after the end.
    live: Option<Live>,
}

/// What a call holds until its answer has ended.
pub(super) struct Live {
    // Dropped first, and before the place on the connection is given to another call.
    pub(super) stream: RecvStream,
    pub(super) upload: Option<Upload>,
    pub(super) lease: Lease,
    pub(super) life: Life,
    pub(super) framing: Framing,
    pub(super) header_bound: HeaderBound,
    pub(super) shared: Arc<Shared>,
    pub(super) record: Arc<CallRecord>,
}

impl Answer {
    pub(super) fn new(live: Live) -> Self {
        if live.stream.is_end_stream() {
            live.leave();
            return Self { live: None };
        }
        Self { live: Some(live) }
    }
}

impl Live {
    /// Ends with the stream's own end. One that is still sent to is reset when it is dropped, so that is not put off.
    fn leave(self) {
        if self.upload.is_none() {
            self.lease.keep_spent(self.stream);
        }
    }

    /// The next frame; `None` at the end.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, Fault>> {
        let polled = self.poll_stream(cx);
        // Also a stream that is never silent has its end.
        let is_over = self.life.is_over() || (polled.is_pending() && Pin::new(&mut self.life).poll(cx).is_ready());
        match polled {
            Poll::Ready(Ok(Some(frame))) if frame.is_data() && is_over => Poll::Ready(Err(self.life.fault())),
            Poll::Pending if is_over => {
                self.lease.suspect_silence();
                Poll::Ready(Err(self.life.fault()))
            }
            Poll::Pending if self.life.is_cut(cx, true) => Poll::Ready(Err(self.life.cut_fault())),
            Poll::Ready(Ok(Some(frame))) if frame.is_data() && self.life.is_cut(cx, false) => {
                Poll::Ready(Err(self.life.cut_fault()))
            }
            Poll::Ready(Err(fault)) => {
                let failed = self.upload.as_ref().and_then(Upload::failure);
                Poll::Ready(Err(failed.map_or_else(|| self.life.blame(fault), Fault::Upload)))
            }
            polled => polled,
        }
    }

    fn poll_stream(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, Fault>> {
        match ready!(self.stream.poll_data(cx)) {
            Some(Ok(chunk)) => {
                // It fails only for more than was received.
                let _ = self.stream.flow_control().release_capacity(chunk.len());
                let passed = self.framing.pass(&chunk).map_err(Fault::TooLarge);
                Poll::Ready(passed.map(|()| Some(Frame::data(chunk))))
            }
            // A server that answered before it had read the request may stop it like this.
            Some(Err(error)) if error.reason() == Some(Reason::NO_ERROR) && error.is_reset() => Poll::Ready(Ok(None)),
            Some(Err(error)) => Poll::Ready(Err(Fault::Broken(error))),
            None => match ready!(self.stream.poll_trailers(cx)) {
                Ok(Some(mut trailers)) => {
                    self.header_bound
                        .received(&mut trailers)
                        .map_err(Fault::HeadersTooLarge)?;
                    Poll::Ready(Ok(Some(Frame::trailers(trailers))))
                }
                Ok(None) => Poll::Ready(Ok(None)),
                Err(error) if error.reason() == Some(Reason::NO_ERROR) && error.is_reset() => Poll::Ready(Ok(None)),
                Err(error) => Poll::Ready(Err(Fault::Broken(error))),
            },
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(live) = &mut self.live else {
            return Poll::Ready(None);
        };
        let (frame, has_ended) = match ready!(live.poll_next(cx)) {
            Ok(Some(frame)) if frame.is_data() => return Poll::Ready(Some(Ok(frame))),
            Ok(end) => (end, true),
            Err(fault) => {
                fault.log(&live.shared.address.name, live.record.request_id());
                let trailers = fault.failure().trailers(live.record.error_domain());
                (Some(Frame::trailers(trailers)), false)
            }
        };
        match self.live.take() {
            Some(live) if has_ended => live.leave(),
            _ => {}
        }
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.live.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.live {
            Some(_) => SizeHint::default(),
            None => SizeHint::with_exact(0),
        }
    }
}
