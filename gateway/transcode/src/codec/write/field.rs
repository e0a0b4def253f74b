//! One field: a value, a list or a map, with or without its key.

use super::Writer;
use super::failure::{Failure, Result};
use super::scalar::Written;
use crate::codec::plan::{FieldPlan, Form, Kind, Shape};
use crate::codec::wire::{self, WireError, WireType};

impl<'p> Writer<'p> {
    /// Writes a field whose first tag was taken from `rest`, and takes what belongs to it.
    #[inline(always)]
    pub(super) fn occurrences(
        &mut self,
        field: &'p FieldPlan,
        wire_type: WireType,
        rest: &mut &[u8],
        depth_left: usize,
    ) -> Result<'p, ()> {
        let start = self.out.end();
        self.key(field);
        let is_shown = match field.shape {
            Shape::Single => match self.value_here(field.kind, field.number, wire_type, rest, depth_left)? {
                Written::Value => true,
                Written::Default => !(field.implicit && self.options.defaults_omitted),
                Written::Dropped => false,
            },
            Shape::Repeated { .. } => self.list(field, wire_type, rest, depth_left)? > 0,
            Shape::Map { key } => self.map(field, key, wire_type, rest, depth_left)? > 0,
        };
        if !is_shown {
            self.out.cut(start);
            self.unset(std::slice::from_ref(field));
        }
        self.check_size()
    }

    /// Writes the elements that stand together, packed or not, and returns how many there are.
    pub(super) fn list(
        &mut self,
        field: &'p FieldPlan,
        wire_type: WireType,
        rest: &mut &[u8],
        depth_left: usize,
    ) -> Result<'p, usize> {
        let mut wire_type = wire_type;
        let mut count = 0;
        self.out.push(b'[');
        loop {
            if wire_type == WireType::Length && field.kind.wire_type() != WireType::Length {
                let mut packed = wire::bytes(rest)?;
                while !packed.is_empty() {
                    count += self.list_element(field, field.kind.wire_type(), &mut packed, depth_left)?;
                }
            } else {
                count += self.list_element(field, wire_type, rest, depth_left)?;
            }
            match another(field, rest)? {
                Some(next) => wire_type = next,
                None => break,
            }
        }
        self.end(count, b']');
        Ok(count)
    }

    /// Writes one element with a comma behind it.
    #[inline(never)]
    fn list_element(
        &mut self,
        field: &FieldPlan,
        wire_type: WireType,
        rest: &mut &[u8],
        depth_left: usize,
    ) -> Result<'p, usize> {
        if self.value_here(field.kind, field.number, wire_type, rest, depth_left)? == Written::Dropped {
            return Ok(0);
        }
        self.out.push(b',');
        self.check_size()?;
        Ok(1)
    }

    /// Ends a list or a map: the last comma becomes the bracket.
    pub(super) fn end(&mut self, count: usize, closing: u8) {
        if count > 0 {
            self.out.set(self.out.end() - 1, closing);
        } else {
            self.out.push(closing);
        }
    }

    /// Writes a field without its key, from a message that has no other.
    pub(super) fn value_alone(&mut self, field: &'p FieldPlan, only: &[u8]) -> Result<'p, ()> {
        let mut rest = only;
        if rest.is_empty() {
            self.empty(field);
            return Ok(());
        }
        let (_, wire_type) = wire::tag(&mut rest)?;
        let depth_left = wire::DEPTH_MAX;
        match field.shape {
            Shape::Single => {
                if self.value(field.kind, field.number, wire_type, &mut rest, depth_left)? == Written::Dropped {
                    self.empty(field);
                }
            }
            Shape::Repeated { .. } => drop(self.list(field, wire_type, &mut rest, depth_left)?),
            Shape::Map { key } => drop(self.map(field, key, wire_type, &mut rest, depth_left)?),
        }
        Ok(())
    }

    /// Writes the empty value of a field's type.
    pub(super) fn empty(&mut self, field: &FieldPlan) {
        let text: &[u8] = match (field.shape, field.kind) {
            (Shape::Repeated { .. }, _) => b"[]",
            (Shape::Map { .. }, _) => b"{}",
            (Shape::Single, Kind::Message(id) | Kind::Group(id)) => match self.plans.message(id).form {
                Form::List => b"[]",
                Form::Plain | Form::MessageSet | Form::Any | Form::Struct | Form::Empty => b"{}",
                _ => b"null",
            },
            (Shape::Single, scalar) => return self.default(scalar),
        };
        self.out.put(text);
    }
}

/// The wire type of the next element of a field, if one follows at once; its tag is taken.
#[inline]
pub(super) fn another(field: &FieldPlan, rest: &mut &[u8]) -> std::result::Result<Option<WireType>, WireError> {
    if field.tag.take(rest) {
        return Ok(Some(field.wire_type()));
    }
    let mut ahead = *rest;
    if ahead.is_empty() {
        return Ok(None);
    }
    let (number, wire_type) = wire::tag(&mut ahead)?;
    if number != field.number {
        return Ok(None);
    }
    *rest = ahead;
    Ok(Some(wire_type))
}

/// Says that a value is not of the wire type of its kind.
#[inline(always)]
pub(super) fn expect<'p>(found: WireType, expected: WireType) -> Result<'p, ()> {
    if found == expected {
        Ok(())
    } else {
        Err(Failure::wire(WireError::WireType))
    }
}
