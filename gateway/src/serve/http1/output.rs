//! What is being written to the peer: bytes that were put together, and one large piece that is not copied.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

/// Bytes of a piece that is copied behind what goes before it; a larger one is written from where it is.
const COPIED_BYTES_MAX: usize = 2 << 10;
/// Bytes put together before they are written.
const TOGETHER_BYTES_MAX: usize = 16 << 10;
/// Bytes of a buffer that is kept between writes.
const KEPT_BYTES_MAX: usize = 4 << 10;

/// What is to be written, in this order.
#[derive(Default)]
pub(super) struct Output {
    pub(super) bytes: Vec<u8>,
    written: usize,
    piece: Bytes,
    /// Behind the piece.
    tail: &'static [u8],
    is_unflushed: bool,
}

impl Output {
    /// Whether more can be put behind it.
    pub(super) fn has_room(&self) -> bool {
        self.piece.is_empty() && self.tail.is_empty() && self.bytes.len() < TOGETHER_BYTES_MAX
    }

    /// Puts a piece behind what is there, of which there is room for one, and a tail behind that.
    pub(super) fn put(&mut self, piece: Bytes, tail: &'static [u8]) {
        if piece.len() > COPIED_BYTES_MAX {
            self.piece = piece;
            self.tail = tail;
        } else {
            self.bytes.extend_from_slice(&piece);
            self.bytes.extend_from_slice(tail);
        }
    }

    /// Whether everything was written.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.piece.is_empty() && self.tail.is_empty()
    }

    /// Writes all that there is, and has the transport send it.
    pub(super) fn poll_write<T: AsyncWrite + Unpin>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let bytes = &self.bytes[self.written..];
            let written = if self.piece.is_empty() && self.tail.is_empty() {
                ready!(Pin::new(&mut *io).poll_write(cx, bytes))?
            } else {
                let parts = [bytes, &self.piece, self.tail].map(IoSlice::new);
                ready!(Pin::new(&mut *io).poll_write_vectored(cx, &parts))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
            self.is_unflushed = true;
        }
        if self.is_unflushed {
            ready!(Pin::new(io).poll_flush(cx))?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, written: usize) {
        let of_bytes = written.min(self.bytes.len() - self.written);
        self.written += of_bytes;
        if self.written == self.bytes.len() {
            self.written = 0;
            self.bytes.clear();
            if self.bytes.capacity() > KEPT_BYTES_MAX {
                self.bytes = Vec::new();
            }
        }
        let of_piece = (written - of_bytes).min(self.piece.len());
        self.piece.advance(of_piece);
        if self.piece.is_empty() {
            // It may be the last of a memory that others wait for.
            self.piece = Bytes::new();
        }
        self.tail = &self.tail[written - of_bytes - of_piece..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes at a time.
    struct Narrow {
        bytes_max: usize,
        took: Vec<u8>,
        flushes: usize,
    }

    impl AsyncWrite for Narrow {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            let bytes = &bytes[..bytes.len().min(self.bytes_max)];
            self.took.extend_from_slice(bytes);
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            parts: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let all: Vec<u8> = parts.iter().flat_map(|part| part.to_vec()).collect();
            self.poll_write(cx, &all)
        }

        fn is_write_vectored(&self) -> bool {
            true
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.flushes += 1;
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn whatever_a_transport_takes_all_is_written_in_order_and_flushed_once() {
        let large = Bytes::from(b"0123456789".repeat(COPIED_BYTES_MAX / 10 + 1));
        let expected = [b"head", &large[..], b"\r\n"].concat();
        for bytes_max in [1, 3, 4, 5, large.len(), large.len() + 3, large.len() + 5, usize::MAX] {
            let mut io = Narrow {
                bytes_max,
                took: Vec::new(),
                flushes: 0,
            };
            let mut output = Output::default();
            output.bytes.extend_from_slice(b"head");
            output.put(large.clone(), b"\r\n");
            assert!(!output.has_room() && !output.is_empty());
            let mut cx = Context::from_waker(std::task::Waker::noop());
            for _ in 0..2 {
                assert!(matches!(output.poll_write(&mut io, &mut cx), Poll::Ready(Ok(()))));
            }
            assert!(
                io.took == expected && output.is_empty() && output.has_room(),
                "{bytes_max}"
            );
            assert_eq!(io.flushes, 1);
        }
        let mut closed = Narrow {
            bytes_max: 0,
            took: Vec::new(),
            flushes: 0,
        };
        let mut output = Output::default();
        output.put(Bytes::from_static(b"1"), b"");
        let polled = output.poll_write(&mut closed, &mut Context::from_waker(std::task::Waker::noop()));
        assert!(matches!(polled, Poll::Ready(Err(_))));
    }
}
