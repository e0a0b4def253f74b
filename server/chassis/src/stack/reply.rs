//! The body of an answer: under the deadline, the drain, the panic guard and the concurrency cap until its end.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};
use millrace_gateway::drain::begun;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Sleep;
use tonic::Status;
use tonic::body::Body;

use super::catch_panic;
use super::deadline::End;
use super::refusal::Refusal;

/// Frames that a stream may still send once the platform drains: enough for what is ready, such as the last status of
/// a health watch, and an end for a stream that is never short of data.
const FRAMES_WHILE_DRAINING: u8 = 16;

/// Wraps an answer's body. `draining` is given for server streams: they have no end of their own to wait for.
pub(crate) fn guarded(
    body: Body,
    method: &Arc<str>,
    end: End,
    draining: Option<watch::Receiver<bool>>,
    permit: Option<OwnedSemaphorePermit>,
) -> Body {
    if body.is_end_stream() {
        return body;
    }
    Body::new(Guarded {
        inner: body,
        method: Arc::clone(method),
        end,
        late: None,
        draining: draining.map(|mut draining| -> Pin<Box<dyn Future<Output = ()> + Send>> {
            Box::pin(async move { begun(&mut draining).await })
        }),
        frames_left: None,
        permit,
        ended: false,
    })
}

struct Guarded {
    inner: Body,
    method: Arc<str>,
    end: End,
    /// The timer of the deadline, made when the body first has to be waited for: most never are.
    late: Option<Pin<Box<Sleep>>>,
    /// `None` for unary answers, and once the drain has begun.
    draining: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Set when the drain begins.
    frames_left: Option<u8>,
    /// Given back at the end of the body.
    permit: Option<OwnedSemaphorePermit>,
    ended: bool,
}

impl Guarded {
    /// Waits for the deadline.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.end.deadline else {
            return Poll::Pending;
        };
        let late = self
            .late
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.0)));
        late.as_mut().poll(cx)
    }

    /// Ends the body because its time is over.
    fn late(&mut self) -> Frame<Bytes> {
        self.ended_by(if self.end.is_life {
            Refusal::LifeOver
        } else {
            Refusal::DeadlineExceeded
        })
    }

    /// Ends the body with a status in its trailers, as a gRPC answer does.
    fn ended_by(&mut self, status: impl Into<Status>) -> Frame<Bytes> {
        self.ended = true;
        self.inner = Body::empty();
        self.permit = None;
        let mut trailers = HeaderMap::new();
        if status.into().add_header(&mut trailers).is_err() {
            trailers.insert(Status::GRPC_STATUS, http::HeaderValue::from_static("13"));
        }
        Frame::trailers(trailers)
    }
}

impl http_body::Body for Guarded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        // First the clock, or a stream that always has data would outlive its deadline.
        if this.end.deadline.is_some_and(|deadline| deadline.remaining().is_zero()) {
            return Poll::Ready(Some(Ok(this.late())));
        }
        if let Some(draining) = &mut this.draining
            && draining.as_mut().poll(cx).is_ready()
        {
            this.draining = None;
            this.frames_left = Some(FRAMES_WHILE_DRAINING);
        }
        let polled = catch_panic::guard_step(&this.method, || Pin::new(&mut this.inner).poll_frame(cx));
        match (polled, this.frames_left) {
            (Err(panicked), _) => Poll::Ready(Some(Ok(this.ended_by(panicked)))),
            (Ok(Poll::Pending), None) => this.wait(cx).map(|()| Some(Ok(this.late()))),
            (Ok(Poll::Pending), Some(_)) | (Ok(Poll::Ready(Some(_))), Some(0)) => {
                Poll::Ready(Some(Ok(this.ended_by(Refusal::Draining))))
            }
            (Ok(Poll::Ready(frame)), left) => {
                this.frames_left = left.map(|left| left - 1);
                this.ended = !matches!(&frame, Some(Ok(_)));
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        // The body may end early, so no length may be promised.
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::{StreamExt, stream};
    use http_body_util::{BodyExt, StreamBody};
    use tokio::time::Instant;

    use super::*;
    use crate::stack::Deadline;

    type Frames = Result<Frame<Bytes>, Status>;

    fn data(text: &'static str) -> Frames {
        Ok(Frame::data(Bytes::from_static(text.as_bytes())))
    }

    /// Reads a body to its end: number of data frames, status in the trailers.
    async fn read(mut body: Body) -> (usize, Option<i32>) {
        let mut frames = 0;
        while let Some(frame) = body.frame().await {
            match frame.unwrap().into_trailers() {
                Ok(trailers) => {
                    return (
                        frames,
                        Status::from_header_map(&trailers).map(|status| status.code() as i32),
                    );
                }
                Err(_) => frames += 1,
            }
        }
        (frames, None)
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_by_deadline_drain_and_panic() {
        let soon = || End {
            deadline: Some(Deadline(Instant::now() + Duration::from_secs(1))),
            is_life: false,
        };
        let never = End {
            deadline: None,
            is_life: false,
        };
        let one_then_silent = || Body::new(StreamBody::new(stream::iter([data("a")]).chain(stream::pending())));
        let never_silent = || {
            Body::new(StreamBody::new(stream::repeat(()).then(|()| async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                data("a")
            })))
        };
        assert_eq!(
            read(guarded(one_then_silent(), &"m".into(), soon(), None, None)).await,
            (1, Some(4))
        );
        let life = End {
            is_life: true,
            ..soon()
        };
        assert_eq!(
            read(guarded(one_then_silent(), &"m".into(), life, None, None)).await,
            (1, Some(14)),
            "a stream whose life is over can go on"
        );
        let (frames, status) = read(guarded(never_silent(), &"m".into(), soon(), None, None)).await;
        assert!(
            (900..=1_000).contains(&frames) && status == Some(4),
            "{frames} {status:?}"
        );

        let (drain, draining) = watch::channel(false);
        let watched = tokio::spawn(read(guarded(
            one_then_silent(),
            &"m".into(),
            never,
            Some(draining.clone()),
            None,
        )));
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        assert!(!watched.is_finished());
        drain.send(true).unwrap();
        assert_eq!(watched.await.unwrap(), (1, Some(14)));
        let always_ready = Body::new(StreamBody::new(stream::repeat(()).map(|()| data("a"))));
        let ended = read(guarded(always_ready, &"m".into(), never, Some(draining), None)).await;
        assert_eq!(ended, (usize::from(FRAMES_WHILE_DRAINING), Some(14)));

        let panics = Body::new(StreamBody::new(stream::iter([1, 2]).map(|number| -> Frames {
            assert!(number < 2, "the second message");
            data("a")
        })));
        assert_eq!(
            read(guarded(panics, &"m".into(), never, None, None)).await,
            (1, Some(13))
        );
    }
}
