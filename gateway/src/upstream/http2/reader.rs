//! Frames from the server, one after the other: whether each may come where it does, and what it says.

use super::error::{DebugData, Reason, Violation};
use super::frame::{self, Head, flag, kind, setting};
use super::hpack::Decoder;
use super::state::Shared;
use super::{Config, PAYLOAD_BYTES_MAX};

/// Frames after HEADERS that one block may take, however short they are.
const CONTINUATIONS_MAX: usize = 64;

/// What is to be known to read the next frame.
pub(super) struct Reader {
    decoder: Decoder,
    header_bytes_max: usize,
    block_bytes_max: usize,
    /// A header block that goes on.
    block: Option<Part>,
    /// How many streams the server takes at once; `None` before its SETTINGS.
    streams_max: Option<usize>,
}

/// A header block that is not all there.
struct Part {
    stream: u32,
    ends: bool,
    bytes: Vec<u8>,
    continuations: usize,
}

impl Reader {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            decoder: Decoder::new(),
            header_bytes_max: config.header_bytes_max as usize,
            block_bytes_max: config.block_bytes_max() as usize,
            block: None,
            streams_max: None,
        }
    }

    /// How many streams the server takes at once; `None` before it has greeted.
    pub(super) fn streams_max(&self) -> Option<usize> {
        self.streams_max
    }

    /// Whether a header block is not all there.
    pub(super) fn is_in_block(&self) -> bool {
        self.block.is_some()
    }

    /// What can be said of a frame by its header alone.
    pub(super) fn check(&self, head: Head) -> Result<(), Violation> {
        if self.streams_max.is_none() && (head.kind != kind::SETTINGS || head.has(flag::ACK)) {
            return Err(Violation::protocol("it did not begin with SETTINGS"));
        }
        if head.length > PAYLOAD_BYTES_MAX {
            return Err(Violation::size("a frame is longer than was allowed"));
        }
        match &self.block {
            Some(block) if head.kind != kind::CONTINUATION || head.stream != block.stream => {
                Err(Violation::protocol("a header block was interrupted"))
            }
            None if head.kind == kind::CONTINUATION => Err(Violation::protocol("CONTINUATION came without HEADERS")),
            _ => Ok(()),
        }
    }

    /// Takes a frame.
    pub(super) fn take(&mut self, head: Head, payload: &[u8], shared: &Shared) -> Result<(), Violation> {
        let is_of_stream = matches!(
            head.kind,
            kind::DATA | kind::HEADERS | kind::PRIORITY | kind::RST_STREAM | kind::CONTINUATION
        );
        let is_of_connection = matches!(head.kind, kind::SETTINGS | kind::PING | kind::GOAWAY);
        if (is_of_stream && head.stream == 0) || (is_of_connection && head.stream != 0) {
            return Err(Violation::protocol("a frame is of a stream that it cannot be of"));
        }
        match head.kind {
            kind::DATA => {
                let data = frame::unpadded(head, payload).ok_or_else(padding)?;
                shared
                    .lock()
                    .data(head.stream, data, payload.len(), head.has(flag::END_STREAM))
            }
            kind::HEADERS => {
                let block = frame::unpadded(head, payload).ok_or_else(padding)?;
                let ends = head.has(flag::END_STREAM);
                if head.has(flag::END_HEADERS) {
                    return self.headers(head.stream, block, ends, shared);
                }
                self.block = Some(Part {
                    stream: head.stream,
                    ends,
                    bytes: block.to_vec(),
                    continuations: 0,
                });
                Ok(())
            }
            kind::CONTINUATION => self.continuation(head, payload, shared),
            kind::RST_STREAM => shared.lock().reset(head.stream, Reason(number(payload)?)),
            kind::SETTINGS if head.has(flag::ACK) => match payload.is_empty() {
                true => Ok(()),
                false => Err(Violation::size("an answer to SETTINGS has a payload")),
            },
            kind::SETTINGS => self.settings(payload, shared),
            kind::PUSH_PROMISE => Err(Violation::protocol("PUSH_PROMISE came, which is turned off")),
            kind::PING => {
                let payload = payload.try_into().map_err(|_| length())?;
                shared.lock().pinged(payload, head.has(flag::ACK));
                Ok(())
            }
            kind::GOAWAY => {
                let (last, rest) = payload.split_first_chunk().ok_or_else(length)?;
                let (reason, said) = rest.split_first_chunk().ok_or_else(length)?;
                let last = u32::from_be_bytes(*last) & 0x7fff_ffff;
                let reason = Reason(u32::from_be_bytes(*reason));
                shared.lock().going_away(last, reason, DebugData::new(said))
            }
            kind::WINDOW_UPDATE => shared.lock().window_update(head.stream, number(payload)? & 0x7fff_ffff),
            // PRIORITY says nothing to a client, and what is unknown to nobody (RFC 9113, 5.5).
            _ => Ok(()),
        }
    }

    /// Takes more of a header block.
    fn continuation(&mut self, head: Head, payload: &[u8], shared: &Shared) -> Result<(), Violation> {
        let Some(mut block) = self.block.take() else {
            return Ok(());
        };
        block.continuations += 1;
        if block.bytes.len() + payload.len() > self.block_bytes_max || block.continuations > CONTINUATIONS_MAX {
            return Err(Violation {
                reason: Reason::ENHANCE_YOUR_CALM,
                why: "a header block has no end",
            });
        }
        block.bytes.extend_from_slice(payload);
        if head.has(flag::END_HEADERS) {
            return self.headers(block.stream, &block.bytes, block.ends, shared);
        }
        self.block = Some(block);
        Ok(())
    }

    fn headers(&mut self, stream: u32, block: &[u8], ends: bool, shared: &Shared) -> Result<(), Violation> {
        // Also of a stream that nobody reads any more: the table is the connection's.
        let fields = self.decoder.block(block, self.header_bytes_max);
        let fields = fields.map_err(|_| Violation {
            reason: Reason::COMPRESSION_ERROR,
            why: "a header block cannot be read",
        })?;
        shared.lock().headers(stream, fields, self.header_bytes_max, ends)
    }

    fn settings(&mut self, payload: &[u8], shared: &Shared) -> Result<(), Violation> {
        let (values, rest) = payload.as_chunks::<6>();
        if !rest.is_empty() {
            return Err(length());
        }
        let value = |[a, b, c, d, e, f]: &[u8; 6]| (u16::from_be_bytes([*a, *b]), u32::from_be_bytes([*c, *d, *e, *f]));
        let values: Vec<_> = values.iter().map(value).collect();
        shared.lock().settings(&values)?;
        let streams_max = values.iter().rfind(|(id, _)| *id == setting::MAX_CONCURRENT_STREAMS);
        self.streams_max = match streams_max {
            Some((_, streams_max)) => Some(*streams_max as usize),
            // There is no bound unless there is one.
            None => Some(self.streams_max.unwrap_or(usize::MAX)),
        };
        Ok(())
    }
}

fn padding() -> Violation {
    Violation::protocol("a frame is padded with more than it has")
}

fn length() -> Violation {
    Violation::size("a frame has a length that it cannot have")
}

fn number(payload: &[u8]) -> Result<u32, Violation> {
    payload.try_into().map(u32::from_be_bytes).map_err(|_| length())
}
