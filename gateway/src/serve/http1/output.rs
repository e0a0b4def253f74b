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
