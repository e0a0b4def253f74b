//! The protobuf wire: tags, varints, lengths; appended to a buffer, or taken from the front of a slice.
//!
//! A nested message gets one byte for its length, which is enough for most; a longer one is moved once by the bytes
//! that its length needs more.

/// Most messages inside one another, below the outermost: protobuf's own recursion limit, which decoders keep by
/// default. What counts is messages as the wire has them, groups and entries of maps among them, so a level of a JSON
/// object in a `google.protobuf.Value` is three (value, struct, entry), one of an array two (value, list). What an `Any`
/// holds counts as if it stood in it.
///
/// This is the one bound on messages: bodies are refused beyond it, before any decoder has to, and answers are not
/// written. JSON has another on its own brackets (`token`), which is met first where messages are plain objects.
pub(crate) const DEPTH_MAX: usize = 100;

/// How the bytes after a tag are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WireType {
    Varint,
    Fixed64,
    Length,
    GroupStart,
    GroupEnd,
    Fixed32,
}

impl WireType {
    pub(crate) const fn bits(self) -> u32 {
        match self {
            Self::Varint => 0,
            Self::Fixed64 => 1,
            Self::Length => 2,
            Self::GroupStart => 3,
            Self::GroupEnd => 4,
            Self::Fixed32 => 5,
        }
    }

    fn of(bits: u64) -> Option<Self> {
        Some(match bits & 7 {
            0 => Self::Varint,
            1 => Self::Fixed64,
            2 => Self::Length,
            3 => Self::GroupStart,
            4 => Self::GroupEnd,
            5 => Self::Fixed32,
            _ => return None,
        })
    }
}

/// An encoded tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tag {
    bytes: [u8; 5],
    length: u8,
    pub(crate) wire_type: WireType,
}

impl Tag {
    pub(crate) fn new(number: u32, wire_type: WireType) -> Self {
        let mut encoded = Vec::with_capacity(5);
        put_varint(&mut encoded, u64::from(number << 3 | wire_type.bits()));
        let mut bytes = [0; 5];
        bytes[..encoded.len()].copy_from_slice(&encoded);
        Self {
            bytes,
            length: encoded.len() as u8,
            wire_type,
        }
    }

    #[inline(always)]
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        match self.length {
            1 => out.push(self.bytes[0]),
            _ => self.put_long(out),
        }
    }

    #[inline(never)]
    fn put_long(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes[..usize::from(self.length)]);
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.length)
    }

    /// Takes this tag from the front of `wire`, if it is there in its shortest form.
    #[inline]
    pub(crate) fn take(&self, wire: &mut &[u8]) -> bool {
        let found = match self.length {
            1 => wire.first() == Some(&self.bytes[0]),
            length => wire.starts_with(&self.bytes[..usize::from(length)]),
        };
        if found {
            *wire = &wire[usize::from(self.length)..];
        }
        found
    }
}

#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Bytes of a varint.
pub(crate) fn varint_len(value: u64) -> usize {
    (u64::BITS - (value | 1).leading_zeros()).div_ceil(7) as usize
}

/// Appends a length and the bytes.
#[inline]
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Leaves room for a length; [`end`] takes what this returns.
#[inline]
pub(crate) fn begin(out: &mut Vec<u8>) -> usize {
    out.push(0);
    out.len()
}

/// Writes the length of all that was appended since [`begin`].
#[inline]
pub(crate) fn end(out: &mut Vec<u8>, start: usize) {
    let length = out.len() - start;
    match u8::try_from(length) {
        Ok(length) if length < 0x80 => out[start - 1] = length,
        _ => end_long(out, start, length),
    }
}

#[inline(never)]
fn end_long(out: &mut Vec<u8>, start: usize, length: usize) {
    let more = (usize::BITS - length.leading_zeros()).div_ceil(7) as usize - 1;
    out.resize(out.len() + more, 0);
    out.copy_within(start..start + length, start + more);
    let mut rest = length;
    for byte in &mut out[start - 1..start - 1 + more] {
        *byte = rest as u8 | 0x80;
        rest >>= 7;
    }
    out[start - 1 + more] = rest as u8;
}

pub(crate) fn zigzag32(value: i32) -> u64 {
    u64::from((value << 1 ^ value >> 31) as u32)
}

pub(crate) fn zigzag64(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

pub(crate) fn unzigzag32(value: u32) -> i32 {
    (value >> 1) as i32 ^ -((value & 1) as i32)
}

pub(crate) fn unzigzag64(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Why bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The bytes end inside a value.
    #[error("the bytes end inside a value")]
    Truncated,
    /// A varint of more than ten bytes, or of more than 64 bits.
    #[error("a varint is longer than 64 bits")]
    Varint,
    /// A tag with a field number or a wire type that does not exist.
    #[error("a tag is malformed")]
    Tag,
    /// A value in another wire type than its field's.
    #[error("a value has another wire type than its field")]
    WireType,
    /// A group without its end, or an end without its group.
    #[error("a group is not closed")]
    Group,
    /// A string that is not UTF-8.
    #[error("a string is not UTF-8")]
    Utf8,
    /// Messages in messages, too many.
    #[error("messages are nested too deep")]
    Depth,
}

/// Takes a varint.
#[inline(always)]
pub(crate) fn varint(wire: &mut &[u8]) -> Result<u64, WireError> {
    match *wire {
        [first, rest @ ..] if *first < 0x80 => {
            *wire = rest;
            Ok(u64::from(*first))
        }
        [first, second, rest @ ..] if *second < 0x80 => {
            *wire = rest;
            Ok(u64::from(*first & 0x7f) | u64::from(*second) << 7)
        }
        _ => long_varint(wire),
    }
}

#[inline(never)]
fn long_varint(wire: &mut &[u8]) -> Result<u64, WireError> {
    if let Some(word) = wire.first_chunk::<8>().map(|word| u64::from_le_bytes(*word)) {
        let ends = !word & CONTINUED;
        if ends != 0 {
            // Bits of the last byte and of those before it.
            let taken = ends ^ (ends - 1);
            *wire = &wire[ends.trailing_zeros() as usize / 8 + 1..];
            return Ok(sevens(word & taken));
        }
    }
    varint_by_bytes(wire)
}

/// Marks bytes of a varint after which another comes.
const CONTINUED: u64 = 0x8080_8080_8080_8080;

/// The bits of up to eight bytes of a varint, seven of each: pairs of bytes are joined, then pairs of those, then both.
fn sevens(word: u64) -> u64 {
    let pairs = word & 0x007f_007f_007f_007f | (word & 0x7f00_7f00_7f00_7f00) >> 1;
    let fours = pairs & 0x0000_3fff_0000_3fff | (pairs & 0x3fff_0000_3fff_0000) >> 2;
    fours & 0x0fff_ffff | (fours & 0x0fff_ffff_0000_0000) >> 4
}

fn varint_by_bytes(wire: &mut &[u8]) -> Result<u64, WireError> {
    let mut value = 0;
    for (at, byte) in wire.iter().take(10).enumerate() {
        // The tenth byte has room for one bit.
        if at == 9 && *byte > 1 {
            return Err(WireError::Varint);
        }
        value |= u64::from(byte & 0x7f) << (7 * at);
        if *byte < 0x80 {
            *wire = &wire[at + 1..];
            return Ok(value);
        }
    }
    Err(if wire.len() < 10 {
        WireError::Truncated
    } else {
        WireError::Varint
    })
}

/// Takes a tag: field number and wire type.
#[inline]
pub(crate) fn tag(wire: &mut &[u8]) -> Result<(u32, WireType), WireError> {
    let value = varint(wire)?;
    let number = u32::try_from(value >> 3).map_err(|_| WireError::Tag)?;
    match WireType::of(value) {
        Some(wire_type) if number != 0 && value <= u64::from(u32::MAX) => Ok((number, wire_type)),
        _ => Err(WireError::Tag),
    }
}

/// Takes a length and as many bytes.
#[inline]
pub(crate) fn bytes<'w>(wire: &mut &'w [u8]) -> Result<&'w [u8], WireError> {
    let length = usize::try_from(varint(wire)?).map_err(|_| WireError::Truncated)?;
    wire.split_off(..length).ok_or(WireError::Truncated)
}

/// Takes four or eight bytes.
#[inline]
pub(crate) fn fixed<const N: usize>(wire: &mut &[u8]) -> Result<[u8; N], WireError> {
    let (bytes, rest) = wire.split_first_chunk::<N>().ok_or(WireError::Truncated)?;
    *wire = rest;
    Ok(*bytes)
}

/// Takes what stands after a tag, and returns it (of a group: what is inside).
pub(crate) fn skip<'w>(
    wire: &mut &'w [u8],
    number: u32,
    wire_type: WireType,
    depth_left: usize,
) -> Result<&'w [u8], WireError> {
    let before = *wire;
    match wire_type {
        WireType::Varint => drop(varint(wire)?),
        WireType::Fixed32 => drop(fixed::<4>(wire)?),
        WireType::Fixed64 => drop(fixed::<8>(wire)?),
        WireType::Length => return bytes(wire),
        WireType::GroupStart => return group(wire, number, depth_left),
        WireType::GroupEnd => return Err(WireError::Group),
    }
    Ok(&before[..before.len() - wire.len()])
}

/// Takes a group up to its end tag, and returns what is inside.
pub(crate) fn group<'w>(wire: &mut &'w [u8], number: u32, depth_left: usize) -> Result<&'w [u8], WireError> {
    let depth_left = depth_left.checked_sub(1).ok_or(WireError::Depth)?;
    let before = *wire;
    loop {
        if wire.is_empty() {
            return Err(WireError::Group);
        }
        let inside = before.len() - wire.len();
        match tag(wire)? {
            (ended, WireType::GroupEnd) if ended == number => return Ok(&before[..inside]),
            (other, wire_type) => skip(wire, other, wire_type, depth_left)?,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_in_their_shortest_form() {
        for length in [0, 1, 127, 128, 300, 16_383, 16_384, 2_097_152] {
            let mut out = vec![9];
            let start = begin(&mut out);
            out.extend((0..length).map(|at| at as u8));
            end(&mut out, start);
            let mut expected = vec![9];
            put_bytes(&mut expected, &(0..length).map(|at| at as u8).collect::<Vec<_>>());
            assert_eq!(out, expected, "{length}");
        }
    }

    #[test]
    fn varints() {
        let edges =
            (0..10).flat_map(|bytes| [(1 << (7 * bytes)) - 1, 1 << (7 * bytes), 0x5555_5555_5555_5555 >> bytes]);
        for value in edges.chain([0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX]) {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            let mut wire = out.as_slice();
            assert_eq!((varint(&mut wire), wire.len()), (Ok(value), 0));
            // The same where a whole word can be looked at.
            let longer = [out.as_slice(), &[0xff; 8]].concat();
            let mut wire = longer.as_slice();
            assert_eq!((varint(&mut wire), wire.len()), (Ok(value), 8));
            for cut in 0..out.len() {
                assert_eq!(varint(&mut &out[..cut]), Err(WireError::Truncated), "{value}");
            }
        }
        assert_eq!(varint(&mut &[0xff; 10][..]), Err(WireError::Varint));
        for value in [0, -1, 1, i64::MIN, i64::MAX] {
            assert_eq!(unzigzag64(zigzag64(value)), value);
        }
        for value in [0, -1, 1, i32::MIN, i32::MAX] {
            assert_eq!(unzigzag32(zigzag32(value) as u32), value);
        }
    }

    #[test]
    fn groups_end_where_they_end() {
        let mut wire = &b"\x0b\x08\x01\x0c\x14\x08"[..];
        assert_eq!(group(&mut wire, 2, 9), Ok(&b"\x0b\x08\x01\x0c"[..]));
        assert_eq!(wire, b"\x08");
        assert_eq!(group(&mut &b"\x0b\x08\x01"[..], 2, 9), Err(WireError::Group));
        assert_eq!(group(&mut &b"\x0c"[..], 2, 9), Err(WireError::Group));
        assert_eq!(group(&mut &[0x0b; 300][..], 2, 99), Err(WireError::Depth));
        assert_eq!(tag(&mut &b"\x00"[..]), Err(WireError::Tag));
        assert_eq!(tag(&mut &b"\x0f"[..]), Err(WireError::Tag));
    }
}
