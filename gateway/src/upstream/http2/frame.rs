//! Frames as bytes (RFC 9113, 4 and 6).

use super::error::Reason;

/// What a client begins with (RFC 9113, 3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes of a frame's header.
pub(super) const HEADER_BYTES: usize = 9;

/// The longest payload that a peer takes unless it says more.
pub(super) const PAYLOAD_BYTES_DEFAULT: usize = 16_384;

/// The largest window (RFC 9113, 6.9.1).
pub(super) const WINDOW_MAX: i64 = i32::MAX as i64;

/// Every window at first.
pub(super) const WINDOW_DEFAULT: i64 = 65_535;

/// Types of frames.
pub(super) mod kind {
    pub(in super::super) const DATA: u8 = 0x0;
    pub(in super::super) const HEADERS: u8 = 0x1;
    pub(in super::super) const PRIORITY: u8 = 0x2;
    pub(in super::super) const RST_STREAM: u8 = 0x3;
    pub(in super::super) const SETTINGS: u8 = 0x4;
    pub(in super::super) const PUSH_PROMISE: u8 = 0x5;
    pub(in super::super) const PING: u8 = 0x6;
    pub(in super::super) const GOAWAY: u8 = 0x7;
    pub(in super::super) const WINDOW_UPDATE: u8 = 0x8;
    pub(in super::super) const CONTINUATION: u8 = 0x9;
}

/// Flags of frames.
pub(super) mod flag {
    pub(in super::super) const ACK: u8 = 0x1;
    pub(in super::super) const END_STREAM: u8 = 0x1;
    pub(in super::super) const END_HEADERS: u8 = 0x4;
    pub(in super::super) const PADDED: u8 = 0x8;
    pub(in super::super) const PRIORITY: u8 = 0x20;
}

/// Identifiers of settings.
pub(super) mod setting {
    pub(in super::super) const HEADER_TABLE_SIZE: u16 = 0x1;
    pub(in super::super) const ENABLE_PUSH: u16 = 0x2;
    pub(in super::super) const MAX_CONCURRENT_STREAMS: u16 = 0x3;
    pub(in super::super) const INITIAL_WINDOW_SIZE: u16 = 0x4;
    pub(in super::super) const MAX_FRAME_SIZE: u16 = 0x5;
    pub(in super::super) const MAX_HEADER_LIST_SIZE: u16 = 0x6;
}

/// The header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) length: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    /// 0 is the connection.
    pub(super) stream: u32,
}

impl Head {
    /// Of the first bytes of a frame, if all of its header is there.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, kind, flags, stream @ ..] = *bytes.first_chunk::<HEADER_BYTES>()?;
        Some(Self {
            length: u32::from_be_bytes([0, a, b, c]) as usize,
            kind,
            flags,
            // The highest bit is reserved.
            stream: u32::from_be_bytes(stream) & 0x7fff_ffff,
        })
    }

    pub(super) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes());
    }

    pub(super) fn bytes(self) -> [u8; HEADER_BYTES] {
        // A payload is never as long as its length could say.
        let [_, a, b, c] = (self.length as u32).to_be_bytes();
        let [d, e, f, g] = self.stream.to_be_bytes();
        [a, b, c, self.kind, self.flags, d, e, f, g]
    }
}

/// Puts a frame whose payload is one number: RST_STREAM or WINDOW_UPDATE.
fn put_number(out: &mut Vec<u8>, kind: u8, stream: u32, number: u32) {
    let length = size_of::<u32>();
    Head {
        length,
        kind,
        flags: 0,
        stream,
    }
    .put(out);
    out.extend_from_slice(&number.to_be_bytes());
}

pub(super) fn put_reset(out: &mut Vec<u8>, stream: u32, reason: Reason) {
    put_number(out, kind::RST_STREAM, stream, reason.0);
}

pub(super) fn put_window_update(out: &mut Vec<u8>, stream: u32, increment: u32) {
    put_number(out, kind::WINDOW_UPDATE, stream, increment);
}

pub(super) fn put_data(out: &mut Vec<u8>, stream: u32, data: &[u8], ends: bool) {
    Head {
        length: data.len(),
        kind: kind::DATA,
        flags: if ends { flag::END_STREAM } else { 0 },
        stream,
    }
    .put(out);
    out.extend_from_slice(data);
}

/// Puts a frame of the connection.
pub(super) fn put_control(out: &mut Vec<u8>, kind: u8, flags: u8, payload: &[u8]) {
    Head {
        length: payload.len(),
        kind,
        flags,
        stream: 0,
    }
    .put(out);
    out.extend_from_slice(payload);
}

/// Puts SETTINGS.
pub(super) fn put_settings(out: &mut Vec<u8>, settings: &[(u16, u32)]) {
    let payload: Vec<u8> = settings
        .iter()
        .flat_map(|(id, value)| id.to_be_bytes().into_iter().chain(value.to_be_bytes()))
        .collect();
    put_control(out, kind::SETTINGS, 0, &payload);
}

/// Puts GOAWAY of a client, to which no stream of a server's is known.
pub(super) fn put_goaway(out: &mut Vec<u8>, reason: Reason) {
    let [a, b, c, d] = reason.0.to_be_bytes();
    put_control(out, kind::GOAWAY, 0, &[0, 0, 0, 0, a, b, c, d]);
}

/// Turns the header block that begins at `start` into HEADERS, and CONTINUATION for what is longer than a frame may be.
/// Before the block there is the room of one frame's header.
pub(super) fn close_headers(out: &mut Vec<u8>, start: usize, stream: u32, ends: bool, payload_max: usize) {
    let length = out.len() - start;
    let ends = if ends { flag::END_STREAM } else { 0 };
    if length <= payload_max {
        let head = Head {
            length,
            kind: kind::HEADERS,
            flags: flag::END_HEADERS | ends,
            stream,
        };
        out[start - HEADER_BYTES..start].copy_from_slice(&head.bytes());
        return;
    }
    let block = out.split_off(start);
    out.truncate(start - HEADER_BYTES);
    let mut parts = block.chunks(payload_max).enumerate().peekable();
    while let Some((index, part)) = parts.next() {
        let is_last = parts.peek().is_none();
        let (kind, flags) = if index == 0 {
            (kind::HEADERS, ends)
        } else {
            (kind::CONTINUATION, 0)
        };
        Head {
            length: part.len(),
            kind,
            flags: if is_last { flags | flag::END_HEADERS } else { flags },
            stream,
        }
        .put(out);
        out.extend_from_slice(part);
    }
}

/// A payload without its padding, and without the fields of PRIORITY that HEADERS may begin with; `None` if it is shorter
/// than it says.
pub(super) fn unpadded(head: Head, payload: &[u8]) -> Option<&[u8]> {
    const PRIORITY_BYTES: usize = 5;
    let mut rest = payload;
    let mut padding = 0;
    if head.has(flag::PADDED) {
        let (length, after) = rest.split_first()?;
        (padding, rest) = (usize::from(*length), after);
    }
    if head.kind == kind::HEADERS && head.has(flag::PRIORITY) {
        rest = rest.get(PRIORITY_BYTES..)?;
    }
    rest.get(..rest.len().checked_sub(padding)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let head = Head {
            length: 0x01_0203,
            kind: kind::DATA,
            flags: flag::END_STREAM,
            stream: 0x7fff_fffe,
        };
        let mut bytes = head.bytes();
        assert_eq!(Head::read(&bytes), Some(head));
        bytes[5] |= 0x80;
        assert_eq!(Head::read(&bytes), Some(head), "the highest bit is reserved");
        assert_eq!(Head::read(&bytes[1..]), None);
    }

    #[test]
    fn a_long_block_is_cut() {
        for (length, expected) in [
            (3, vec![(kind::HEADERS, 5, 3)]),
            (
                10,
                vec![
                    (kind::HEADERS, 1, 4),
                    (kind::CONTINUATION, 0, 4),
                    (kind::CONTINUATION, 4, 2),
                ],
            ),
        ] {
            let mut out = vec![9; 2];
            let start = out.len() + HEADER_BYTES;
            out.resize(start, 0);
            out.extend(0..length);
            close_headers(&mut out, start, 7, true, 4);
            let (mut rest, mut found, mut block) = (&out[2..], Vec::new(), Vec::new());
            while let Some(head) = Head::read(rest) {
                let (payload, after) = rest[HEADER_BYTES..].split_at(head.length);
                found.push((head.kind, head.flags, head.length));
                block.extend_from_slice(payload);
                rest = after;
            }
            assert_eq!((found, block), (expected, (0..length).collect()));
        }
    }

    #[test]
    fn padding_is_taken_off() {
        let head = |kind, flags| Head {
            length: 0,
            kind,
            flags,
            stream: 1,
        };
        let padded = flag::PADDED;
        let both = flag::PADDED | flag::PRIORITY;
        for (head, payload, expected) in [
            (head(kind::DATA, 0), &b"abc"[..], Some(&b"abc"[..])),
            (head(kind::DATA, padded), b"\x01abc", Some(b"ab")),
            (head(kind::DATA, padded), b"\x03abc", Some(b"")),
            (head(kind::DATA, padded), b"\x04abc", None),
            (head(kind::DATA, padded), b"", None),
            (head(kind::HEADERS, flag::PRIORITY), b"12345a", Some(b"a")),
            (head(kind::HEADERS, flag::PRIORITY), b"1234", None),
            (head(kind::HEADERS, both), b"\x0112345ab", Some(b"a")),
            (head(kind::HEADERS, both), b"\x0212345a", None),
        ] {
            assert_eq!(unpadded(head, payload), expected, "{payload:?}");
        }
    }
}
