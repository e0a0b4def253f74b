//! The body of an answer on its way to the caller: under the call's deadline, and with the request id in its trailers,
//! so that a failure after the headers tells its id too.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderValue;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;
use tonic::metadata::MetadataValue;

use crate::channel::REQUEST_ID;
use crate::{deadline, retry};

/// Passes an answer's frames on until the deadline.
pub(crate) struct ReplyBody {
    inner: tonic::body::Body,
    deadline: Option<Pin<Box<Sleep>>>,
    request_id: HeaderValue,
}

impl ReplyBody {
    pub(crate) fn new(inner: tonic::body::Body, deadline: Option<Instant>, request_id: HeaderValue) -> Self {
        let deadline = deadline.map(|deadline| Box::pin(sleep_until(deadline)));
        Self {
            inner,
            deadline,
            request_id,
        }
    }

    fn failure(&self, mut status: Status) -> Status {
        label(&mut status, &self.request_id);
        status
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        // What has arrived is handed on even if the deadline passed meanwhile, so the body is asked first.
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) {
            let Some(frame) = frame else {
                return Poll::Ready(None);
            };
            let labelled = match frame {
                Ok(mut frame) => {
                    if let Some(trailers) = frame.trailers_mut() {
                        trailers.entry(REQUEST_ID).or_insert_with(|| self.request_id.clone());
                    }
                    Ok(frame)
                }
                Err(status) => Err(self.failure(retry::connection_lost(status))),
            };
            return Poll::Ready(Some(labelled));
        }
        let Some(deadline) = &mut self.deadline else {
            return Poll::Pending;
        };
        ready!(deadline.as_mut().poll(context));
        // The inner body goes with its stream, which tells the server to stop.
        self.inner = tonic::body::Body::empty();
        self.deadline = None;
        Poll::Ready(Some(Err(self.failure(deadline::exceeded()))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Writes the request id into a failure that does not carry one.
pub(crate) fn label(status: &mut Status, request_id: &HeaderValue) {
    if status.metadata().contains_key(REQUEST_ID) {
        return;
    }
    if let Ok(value) = MetadataValue::try_from(request_id.as_bytes()) {
        status.metadata_mut().insert(REQUEST_ID, value);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::{StreamExt, stream};
    use http::HeaderMap;
    use http_body_util::{BodyExt, StreamBody};
    use tonic::Code;

    use super::*;

    type Frames = Vec<Result<Frame<Bytes>, Status>>;

    /// A body of these frames that then stays open or ends.
    fn reply(frames: Frames, stays_open: bool, deadline: Option<Instant>) -> ReplyBody {
        let frames = stream::iter(frames);
        let body = if stays_open {
            tonic::body::Body::new(StreamBody::new(frames.chain(stream::pending())))
        } else {
            tonic::body::Body::new(StreamBody::new(frames))
        };
        ReplyBody::new(body, deadline, HeaderValue::from_static("r-1"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stalls_ends_at_the_deadline() {
        let deadline = Instant::now() + Duration::from_secs(3);
        let message = Ok(Frame::data(Bytes::from_static(b"message")));
        let mut body = reply(vec![message], true, Some(deadline));
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "message");
        let status = body.frame().await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert_eq!(status.metadata().get(REQUEST_ID).unwrap(), "r-1");
        assert_eq!(Instant::now(), deadline);
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn trailers_carry_the_request_id_unless_the_server_sent_one() {
        for (sent, expected) in [(None, "r-1"), (Some("s-2"), "s-2")] {
            let mut trailers = HeaderMap::new();
            if let Some(id) = sent {
                trailers.insert(REQUEST_ID, HeaderValue::from_static(id));
            }
            let mut body = reply(vec![Ok(Frame::trailers(trailers))], false, None);
            let trailers = body.frame().await.unwrap().unwrap().into_trailers().unwrap();
            assert_eq!(trailers[REQUEST_ID], expected);
        }
    }

    #[tokio::test]
    async fn a_connection_lost_in_the_middle_is_unavailable() {
        let mut body = reply(vec![Err(Status::unknown("connection reset"))], false, None);
        assert_eq!(body.frame().await.unwrap().unwrap_err().code(), Code::Unavailable);
    }
}
