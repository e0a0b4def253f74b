//! The body of an answer: under the deadline and the panic guard until its end; a stream's also under the drain, its
//! caller's credential and the concurrency cap.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};
use millrace_gateway::drain::Cut;
use tokio::sync::watch;
use tokio::time::Sleep;
use tonic::Status;
use tonic::body::Body;

use super::catch_panic;
use super::concurrency::Places;
use super::current::Current;
use super::refusal::Refusal;

/// What the body of a server stream stays under besides, which has no end of its own to wait for.
pub(crate) struct StreamGuards {
    /// Becomes true when the platform drains.
    pub(crate) draining: watch::Receiver<bool>,
    /// Ends when the caller's credential is revoked; `None` where none was sent.
    pub(crate) revoked: Option<Waiting>,
    /// The deadline is the longest life of a stream, which the caller may go on with, and not what the caller waits.
    pub(crate) is_life: bool,
    /// Given back at the end of the body.
    pub(crate) places: Places,
}

/// Something that a body waits for beside its next frame.
pub(crate) type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Wraps an answer's body.
pub(crate) fn guarded(body: Body, current: Arc<Current>, stream: Option<StreamGuards>) -> Body {
    if body.is_end_stream() {
        return body;
    }
    let is_life = stream.as_ref().is_some_and(|stream| stream.is_life);
    let (draining, revoked, places) = match stream {
        Some(stream) => (Some(stream.draining), stream.revoked, stream.places),
        None => (None, None, Places::default()),
    };
    Body::new(Guarded {
        inner: body,
        current,
        is_life,
        late: None,
        cut: draining.map(Cut::new),
        revoked,
        places,
        ended: false,
    })
}

/// What a body answers when it is asked for its next frame.
type Polled = Poll<Option<Result<Frame<Bytes>, Status>>>;

struct Guarded {
    inner: Body,
    current: Arc<Current>,
    is_life: bool,
    /// The timer of the deadline, made when the body first has to be waited for: most never are.
    late: Option<Pin<Box<Sleep>>>,
    /// `None` for unary answers, which a drain waits for.
    cut: Option<Cut>,
    revoked: Option<Waiting>,
    places: Places,
    ended: bool,
}

impl Guarded {
    /// Waits for the deadline.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.current.deadline() else {
            return Poll::Pending;
        };
        let late = self
            .late
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.0)));
        late.as_mut().poll(cx)
    }

    /// Asks for the next frame, as a part of the call.
    fn poll_inner(&mut self, cx: &mut Context<'_>) -> Result<Polled, Status> {
        let Self {
            inner,
            current,
            revoked,
            ..
        } = self;
        catch_panic::guard_step(|| {
            if let Some(revoked) = revoked
                && revoked.as_mut().poll(cx).is_ready()
            {
                return Err(Refusal::Revoked.into());
            }
            Ok(current.enter(|| Pin::new(inner).poll_frame(cx)))
        })
        .flatten()
    }

    /// Ends the body because its time is over.
    fn end_late(&mut self) -> Frame<Bytes> {
        self.end(if self.is_life {
            Refusal::LifeOver
        } else {
            Refusal::DeadlineExceeded
        })
    }

    /// Ends the body with a status in its trailers, as a gRPC answer does.
    fn end(&mut self, status: impl Into<Status>) -> Frame<Bytes> {
        self.ended = true;
        self.inner = Body::empty();
        self.revoked = None;
        self.places = Places::default();
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
        let deadline = this.current.deadline();
        if deadline.is_some_and(|deadline| deadline.remaining().is_zero()) {
            return Poll::Ready(Some(Ok(this.end_late())));
        }
        let polled = match this.poll_inner(cx) {
            Ok(polled) => polled,
            Err(status) => return Poll::Ready(Some(Ok(this.end(status)))),
        };
        if !matches!(polled, Poll::Ready(None))
            && let Some(cut) = &mut this.cut
            && cut.is_due(cx, polled.is_pending())
        {
            return Poll::Ready(Some(Ok(this.end(Refusal::Draining))));
        }
        match polled {
            Poll::Pending => this.wait(cx).map(|()| Some(Ok(this.end_late()))),
            Poll::Ready(frame) => {
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

    use super::super::deadline::Deadline;
    use super::*;

    fn call(deadline: Option<Deadline>) -> Arc<Current> {
        Current::new(deadline, &HeaderMap::new())
    }

    fn until(draining: &watch::Receiver<bool>) -> Option<StreamGuards> {
        Some(StreamGuards {
            draining: draining.clone(),
            revoked: None,
            is_life: false,
            places: Places::default(),
        })
    }

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
        let soon = Some(Deadline(Instant::now() + Duration::from_secs(1)));
        let one_then_silent = || Body::new(StreamBody::new(stream::iter([data("a")]).chain(stream::pending())));
        let never_silent = || {
            Body::new(StreamBody::new(stream::repeat(()).then(|()| async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                data("a")
            })))
        };
        assert_eq!(read(guarded(one_then_silent(), call(soon), None)).await, (1, Some(4)));
        let (_drain, draining) = watch::channel(false);
        let life = until(&draining).map(|guards| StreamGuards {
            is_life: true,
            ..guards
        });
        let soon = Some(Deadline(Instant::now() + Duration::from_secs(1)));
        assert_eq!(
            read(guarded(one_then_silent(), call(soon), life)).await,
            (1, Some(14)),
            "a stream whose life is over can go on"
        );
        let soon = Some(Deadline(Instant::now() + Duration::from_secs(1)));
        let (frames, status) = read(guarded(never_silent(), call(soon), None)).await;
        assert!(
            (900..=1_000).contains(&frames) && status == Some(4),
            "{frames} {status:?}"
        );

        let (drain, draining) = watch::channel(false);
        let watched = tokio::spawn(read(guarded(one_then_silent(), call(None), until(&draining))));
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        assert!(!watched.is_finished());
        drain.send(true).unwrap();
        assert_eq!(watched.await.unwrap(), (1, Some(14)));
        let always_ready = Body::new(StreamBody::new(stream::repeat(()).map(|()| data("a"))));
        let ended = read(guarded(always_ready, call(None), until(&draining))).await;
        assert_eq!(ended, (16, Some(14)));

        let panics = Body::new(StreamBody::new(stream::iter([1, 2]).map(|number| -> Frames {
            assert!(number < 2, "the second message");
            data("a")
        })));
        assert_eq!(read(guarded(panics, call(None), None)).await, (1, Some(13)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_when_its_credential_is_revoked() {
        let (_drain, draining) = watch::channel(false);
        let silent = Body::new(StreamBody::new(stream::iter([data("a")]).chain(stream::pending())));
        let busy = Body::new(StreamBody::new(stream::repeat(()).then(|()| async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            data("a")
        })));
        for body in [silent, busy] {
            let revoked: Option<Waiting> = Some(Box::pin(tokio::time::sleep(Duration::from_secs(1))));
            let guards = until(&draining).map(|guards| StreamGuards { revoked, ..guards });
            let (frames, status) = read(guarded(body, call(None), guards)).await;
            assert!(frames >= 1 && status == Some(16), "{frames} {status:?}");
        }
    }

    #[tokio::test]
    async fn a_stream_is_part_of_its_call_while_it_is_asked() {
        let deadline = Deadline(Instant::now() + Duration::from_secs(60));
        let frames = stream::iter([(); 2]).map(move |()| {
            assert_eq!(Deadline::current(), Some(deadline));
            data("a")
        });
        let body = Body::new(StreamBody::new(frames));
        assert_eq!(read(guarded(body, call(Some(deadline)), None)).await, (2, None));
    }
}
