//! The time that a request body may take where a door reads it as a whole: REST and gRPC-Web. The deadline layer cannot
//! guard it, for the call begins after it. A gRPC body is read by the call itself, under its deadline.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep};

use crate::body::{BoxError, RequestBody};

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
#[error("the body took longer than {0:?}")]
struct TooSlow(Duration);

/// Bounds a request's body, if a door reads it as a whole.
pub fn bounded(request: Request<Incoming>, time_max: Duration) -> Request<RequestBody> {
    if request.body().is_end_stream() || is_grpc(&request) {
        return request.map(RequestBody::new);
    }
    request.map(|inner| {
        RequestBody::new(Upload {
            inner,
            time_max,
            late: Box::pin(sleep(time_max)),
        })
    })
}

fn is_grpc(request: &Request<Incoming>) -> bool {
    let content_type = request.headers().get(CONTENT_TYPE).map(|value| value.as_bytes());
    content_type.is_some_and(|text| text.starts_with(b"application/grpc") && !text.starts_with(b"application/grpc-web"))
}

struct Upload {
    inner: Incoming,
    time_max: Duration,
    late: Pin<Box<Sleep>>,
}

impl Body for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.late.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(TooSlow(self.time_max).into())));
        }
        Pin::new(&mut self.inner).poll_frame(cx).map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
