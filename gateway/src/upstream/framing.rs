//! Watches an answer as it passes, without keeping any of it: neither a message nor its headers or trailers may be
//! larger than their bound. Pure.

use http::HeaderMap;

use crate::frame::HEADER_BYTES;
use crate::upstream::hop::{is_of_the_hop, strip_hop};

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

/// What HTTP/2 counts for a header beside its name and value (RFC 9113, 6.5.2).
const HEADER_OVERHEAD_BYTES: usize = 32;

/// Bytes of headers, or of trailers, as HTTP/2 counts them.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeaderBound(pub(super) usize);

impl HeaderBound {
    /// Takes headers that came, which have to be within it: what belongs to the connection goes no further.
    pub(super) fn received(self, headers: &mut HeaderMap) -> Result<(), TooLarge> {
        let (mut bytes, mut has_hop) = (0, false);
        for (name, value) in &*headers {
            bytes += name.as_str().len() + value.len() + HEADER_OVERHEAD_BYTES;
            has_hop |= is_of_the_hop(name);
        }
        let max = self.0;
        if bytes > max {
            return Err(TooLarge { bytes, max });
        }
        if has_hop {
            strip_hop(headers);
        }
        Ok(())
    }
}

/// A message, or headers, larger than the bound.
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

    #[test]
    fn headers_pass_up_to_the_bound_without_what_is_of_the_connection() {
        let headers = [("content-type", "application/grpc"), ("keep-alive", "1"), ("x-a", "1")];
        let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let headers = HeaderMap::from_iter(headers);
        let bytes = 28 + 11 + 4 + 3 * HEADER_OVERHEAD_BYTES;
        let mut taken = headers.clone();
        assert_eq!(HeaderBound(bytes).received(&mut taken), Ok(()));
        let mut left: Vec<_> = taken.keys().map(http::HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-type", "x-a"]);
        let max = bytes - 1;
        let refused = HeaderBound(max).received(&mut headers.clone());
        assert_eq!(refused, Err(TooLarge { bytes, max }));
    }

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
