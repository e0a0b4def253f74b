//! gRPC message frames: one flag byte, four bytes of length, the message. Pure: chunks in, messages out.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use smallvec::SmallVec;

/// Bytes before each message.
pub(crate) const HEADER_BYTES: usize = 5;

/// The largest message that the gateway takes from the inner service.
pub(crate) const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// Why a body is not a sequence of frames that the gateway can read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum FrameError {
    /// The flag is neither 0 nor 1.
    #[error("frame flag {0} is not one of gRPC")]
    Flag(u8),
    /// The message is compressed, although the gateway announced no compression.
    #[error("message is compressed, and no compression was accepted")]
    Compressed,
    /// The message is larger than the gateway takes.
    #[error("message of {bytes} bytes is larger than {max}")]
    TooLarge {
        /// The announced length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The body ended inside a frame.
    #[error("body ended inside a frame, {0} bytes of it were there")]
    Truncated(usize),
}

/// A frame up to this size lies beside the count of those who hold it. Of one in a buffer of its own the first clone
/// takes memory for that count, and a request is cloned, to be sent again.
const SMALL_BYTES: usize = 256;

/// Puts one uncompressed message into a frame.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    if HEADER_BYTES + message.len() <= SMALL_BYTES {
        let mut frame = SmallVec::<[u8; SMALL_BYTES]>::new();
        frame.extend_from_slice(&header_of(message));
        frame.extend_from_slice(message);
        return Bytes::from_owner(frame);
    }
    let mut frame = BytesMut::with_capacity(HEADER_BYTES + message.len());
    put_frame(&mut frame, message);
    frame.freeze()
}

/// Puts one uncompressed message into a frame at the end of `out`.
pub(crate) fn put_frame(out: &mut BytesMut, message: &[u8]) {
    out.reserve(HEADER_BYTES + message.len());
    out.put_slice(&header_of(message));
    out.put_slice(message);
}

/// What stands before a message.
fn header_of(message: &[u8]) -> [u8; HEADER_BYTES] {
    // A message comes from a request of at most a few MiB.
    let [a, b, c, d] = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
    [0, a, b, c, d]
}

/// Cuts a body into messages. A message that lies inside one chunk is a slice of it; only split ones are copied.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// What is left of the newest chunk; empty while `partial` is in use.
    chunk: Bytes,
    /// A frame of which only the beginning came so far.
    partial: BytesMut,
}

impl Frames {
    /// Takes the next chunk of the body.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        if self.chunk.is_empty() && self.partial.is_empty() {
            self.chunk = chunk;
        } else {
            self.partial.extend_from_slice(&std::mem::take(&mut self.chunk));
            self.partial.extend_from_slice(&chunk);
        }
    }

    /// The next whole message, `None` until more bytes come.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some(length) = message_length(if self.partial.is_empty() {
            &self.chunk
        } else {
            &self.partial
        })?
        else {
            return Ok(None);
        };
        let end = HEADER_BYTES + length;
        if self.partial.is_empty() {
            return Ok((self.chunk.len() >= end).then(|| {
                self.chunk.advance(HEADER_BYTES);
                self.chunk.split_to(length)
            }));
        }
        Ok((self.partial.len() >= end).then(|| {
            self.partial.advance(HEADER_BYTES);
            self.partial.split_to(length).freeze()
        }))
    }

    /// Checks that the body ended where a frame ended.
    pub(crate) fn finish(&self) -> Result<(), FrameError> {
        match self.chunk.len() + self.partial.len() {
            0 => Ok(()),
            left => Err(FrameError::Truncated(left)),
        }
    }
}

/// The length of the message at the head of `bytes`, once its header is there.
fn message_length(bytes: &[u8]) -> Result<Option<usize>, FrameError> {
    let Some(&[flag, a, b, c, d]) = bytes.first_chunk::<HEADER_BYTES>() else {
        return Ok(None);
    };
    match flag {
        0 => {}
        1 => return Err(FrameError::Compressed),
        other => return Err(FrameError::Flag(other)),
    }
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    if length > MESSAGE_BYTES_MAX {
        return Err(FrameError::TooLarge {
            bytes: length,
            max: MESSAGE_BYTES_MAX,
        });
    }
    Ok(Some(length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(chunks: &[&[u8]]) -> Result<Vec<Bytes>, FrameError> {
        let mut frames = Frames::default();
        let mut messages = Vec::new();
        for chunk in chunks {
            frames.push(Bytes::copy_from_slice(chunk));
            while let Some(message) = frames.next()? {
                messages.push(message);
            }
        }
        frames.finish()?;
        Ok(messages)
    }

    #[test]
    fn messages_come_whole_however_the_body_is_cut() {
        let body: Vec<u8> = [&framed(b"one")[..], &framed(b""), &framed(b"three")].concat();
        let expected = vec![Bytes::from_static(b"one"), Bytes::new(), Bytes::from_static(b"three")];
        for first in 0..=body.len() {
            for second in first..=body.len() {
                let chunks = [&body[..first], &body[first..second], &body[second..]];
                assert_eq!(cut(&chunks).unwrap(), expected, "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn a_body_that_is_no_sequence_of_frames_is_refused() {
        let table: [(&[u8], FrameError); 5] = [
            (&[2, 0, 0, 0, 0], FrameError::Flag(2)),
            (&[0x80, 0, 0, 0, 0], FrameError::Flag(0x80)),
            (&[1, 0, 0, 0, 0], FrameError::Compressed),
            (
                &[0, 0xff, 0xff, 0xff, 0xff],
                FrameError::TooLarge {
                    bytes: u32::MAX as usize,
                    max: MESSAGE_BYTES_MAX,
                },
            ),
            (&[0, 0, 0, 0, 2, 7], FrameError::Truncated(6)),
        ];
        for (body, expected) in table {
            assert_eq!(cut(&[body]), Err(expected));
        }
        assert_eq!(cut(&[&[0, 0]]), Err(FrameError::Truncated(2)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_cut_or_refused(chunks: Vec<Vec<u8>>) {
            let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
            let _ = cut(&chunks);
        }

        #[test]
        fn any_messages_survive_any_chunks(messages: Vec<Vec<u8>>, size in 1..40_usize) {
            let body: Vec<u8> = messages.iter().flat_map(|message| framed(message)).collect();
            let chunks: Vec<&[u8]> = body.chunks(size).collect();
            prop_assert_eq!(cut(&chunks).unwrap(), messages);
        }
    }
}
