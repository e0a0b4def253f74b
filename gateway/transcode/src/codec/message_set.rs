//! Message sets: messages of extensions alone, each of which is a group on the wire, of its number and its message. They
//! are brought into the form of other messages before they are written, and out of it after they were read.

use super::wire::{self, Tag, WireError, WireType};

/// Field numbers: of an item in its set, of the number and of the message in an item.
const ITEM: u32 = 1;
const TYPE_ID: u32 = 2;
const MESSAGE: u32 = 3;

/// Tags of the same.
const ITEM_START: u8 = (ITEM << 3 | WireType::GroupStart.bits()) as u8;
const ITEM_END: u8 = (ITEM << 3 | WireType::GroupEnd.bits()) as u8;
const TYPE_ID_TAG: u8 = (TYPE_ID << 3 | WireType::Varint.bits()) as u8;
const MESSAGE_TAG: u8 = (MESSAGE << 3 | WireType::Length.bits()) as u8;

/// A set whose messages are fields: as items. What is no message stays as it is.
pub(crate) fn packed(fields: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(fields.len() + 8);
    let mut rest = fields;
    while !rest.is_empty() {
        let before = rest;
        match next(&mut rest, wire::DEPTH_MAX) {
            Ok((number, WireType::Length, message)) => {
                out.extend([ITEM_START, TYPE_ID_TAG]);
                wire::put_varint(&mut out, number.into());
                out.push(MESSAGE_TAG);
                wire::put_bytes(&mut out, message);
                out.push(ITEM_END);
            }
            Ok(_) => out.extend_from_slice(&before[..before.len() - rest.len()]),
            // Only what is well-formed comes here.
            Err(_) => return fields.to_vec(),
        }
    }
    out
}

/// A set of items: as a message whose fields they are. A message that stands as a field already stays one; an item
/// without a number, or without a message, says nothing.
pub(crate) fn unpacked(items: &[u8], depth_left: usize) -> Result<Vec<u8>, WireError> {
    let mut out = Vec::with_capacity(items.len());
    let mut rest = items;
    while !rest.is_empty() {
        let before = rest;
        match next(&mut rest, depth_left)? {
            (ITEM, WireType::GroupStart, item) => put_field(item, depth_left, &mut out)?,
            _ => out.extend_from_slice(&before[..before.len() - rest.len()]),
        }
    }
    Ok(out)
}

/// Number and message may come in either order; of several the last number and the first message count.
fn put_field(item: &[u8], depth_left: usize, out: &mut Vec<u8>) -> Result<(), WireError> {
    let (mut type_id, mut message) = (None, None);
    let mut rest = item;
    while !rest.is_empty() {
        match next(&mut rest, depth_left)? {
            (TYPE_ID, WireType::Varint, mut number) => type_id = u32::try_from(wire::varint(&mut number)?).ok(),
            (MESSAGE, WireType::Length, found) => message = message.or(Some(found)),
            _ => {}
        }
    }
    if let (Some(number @ 1..=0x1fff_ffff), Some(message)) = (type_id, message) {
        Tag::new(number, WireType::Length).put(out);
        wire::put_bytes(out, message);
    }
    Ok(())
}

/// Takes a field: its number, its wire type and what stands after the tag.
fn next<'w>(rest: &mut &'w [u8], depth_left: usize) -> Result<(u32, WireType, &'w [u8]), WireError> {
    let (number, wire_type) = wire::tag(rest)?;
    Ok((number, wire_type, wire::skip(rest, number, wire_type, depth_left)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_and_fields() {
        let fields = b"\xa2\x06\x02\x08\x01";
        let items = b"\x0b\x10\x64\x1a\x02\x08\x01\x0c";
        assert_eq!(packed(fields), items);
        assert_eq!(unpacked(items, 9).unwrap(), fields);
        for (set, expected) in [
            // In the other order; as a field already; with something unknown in it.
            (&b"\x0b\x1a\x02\x08\x01\x10\x64\x0c"[..], &fields[..]),
            (fields, fields),
            (b"\x0b\x28\x07\x10\x64\x1a\x02\x08\x01\x0c", fields),
            // Without a number, without a message, with no number that a field can have.
            (b"\x0b\x1a\x02\x08\x01\x0c", b""),
            (b"\x0b\x10\x64\x0c", b""),
            (b"\x0b\x10\x00\x1a\x00\x0c", b""),
            (b"\x0b\x10\xff\xff\xff\xff\x0f\x1a\x00\x0c", b""),
        ] {
            assert_eq!(unpacked(set, 9).unwrap(), expected, "{set:02x?}");
        }
        assert_eq!(unpacked(b"\x0b\x10\x64", 9), Err(WireError::Group));
    }
}
