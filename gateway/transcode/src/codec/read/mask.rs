//! The field mask of a PATCH, from the members of its body (AIP-134), filled while the body is read.
//!
//! A path stops at a scalar, a repeated field, a map, a well-known type and at an empty object. A null member is named
//! too: the caller asks for the field to be cleared. Fields that the path binds are no changes.

use super::{Claims, Reader, Result};
use crate::codec::plan::{Bits, FieldPlan, Form, Kind, MessagePlan, Shape};
use crate::codec::{known, wire};

/// Paths so far, and where the reader is.
#[derive(Debug, Default)]
pub(super) struct Mask {
    paths: Vec<String>,
    /// From the resource to the message at hand, each name with a dot behind it.
    above: String,
    /// Whether the reader is in the resource yet.
    is_inside: bool,
}

impl Mask {
    /// Writes the mask as a field of the request.
    pub(super) fn put(mut self, field: &FieldPlan, out: &mut Vec<u8>) {
        self.paths.sort();
        field.tag.put(out);
        let start = wire::begin(out);
        for path in &self.paths {
            out.push(known::PATHS_TAG);
            wire::put_bytes(out, path.as_bytes());
        }
        wire::end(out, start);
    }
}

impl<'p> Reader<'p, '_> {
    /// Whether the field is one object of fields.
    pub(super) fn is_plain(&self, field: &FieldPlan) -> bool {
        match field.kind {
            Kind::Message(id) | Kind::Group(id) => {
                field.shape == Shape::Single && self.plans.message(id).form == Form::Plain
            }
            _ => false,
        }
    }

    /// Reads a member and names it, or has its own members named.
    #[inline(never)]
    pub(super) fn member_with_mask(
        &mut self,
        message: &'p MessagePlan,
        index: usize,
        present: &mut Bits,
        claims: Option<&Claims<'_>>,
    ) -> Result<()> {
        let field = &message.fields[index];
        let has_members = self.tokens.peek() == Some(b'{') && self.tokens.clone().open(b'}')?;
        let Some(mut mask) = self.mask.take() else {
            return self.member_alone(message, index, present, claims).map(drop);
        };
        if !mask.is_inside {
            mask.is_inside = true;
            self.mask = Some(mask);
            return self.member_alone(message, index, present, claims).map(drop);
        }
        if has_members && self.is_plain(field) {
            let length = mask.above.len();
            mask.above.push_str(&field.name);
            mask.above.push('.');
            self.mask = Some(mask);
            self.member_alone(message, index, present, claims)?;
            if let Some(mask) = &mut self.mask {
                mask.above.truncate(length);
            }
            return Ok(());
        }
        // Without a mask: what is in this value has no paths of its own.
        let is_kept = self.member_alone(message, index, present, claims)?;
        let is_bound = !is_kept || claims.is_some_and(|claims| claims.is_whole(field));
        let is_extension = field.name.starts_with('[');
        if !is_bound && !is_extension {
            mask.paths.push(format!("{}{}", mask.above, field.name));
        }
        self.mask = Some(mask);
        Ok(())
    }
}
