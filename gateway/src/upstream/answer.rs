//! The body of a server's answer as the doors read it: pulled only as fast as they read, watched by the call's
//! deadline, and always ended by trailers if it did not come to its own end. Dropping it resets the stream.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tonic::Status;

use crate::call::CallRecord;
use crate::upstream::Shared;
use crate::upstream::fault::Fault;
use crate::upstream::framing::Framing;
use crate::upstream::hop::strip_hop_if_any;
use crate::upstream::http2::{self, Error, Reason};
use crate::upstream::life::Life;
use crate::upstream::outgoing::Upload;
use crate::upstream::pool::Lease;

/// The body.
pub(crate) struct AnswerBody {
    /// `None` after the end.
    live: Option<Live>,
}

/// What a call holds until its answer has ended.
pub(super) struct Live {
    // Dropped first, and before the place on the connection is given to another call.
    pub(super) stream: http2::Answer,
    pub(super) upload: Option<Upload>,
    pub(super) lease: Lease,
    pub(super) life: Life,
    pub(super) framing: Framing,
    pub(super) shared: Arc<Shared>,
    pub(super) record: Arc<CallRecord>,
}

impl AnswerBody {
    pub(super) fn new(live: Live) -> Self {
        Self {
            live: (!live.stream.is_read()).then_some(live),
        }
    }
}

impl Live {
    /// The next frame; `None` at the end.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, Fault>> {
        match self.poll_stream(cx) {
            // Also a stream that is never silent has its end.
            Poll::Ready(Ok(Some(frame))) if frame.is_data() && self.life.is_over() => {
                Poll::Ready(Err(self.life.fault()))
            }
            Poll::Pending if Pin::new(&mut self.life).poll(cx).is_ready() => {
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
        let frame = match ready!(self.stream.poll_frame(cx)) {
            Ok(Some(frame)) => frame,
            // A server that answered before it had read the request may stop it like this.
            Ok(None) | Err(Error::Reset(Reason::NO_ERROR)) => return Poll::Ready(Ok(None)),
            Err(error) => return Poll::Ready(Err(Fault::Broken(error))),
        };
        let passed = match frame.into_data() {
            Ok(chunk) => {
                self.framing.pass(&chunk).map_err(Fault::TooLarge)?;
                Frame::data(chunk)
            }
            Err(mut frame) => {
                if let Some(trailers) = frame.trailers_mut() {
                    strip_hop_if_any(trailers);
                }
                frame
            }
        };
        Poll::Ready(Ok(Some(passed)))
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(live) = &mut self.live else {
            return Poll::Ready(None);
        };
        let end = match ready!(live.poll_next(cx)) {
            Ok(Some(frame)) if frame.is_data() => return Poll::Ready(Some(Ok(frame))),
            Ok(end) => end,
            Err(fault) => {
                fault.log(&live.shared.address.name, live.record.request_id());
                Some(Frame::trailers(fault.failure().trailers(live.record.error_domain())))
            }
        };
        self.live = None;
        Poll::Ready(end.map(Ok))
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
