//! The transport of a connection, which notes when it takes no bytes, and holds back the end of a peer who may only have
//! closed its own side: over HTTP/1.1 one who has sent all may do so and wait for the answer, and one who has left looks
//! the same until something is written to it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::activity::Activity;

/// How long the answer to a peer who has closed its side may be silent, before the peer is taken for gone and the call is
/// cancelled.
pub(super) const HALF_CLOSED_MAX: Duration = Duration::from_secs(5);

/// TCP, or TLS over it.
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<I: AsyncRead + AsyncWrite + Unpin + Send> Io for I {}

/// A transport, watched.
pub(super) struct Transport {
    inner: Box<dyn Io>,
    activity: Arc<Activity>,
    /// Since the peer closed its side.
    half_closed: Option<Pin<Box<Sleep>>>,
}

impl Transport {
    pub(super) fn new(inner: Box<dyn Io>, activity: Arc<Activity>) -> Self {
        Self {
            inner,
            activity,
            half_closed: None,
        }
    }

    fn noted(&mut self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.activity.note_write(polled.is_ready());
        // To a peer who is gone the next write fails.
        if let (Some(silence), Poll::Ready(Ok(_))) = (&mut self.half_closed, &polled) {
            silence.as_mut().reset(Instant::now() + HALF_CLOSED_MAX);
        }
        polled
    }
}

impl AsyncRead for Transport {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let silence = match &mut this.half_closed {
            Some(silence) => silence,
            None => {
                let before = buf.filled().len();
                ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
                if buf.filled().len() > before || buf.remaining() == 0 {
                    return Poll::Ready(Ok(()));
                }
                this.half_closed.insert(Box::pin(sleep(HALF_CLOSED_MAX)))
            }
        };
        if !this.activity.is_answering_whole_request() {
            return Poll::Ready(Ok(()));
        }
        silence.as_mut().poll(cx).map(Ok)
    }
}

impl AsyncWrite for Transport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.noted(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, bytes);
        self.noted(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
