//! Refuses request messages above the limit with RESOURCE_EXHAUSTED as soon as their length is announced, whoever reads
//! the body. (tonic's own limit answers OUT_OF_RANGE, a code that is for applications.)

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;

use super::frame::HEAD_BYTES;
use super::refusal::Refusal;

/// Bounds the messages of a request body. A body that is as a whole within the limit needs no look inside.
pub(crate) fn bound(body: Body, limit: usize) -> Body {
    match body.size_hint().upper() {
        Some(bytes) if bytes <= limit as u64 => body,
        _ => Body::new(Bounded {
            inner: body,
            limit,
            head: [0; HEAD_BYTES],
            head_filled: 0,
            message_left: 0,
        }),
    }
}

struct Bounded {
    inner: Body,
    limit: usize,
    /// The bytes of a message's head seen so far.
    head: [u8; HEAD_BYTES],
    head_filled: usize,
    /// Bytes of the present message that have not come by yet.
    message_left: usize,
}

impl Bounded {
    fn inspect(&mut self, mut data: &[u8]) -> Result<(), Refusal> {
        while !data.is_empty() {
            if self.message_left > 0 {
                let passed = self.message_left.min(data.len());
                self.message_left -= passed;
                data = &data[passed..];
                continue;
            }
            let taken = (HEAD_BYTES - self.head_filled).min(data.len());
            self.head[self.head_filled..self.head_filled + taken].copy_from_slice(&data[..taken]);
            self.head_filled += taken;
            data = &data[taken..];
            if self.head_filled == HEAD_BYTES {
                self.head_filled = 0;
                let [_, length @ ..] = self.head;
                self.message_left = u32::from_be_bytes(length) as usize;
                if self.message_left > self.limit {
                    return Err(Refusal::TooLarge(self.message_left, self.limit));
                }
            }
        }
        Ok(())
    }
}

impl http_body::Body for Bounded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.inspect(data)?;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_seen_however_the_bytes_are_cut() {
        let mut wire = Vec::new();
        for length in [3_usize, 0, 10, 11] {
            wire.push(0);
            wire.extend(u32::try_from(length).unwrap().to_be_bytes());
            wire.extend(vec![7; length]);
        }
        for chunk in 1..=wire.len() {
            let mut body = Bounded {
                inner: Body::empty(),
                limit: 10,
                head: [0; HEAD_BYTES],
                head_filled: 0,
                message_left: 0,
            };
            let outcome: Vec<_> = wire.chunks(chunk).map(|part| body.inspect(part)).collect();
            let refused = outcome
                .iter()
                .position(Result::is_err)
                .expect("the last message is too large");
            // The head of the last message ends at byte 3 + 0 + 10 + 4 heads.
            assert_eq!(refused, (13 + 4 * HEAD_BYTES - 1) / chunk, "chunks of {chunk}");
        }
    }
}
