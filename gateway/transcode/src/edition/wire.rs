//! Descriptors as bytes: what `edition` reads of them, over the codec's own wire.

use crate::codec::wire::{self, WireType};

/// One field of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'w> {
    pub(super) number: u32,
    /// With its tag.
    pub(super) whole: &'w [u8],
    /// Of a field with a length, what it holds.
    pub(super) bytes: &'w [u8],
    /// Of a varint.
    pub(super) value: u64,
}

/// Deepest nesting of groups in a descriptor, of which it has none.
const GROUPS_MAX: usize = 8;

/// The fields of a message, up to where it stops being one.
pub(super) fn fields(message: &[u8]) -> impl Iterator<Item = Field<'_>> {
    let mut rest = message;
    std::iter::from_fn(move || {
        let before = rest;
        if rest.is_empty() {
            return None;
        }
        let (number, wire_type) = wire::tag(&mut rest).ok()?;
        let bytes = wire::skip(&mut rest, number, wire_type, GROUPS_MAX).ok()?;
        let value = match wire_type {
            WireType::Varint => wire::varint(&mut &*bytes).unwrap_or_default(),
            _ => 0,
        };
        Some(Field {
            number,
            whole: &before[..before.len() - rest.len()],
            bytes,
            value,
        })
    })
}

/// The last string of that number; empty if there is none.
pub(super) fn text(message: &[u8], number: u32) -> &str {
    let found = fields(message).filter(|field| field.number == number).last();
    found
        .and_then(|field| std::str::from_utf8(field.bytes).ok())
        .unwrap_or_default()
}

/// The last varint of that number.
pub(super) fn number(message: &[u8], number: u32) -> Option<u64> {
    let found = fields(message).filter(|field| field.number == number).last();
    found.map(|field| field.value)
}

/// Appends a varint.
pub(super) fn put_number(out: &mut Vec<u8>, number: u32, value: u64) {
    wire::put_varint(out, u64::from(number << 3 | WireType::Varint.bits()));
    wire::put_varint(out, value);
}

/// Appends a field that has a length.
pub(super) fn put_field(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    wire::put_varint(out, u64::from(number << 3 | WireType::Length.bits()));
    wire::put_bytes(out, bytes);
}
