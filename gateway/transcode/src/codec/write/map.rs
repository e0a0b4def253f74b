//! A map as an object: entries by key, of equal keys the last.

use std::borrow::Cow;
use std::ops::Range;

use super::Writer;
use super::failure::{Failure, Result};
use super::field::{another, expect};
use super::scalar::Written;
use crate::codec::known::{ENTRY_KEY, ENTRY_VALUE};
use crate::codec::plan::{FieldPlan, Kind};
use crate::codec::wire::{self, WireError, WireType};

/// An entry that has been written.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Where its bytes begin, from the first entry of the map.
    at: usize,
    /// Its text, with a comma behind it.
    text: Range<usize>,
}

/// A key, in the order of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum MapKey<'w> {
    Text(&'w [u8]),
    Signed(i64),
    Unsigned(u64),
}

impl<'p> Writer<'p> {
    /// Writes the entries that stand together, and returns how many there are.
    pub(super) fn map(
        &mut self,
        field: &'p FieldPlan,
        key_kind: Kind,
        wire_type: WireType,
        rest: &mut &[u8],
        depth_left: usize,
    ) -> Result<'p, usize> {
        let wire = *rest;
        let depth_left = depth_left.checked_sub(1).ok_or(WireError::Depth)?;
        self.out.push(b'{');
        let (start, base) = (self.out.end(), self.entries.len());
        let mut last = None;
        let mut is_sorted = true;
        let mut wire_type = wire_type;
        loop {
            expect(wire_type, WireType::Length)?;
            let at = wire.len() - rest.len();
            let (key, value) = parts(field, key_kind, wire::bytes(rest)?, depth_left)?;
            let text = self.out.end();
            self.map_key(key)?;
            if self.entry_value(field, value, depth_left)? == Written::Dropped {
                self.out.cut(text);
            } else {
                self.out.push(b',');
                is_sorted &= last.is_none_or(|last| last < key);
                last = Some(key);
                let text = text..self.out.end();
                self.entries.push(Entry { at, text });
            }
            // What is remembered of entries counts too.
            self.check_room(self.entries.len() * size_of::<Entry>())?;
            match another(field, rest)? {
                Some(next) => wire_type = next,
                None => break,
            }
        }
        if !is_sorted {
            self.sort(key_kind, wire, start, base)?;
        }
        let count = self.entries.len() - base;
        self.entries.truncate(base);
        self.end(count, b'}');
        Ok(count)
    }

    fn map_key(&mut self, key: MapKey<'_>) -> Result<'p, ()> {
        match key {
            MapKey::Text(key) => self.string(key)?,
            MapKey::Signed(number) => self.out.put_quoted(number < 0, number.unsigned_abs()),
            MapKey::Unsigned(number) => self.out.put_quoted(false, number),
        }
        self.out.push(b':');
        Ok(())
    }

    fn entry_value(
        &mut self,
        field: &'p FieldPlan,
        value: Option<(WireType, Cow<'_, [u8]>)>,
        depth_left: usize,
    ) -> Result<'p, Written> {
        match (value, field.kind) {
            (Some((wire_type, value)), kind) => {
                self.value(kind, ENTRY_VALUE, wire_type, &mut value.as_ref(), depth_left)
            }
            (None, Kind::Message(id) | Kind::Group(id)) => {
                self.message(id, &[], depth_left)?;
                Ok(Written::Value)
            }
            (None, scalar) => {
                self.default(scalar);
                Ok(Written::Default)
            }
        }
    }

    /// Puts the text of the entries from `base` on, which begins at `start`, into the order of their keys.
    fn sort(&mut self, key_kind: Kind, wire: &[u8], start: usize, base: usize) -> Result<'p, ()> {
        let mut keyed = Vec::with_capacity(self.entries.len() - base);
        for entry in self.entries.drain(base..) {
            let bytes = wire::bytes(&mut &wire[entry.at..])?;
            keyed.push((key_of(key_kind, bytes)?, entry.text));
        }
        // Stable, so that of equal keys the last stays the last.
        keyed.sort_by_key(|(key, _)| *key);
        let mut sorted = Vec::with_capacity(self.out.end() - start);
        for (index, (key, text)) in keyed.iter().enumerate() {
            let is_last = keyed.get(index + 1).is_none_or(|(next, _)| next != key);
            if is_last {
                sorted.extend_from_slice(self.out.written(text.clone()));
                // Only their number counts from here on.
                self.entries.push(Entry {
                    at: 0,
                    text: text.clone(),
                });
            }
        }
        self.out.cut(start);
        self.out.put(&sorted);
        Ok(())
    }
}

/// The wire type of a value and its bytes: of several the last, of messages all in one.
type Value<'w> = Option<(WireType, Cow<'w, [u8]>)>;

/// Key and value of an entry; either may be absent, and each may come again.
fn parts<'w, 'p>(
    field: &FieldPlan,
    key_kind: Kind,
    entry: &'w [u8],
    depth_left: usize,
) -> Result<'p, (MapKey<'w>, Value<'w>)> {
    let mut rest = entry;
    let mut key = default_key(key_kind);
    let mut value: Option<(WireType, &'w [u8])> = None;
    // Of a message that comes again all pieces: appended, not joined anew with each.
    let mut pieces: Option<Vec<u8>> = None;
    while !rest.is_empty() {
        let (number, wire_type) = wire::tag(&mut rest)?;
        match number {
            ENTRY_KEY => key = take_key(key_kind, wire_type, &mut rest)?,
            ENTRY_VALUE => {
                let before = rest;
                let inner = wire::skip(&mut rest, number, wire_type, depth_left)?;
                match (&mut pieces, value) {
                    (Some(pieces), _) => pieces.extend_from_slice(inner),
                    (None, Some((_, first))) if matches!(field.kind, Kind::Message(_)) => {
                        pieces = Some([wire::bytes(&mut &*first)?, inner].concat());
                    }
                    (None, _) => {}
                }
                value = Some((wire_type, &before[..before.len() - rest.len()]));
            }
            _ => drop(wire::skip(&mut rest, number, wire_type, depth_left)?),
        }
    }
    let value = value.map(|(wire_type, last)| match pieces {
        Some(pieces) => (wire_type, with_length(&pieces).into()),
        None => (wire_type, last.into()),
    });
    Ok((key, value))
}

fn with_length(message: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(message.len() + 5);
    wire::put_bytes(&mut whole, message);
    whole
}

/// The key of an entry, as paths say it.
pub(crate) fn key_text(kind: Kind, entry: &[u8]) -> Option<String> {
    Some(match key_of(kind, entry).ok()? {
        MapKey::Text(text) => String::from_utf8_lossy(text).into_owned(),
        MapKey::Signed(number) => number.to_string(),
        MapKey::Unsigned(number) => number.to_string(),
    })
}

fn key_of<'w, 'p>(kind: Kind, entry: &'w [u8]) -> Result<'p, MapKey<'w>> {
    let mut rest = entry;
    let mut key = default_key(kind);
    while !rest.is_empty() {
        let (number, wire_type) = wire::tag(&mut rest)?;
        if number == ENTRY_KEY {
            key = take_key(kind, wire_type, &mut rest)?;
        } else {
            wire::skip(&mut rest, number, wire_type, wire::DEPTH_MAX)?;
        }
    }
    Ok(key)
}

fn default_key(kind: Kind) -> MapKey<'static> {
    match kind {
        Kind::String => MapKey::Text(b""),
        Kind::Bool => MapKey::Text(b"false"),
        Kind::Uint32 | Kind::Fixed32 | Kind::Uint64 | Kind::Fixed64 => MapKey::Unsigned(0),
        _ => MapKey::Signed(0),
    }
}

fn take_key<'w, 'p>(kind: Kind, wire_type: WireType, rest: &mut &'w [u8]) -> Result<'p, MapKey<'w>> {
    expect(wire_type, kind.wire_type())?;
    Ok(match kind {
        Kind::String => MapKey::Text(wire::bytes(rest)?),
        // Their names are in the order of the values.
        Kind::Bool if wire::varint(rest)? != 0 => MapKey::Text(b"true"),
        Kind::Bool => MapKey::Text(b"false"),
        Kind::Int32 => MapKey::Signed((wire::varint(rest)? as i32).into()),
        Kind::Sint32 => MapKey::Signed(wire::unzigzag32(wire::varint(rest)? as u32).into()),
        Kind::Sfixed32 => MapKey::Signed(i32::from_le_bytes(wire::fixed(rest)?).into()),
        Kind::Int64 => MapKey::Signed(wire::varint(rest)? as i64),
        Kind::Sint64 => MapKey::Signed(wire::unzigzag64(wire::varint(rest)?)),
        Kind::Sfixed64 => MapKey::Signed(i64::from_le_bytes(wire::fixed(rest)?)),
        Kind::Uint32 => MapKey::Unsigned((wire::varint(rest)? as u32).into()),
        Kind::Fixed32 => MapKey::Unsigned(u32::from_le_bytes(wire::fixed(rest)?).into()),
        Kind::Uint64 => MapKey::Unsigned(wire::varint(rest)?),
        Kind::Fixed64 => MapKey::Unsigned(u64::from_le_bytes(wire::fixed(rest)?)),
        _ => return Err(Failure::wire(WireError::WireType)),
    })
}
