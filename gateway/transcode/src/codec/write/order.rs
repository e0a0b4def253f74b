//! A message whose fields do not come in order, brought into it: by number, and what belongs together side by side.
//!
//! Of a singular field the last occurrence stays, of a singular message the pieces become one, of a oneof the last
//! member stays. Fields that the plan lacks are left out.

use std::borrow::Cow;
use std::ops::Range;

use super::Writer;
use super::failure::Result;
use crate::codec::plan::{FieldPlan, Kind, MessagePlan, Plans, Shape};
use crate::codec::wire::{self, WireError, WireType};

/// One occurrence of a field; of a list or a map, all that stand together.
struct Piece {
    /// Of the field.
    index: usize,
    /// With its tag.
    whole: Range<usize>,
    /// What stands after the tag; of a group, before its end.
    inner: Range<usize>,
}

impl<'p> Writer<'p> {
    /// The message in order; `None` if it is already.
    pub(super) fn ordered(&self, plan: &MessagePlan, wire: &[u8], depth_left: usize) -> Result<'p, Option<Vec<u8>>> {
        let mut pieces = self.pieces(plan, wire, depth_left)?;
        let count = pieces.len();
        drop_rivals(plan, &mut pieces);
        // Nothing unknown may stand between the elements of a list, or they are several pieces.
        if pieces.len() == count && pieces.is_sorted_by(|one, next| one.index < next.index) {
            return Ok(None);
        }
        Ok(Some(arranged(plan, wire, pieces)))
    }

    /// The message without all other fields.
    pub(super) fn only<'w>(
        &self,
        plan: &MessagePlan,
        wire: &'w [u8],
        index: usize,
        depth_left: usize,
    ) -> Result<'p, Cow<'w, [u8]>> {
        let mut pieces = self.pieces(plan, wire, depth_left)?;
        drop_rivals(plan, &mut pieces);
        pieces.retain(|piece| piece.index == index);
        Ok(match pieces.as_slice() {
            [] => Cow::Borrowed(&[]),
            [piece] => Cow::Borrowed(&wire[piece.whole.clone()]),
            _ => Cow::Owned(arranged(plan, wire, pieces)),
        })
    }

    fn pieces(&self, plan: &MessagePlan, wire: &[u8], depth_left: usize) -> Result<'p, Vec<Piece>> {
        let mut pieces = Vec::new();
        let mut rest = wire;
        while !rest.is_empty() {
            let Some(piece) = piece(self.plans, plan, wire, &mut rest, depth_left)? else {
                continue;
            };
            match pieces.last_mut() {
                Some(last) if is_more(plan, last, &piece) => last.whole.end = piece.whole.end,
                _ => pieces.push(piece),
            }
            // What is remembered beside the output counts too.
            self.check_room(pieces.len() * size_of::<Piece>())?;
        }
        Ok(pieces)
    }
}

/// Whether a piece goes on with the list or map before it.
fn is_more(plan: &MessagePlan, last: &Piece, piece: &Piece) -> bool {
    let follows = last.index == piece.index && last.whole.end == piece.whole.start;
    follows && plan.fields[piece.index].shape != Shape::Single
}

/// Takes the next field from `rest`, which is the end of `wire`; none if the plan lacks it.
fn piece<'p>(
    plans: &Plans,
    plan: &MessagePlan,
    wire: &[u8],
    rest: &mut &[u8],
    depth_left: usize,
) -> Result<'p, Option<Piece>> {
    let start = wire.len() - rest.len();
    let (number, wire_type) = wire::tag(rest)?;
    let after_tag = wire.len() - rest.len();
    let inner = wire::skip(rest, number, wire_type, depth_left)?;
    let end = wire.len() - rest.len();
    let Some(index) = plan.by_number(number) else {
        return Ok(None);
    };
    let field = &plan.fields[index];
    if !has_wire_type(field, wire_type) {
        return Err(WireError::WireType.into());
    }
    let inner_start = match wire_type {
        WireType::GroupStart => after_tag,
        _ => end - inner.len(),
    };
    Ok(is_value(plans, field, inner).then(|| Piece {
        index,
        whole: start..end,
        inner: inner_start..inner_start + inner.len(),
    }))
}

/// Whether a field can have values of this wire type.
fn has_wire_type(field: &FieldPlan, wire_type: WireType) -> bool {
    match field.shape {
        Shape::Map { .. } => wire_type == WireType::Length,
        Shape::Repeated { .. } if wire_type == WireType::Length => !matches!(field.kind, Kind::Group(_)),
        _ => wire_type == field.kind.wire_type(),
    }
}

/// A number that a closed enum does not declare sets nothing, and replaces nothing.
fn is_value(plans: &Plans, field: &FieldPlan, inner: &[u8]) -> bool {
    match field.kind {
        Kind::Enum(id) if field.shape == Shape::Single => {
            wire::varint(&mut &*inner).is_ok_and(|number| plans.enumeration(id).takes(number as i32))
        }
        _ => true,
    }
}

/// Of the members of a oneof, the last stays, with its pieces since another was there.
fn drop_rivals(plan: &MessagePlan, pieces: &mut Vec<Piece>) {
    if plan.oneofs.is_empty() {
        return;
    }
    // From the end: the member that stays, and whether another has been met.
    let mut last: Vec<Option<(usize, bool)>> = vec![None; plan.oneofs.len()];
    pieces.reverse();
    pieces.retain(|piece| {
        let Some(oneof) = plan.fields[piece.index].oneof else {
            return true;
        };
        let (winner, is_over) = last[usize::from(oneof)].get_or_insert((piece.index, false));
        *is_over |= *winner != piece.index;
        !*is_over
    });
    pieces.reverse();
}

fn arranged(plan: &MessagePlan, wire: &[u8], mut pieces: Vec<Piece>) -> Vec<u8> {
    // Stable: occurrences of one field stay in their order.
    pieces.sort_by_key(|piece| piece.index);
    let mut out = Vec::with_capacity(wire.len() + 8);
    for same in pieces.chunk_by(|one, other| one.index == other.index) {
        let field = &plan.fields[same[0].index];
        match (field.shape, field.kind, same) {
            (Shape::Single, Kind::Message(_) | Kind::Group(_), [_, _, ..]) => merge(field, wire, same, &mut out),
            (Shape::Single, _, [.., last]) => out.extend_from_slice(&wire[last.whole.clone()]),
            _ => same
                .iter()
                .for_each(|piece| out.extend_from_slice(&wire[piece.whole.clone()])),
        }
    }
    out
}

/// One message of its pieces: bytes one after the other are merged, by the rules of the wire.
fn merge(field: &FieldPlan, wire: &[u8], pieces: &[Piece], out: &mut Vec<u8>) {
    field.tag.put(out);
    if let Kind::Message(_) = field.kind {
        let length: usize = pieces.iter().map(|piece| piece.inner.len()).sum();
        wire::put_varint(out, length as u64);
    }
    for piece in pieces {
        out.extend_from_slice(&wire[piece.inner.clone()]);
    }
    if let Kind::Group(_) = field.kind {
        wire::put_varint(out, u64::from(field.number << 3 | WireType::GroupEnd.bits()));
    }
}
