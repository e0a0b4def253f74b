//! The clock of a request body that an RPC reads: a caller who sends one message, and that by single bytes, must not
//! hold a place for as long as a stream may live. A stream of the client's has no such clock: it lasts as long as its
//! call.

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http_body::{Body, Frame, SizeHint};
use millrace_transcode::Schema;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::body::{BoxError, RequestBody};
use crate::error::Failure;

/// How long bodies may take, and whose bodies that is asked of.
#[derive(Debug, Clone)]
pub(crate) struct Uploads {
    time_max: Duration,
    /// Paths of the RPCs whose client streams.
    streaming: Arc<HashSet<String>>,
    /// Paths of the RPCs whose server streams.
    answered_in_stream: Arc<HashSet<String>>,
    /// The domain of the gateway's own reasons.
    error_domain: Arc<str>,
}

impl Uploads {
    pub(crate) fn new(schema: &Schema, time_max: Duration, error_domain: Arc<str>) -> Self {
        let streaming = schema.methods().filter(|method| method.client_streaming());
        let answered = schema.methods().filter(|method| method.server_streaming());
        Self {
            time_max,
            streaming: Arc::new(streaming.map(|method| method.grpc_path().to_owned()).collect()),
            answered_in_stream: Arc::new(answered.map(|method| method.grpc_path().to_owned()).collect()),
            error_domain,
        }
    }

    /// How long a body may take to arrive, from the head of its request on.
    pub(crate) fn time_max(&self) -> Duration {
        self.time_max
    }

    /// Whether the RPC of a path answers with a stream.
    pub(crate) fn is_answered_in_stream(&self, uri: &Uri) -> bool {
        self.answered_in_stream.contains(uri.path())
    }

    /// Puts the body of a call that began at `started` under the clock, unless it is a stream.
    pub(crate) fn timed(&self, uri: &Uri, body: RequestBody, started: Instant) -> RequestBody {
        let ends = started.checked_add(self.time_max);
        match ends {
            Some(ends) if !body.is_end_stream() && !self.streaming.contains(uri.path()) => RequestBody::new(Timed {
                inner: body,
                ends,
                time_max: self.time_max,
                error_domain: self.error_domain.clone(),
                late: None,
            }),
            _ => body,
        }
    }
}

/// A body under the clock.
struct Timed {
    inner: RequestBody,
    ends: Instant,
    time_max: Duration,
    error_domain: Arc<str>,
    /// Made when the body first has to be waited for: most never are.
    late: Option<Pin<Box<Sleep>>>,
}

impl Timed {
    fn too_slow(&mut self) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.inner = RequestBody::empty();
        let status = Failure::body_too_slow(self.time_max).to_status(&self.error_domain);
        Poll::Ready(Some(Err(status.into())))
    }
}

impl Body for Timed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        // First the frame: what is there came in time, and a body that has ended needs no clock.
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) if frame.is_data() && Instant::now() >= this.ends => this.too_slow(),
            Poll::Ready(frame) => Poll::Ready(frame.map(|frame| frame.map_err(Into::into))),
            Poll::Pending => {
                let ends = this.ends;
                let late = this.late.get_or_insert_with(|| Box::pin(sleep_until(ends)));
                match late.as_mut().poll(cx) {
                    Poll::Ready(()) => this.too_slow(),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
