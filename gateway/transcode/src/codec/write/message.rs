//! A message as an object of its fields.

use super::failure::{Failure, Result};
use super::{Writer, order};
use crate::codec::plan::{Bits, FieldPlan, Form, MessageId, MessagePlan};
use crate::codec::wire::{self, WireError};

impl<'p> Writer<'p, '_> {
    /// Writes a message of any form.
    pub(super) fn message(&mut self, id: MessageId, wire: &[u8], depth_left: usize) -> Result<'p, ()> {
        let plan = self.plans.message(id);
        let depth_left = depth_left.checked_sub(1).ok_or(WireError::Depth)?;
        match plan.form {
            Form::Plain | Form::Empty => {
                let start = self.out.len();
                self.fields(plan, wire, depth_left)?;
                self.close(start);
                Ok(())
            }
            Form::Any => self.any(wire, depth_left),
            Form::Timestamp | Form::Duration => self.time(plan, wire, depth_left),
            Form::FieldMask => self.field_mask(plan, wire, depth_left),
            Form::Struct | Form::List => self.container(plan, wire, depth_left),
            Form::Value => self.json_value(plan, wire, depth_left),
            Form::Wrapper => self.wrapper(plan, wire, depth_left),
        }
    }

    /// Every member has been written with a comma before it: the first becomes the brace.
    pub(super) fn close(&mut self, start: usize) {
        match self.out.get_mut(start) {
            Some(first) => *first = b'{',
            None => self.out.push(b'{'),
        }
        self.out.push(b'}');
    }

    /// Writes the fields of a message, each with a comma before it.
    pub(super) fn fields(&mut self, plan: &'p MessagePlan, wire: &[u8], depth_left: usize) -> Result<'p, ()> {
        if self.is_ordering
            && let Some(ordered) = order::ordered(self.plans, plan, wire, depth_left)?
        {
            return self.fields_in_order(plan, &ordered, depth_left);
        }
        self.fields_in_order(plan, wire, depth_left)
    }

    fn fields_in_order(&mut self, plan: &'p MessagePlan, wire: &[u8], depth_left: usize) -> Result<'p, ()> {
        let mut rest = wire;
        // The first field that has neither been written nor passed.
        let mut next = 0;
        let mut oneofs = Bits::default();
        while !rest.is_empty() {
            let expected = plan.fields.get(next).filter(|field| field.tag.take(&mut rest));
            let (index, wire_type) = match expected {
                Some(field) => (next, field.wire_type()),
                None => {
                    let (number, wire_type) = wire::tag(&mut rest)?;
                    let Some(index) = plan.by_number(number) else {
                        wire::skip(&mut rest, number, wire_type, depth_left)?;
                        continue;
                    };
                    (index, wire_type)
                }
            };
            let field = &plan.fields[index];
            let is_first = field.oneof.is_none_or(|oneof| oneofs.insert(usize::from(oneof)));
            if index < next || !is_first {
                return Err(Failure::disorder());
            }
            self.unset(&plan.fields[next..index]);
            next = index + 1;
            self.occurrences(field, wire_type, &mut rest, depth_left)
                .map_err(|failure| failure.under(|| field.name.to_string()))?;
        }
        self.unset(&plan.fields[next..]);
        Ok(())
    }

    /// Writes the fields that are shown although they have no value.
    #[inline]
    pub(super) fn unset(&mut self, fields: &'p [FieldPlan]) {
        if self.options.defaults_omitted {
            return;
        }
        for field in fields.iter().filter(|field| field.shown_unset) {
            self.key(field);
            self.empty(field);
        }
    }

    #[inline]
    pub(super) fn key(&mut self, field: &FieldPlan) {
        let key = match self.options.proto_names {
            true => &field.proto_key,
            false => &field.json_key,
        };
        self.out.extend_from_slice(key);
    }
}
