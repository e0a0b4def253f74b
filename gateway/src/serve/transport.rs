//! The transport of a connection, which tells its protocol, notes when it takes no bytes, and holds back the end of a
//! peer who may only have closed its own side: over HTTP/1.1 one who has sent all may do so and wait for the answer, and
//! one who has left looks the same until something is written to it.

use std::future::poll_fn;
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

/// With what a connection of HTTP/2 begins (RFC 9113, 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A transport, watched.
pub(super) struct Transport {
    inner: Box<dyn Io>,
    start: Start,
    activity: Arc<Activity>,
    /// Since the peer closed its side.
    half_closed: Option<Pin<Box<Sleep>>>,
}

impl Transport {
    pub(super) fn new(inner: Box<dyn Io>, activity: Arc<Activity>) -> Self {
        Self {
            inner,
            start: Start::default(),
            activity,
            half_closed: None,
        }
    }

    /// Reads as much as tells whether the peer speaks HTTP/2. It is read once more by whoever speaks with it, and there with
    /// what comes after it.
    pub(super) async fn is_http2(&mut self) -> io::Result<bool> {
        poll_fn(|cx| self.poll_start(cx)).await
    }

    fn poll_start(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let Start { bytes, read, .. } = &mut self.start;
        while *read < bytes.len() {
            let mut buf = ReadBuf::new(bytes);
            buf.set_filled(*read);
            ready!(Pin::new(&mut self.inner).poll_read(cx, &mut buf))?;
            let filled = buf.filled().len();
            if filled == *read || bytes[..filled] != PREFACE[..filled] {
                *read = filled;
                return Poll::Ready(Ok(false));
            }
            *read = filled;
        }
        Poll::Ready(Ok(true))
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

/// What was read to tell the protocol.
#[derive(Default)]
struct Start {
    bytes: [u8; PREFACE.len()],
    read: usize,
    /// How many of them were handed on.
    taken: usize,
}

impl Start {
    /// Hands on what is left.
    fn take(&mut self, buf: &mut ReadBuf<'_>) {
        let left = &self.bytes[self.taken..self.read];
        let bytes = left.len().min(buf.remaining());
        buf.put_slice(&left[..bytes]);
        self.taken += bytes;
    }
}

impl AsyncRead for Transport {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let silence = match &mut this.half_closed {
            Some(silence) => silence,
            None => {
                let before = buf.filled().len();
                this.start.take(buf);
                let is_any = buf.filled().len() > before;
                if is_any && buf.remaining() == 0 {
                    return Poll::Ready(Ok(()));
                }
                match Pin::new(&mut this.inner).poll_read(cx, buf) {
                    Poll::Pending if is_any => return Poll::Ready(Ok(())),
                    polled => ready!(polled)?,
                }
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
        let polled = Pin::new(&mut self.inner).poll_flush(cx);
        // TLS takes bytes that it cannot send yet.
        self.activity.note_write(polled.is_ready());
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn the_protocol_is_told_by_the_first_bytes_and_none_is_lost() {
        let table: [(&[&str], bool); 5] = [
            (&["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore"], true),
            (&["P", "RI * HTTP/2.0\r\n\r\nS", "M\r\n\r\n", "more"], true),
            (&["PUT / HTTP/1.1\r\n\r\n"], false),
            (&["P", "U"], false),
            (&["PRI * HTTP/2.0\r\n\r\n"], false),
        ];
        for (parts, expected) in table {
            let (mut peer, io) = duplex(64);
            let mut transport = Transport::new(Box::new(io), Arc::new(Activity::start()));
            let send = async {
                for part in parts {
                    peer.write_all(part.as_bytes()).await.unwrap();
                    tokio::task::yield_now().await;
                }
                peer.shutdown().await.unwrap();
            };
            let (is_http2, ()) = tokio::join!(transport.is_http2(), send);
            assert_eq!(is_http2.unwrap(), expected, "{parts:?}");
            let mut read = Vec::new();
            transport.read_to_end(&mut read).await.unwrap();
            assert_eq!(read, parts.concat().as_bytes(), "{parts:?}");
        }
    }

    #[tokio::test]
    async fn what_told_the_protocol_comes_with_what_is_there_behind_it() {
        let (mut peer, io) = duplex(256);
        let mut transport = Transport::new(Box::new(io), Arc::new(Activity::start()));
        let request = b"GET /v1/users/1/orders/2 HTTP/1.1\r\nhost: localhost\r\n\r\n";
        peer.write_all(request).await.unwrap();
        assert!(!transport.is_http2().await.unwrap());
        let mut room = [0; 256];
        assert_eq!(transport.read(&mut room).await.unwrap(), request.len());
    }
}
