//! Watches an answer as it passes, without keeping any of it: no message may be larger than its bound. Pure.

use crate::frame::HEADER_BYTES;

/// The place in a sequence of frames.
#[derive(Debug)]
pub(super) struct Framing {
    message_bytes_max: usize,
    /// What came of the header of a frame.
    header: [u8; HEADER_BYTES],
    header_bytes: usize,
    /// What is still to come of a message.
    left: usize,
}

/// A message larger than the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLarge {
    pub(super) bytes: usize,
    pub(super) max: usize,
}

impl Framing {
    pub(super) fn new(message_bytes_max: usize) -> Self {
        Self {
            message_bytes_max,
            header: [0; HEADER_BYTES],
            header_bytes: 0,
            left: 0,
        }
    }

    /// Looks at the next chunk.
    pub(super) fn pass(&mut self, mut chunk: &[u8]) -> Result<(), TooLarge> {
        while !chunk.is_empty() {
            if self.left > 0 {
                let part = self.left.min(chunk.len());
                self.left -= part;
                chunk = &chunk[part..];
                continue;
            }
            let part = (HEADER_BYTES - self.header_bytes).min(chunk.len());
            let (head, rest) = chunk.split_at(part);
            self.header[self.header_bytes..][..part].copy_from_slice(head);
            self.header_bytes += part;
            chunk = rest;
            if self.header_bytes == HEADER_BYTES {
                let [_, a, b, c, d] = self.header;
                self.header_bytes = 0;
                self.left = u32::from_be_bytes([a, b, c, d]) as usize;
                if self.left > self.message_bytes_max {
                    return Err(TooLarge {
                        bytes: self.left,
                        max: self.message_bytes_max,
                    });
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::framed;

    proptest! {
        #[test]
        fn a_message_passes_up_to_the_bound_however_it_is_cut(
            sizes in prop::collection::vec(0..40_usize, 1..6),
            cut in 1..9_usize,
        ) {
            let body: Vec<u8> = sizes.iter().flat_map(|size| framed(&vec![7; *size])).collect();
            let mut framing = Framing::new(30);
            let passed = body.chunks(cut).try_for_each(|chunk| framing.pass(chunk));
            let expected = sizes.iter().find(|size| **size > 30);
            prop_assert_eq!(passed.err().map(|error| error.bytes), expected.copied());
        }

        #[test]
        fn any_bytes_pass_or_are_too_large(body: Vec<u8>) {
            let _ = Framing::new(1_000).pass(&body);
        }
    }
}
