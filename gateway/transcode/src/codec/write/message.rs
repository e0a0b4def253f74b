//! A message as an object of its fields.

use super::Writer;
use super::failure::{Failure, Result};
use crate::codec::message_set;
use crate::codec::plan::{FieldPlan, Form, MessageId, MessagePlan};
use crate::codec::wire::{self, WireError};

impl<'p> Writer<'p> {
    /// Writes a message of any form.
    #[inline(always)]
    pub(super) fn message(&mut self, id: MessageId, wire: &[u8], depth_left: usize) -> Result<'p, ()> {
        let plan = self.plans.message(id);
        let depth_left = depth_left.checked_sub(1).ok_or(WireError::Depth)?;
        match plan.form {
            Form::Plain => self.object(plan, wire, depth_left),
            _ => self.known(plan, wire, depth_left),
        }
    }

    fn object(&mut self, plan: &'p MessagePlan, wire: &[u8], depth_left: usize) -> Result<'p, ()> {
        let start = self.out.end();
        self.fields(plan, wire, depth_left)?;
        self.close(start);
        Ok(())
    }

    /// Writes a well-known message. Apart from the others, which need more of the stack.
    #[inline(never)]
    fn known(&mut self, plan: &'p MessagePlan, wire: &[u8], depth_left: usize) -> Result<'p, ()> {
        match plan.form {
            Form::Plain | Form::Empty => self.object(plan, wire, depth_left),
            Form::MessageSet => {
                let depth_left = depth_left.checked_sub(1).ok_or(WireError::Depth)?;
                self.object(plan, &message_set::unpacked(wire, depth_left)?, depth_left)
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
    #[inline(always)]
    pub(super) fn close(&mut self, start: usize) {
        if self.out.end() > start {
            self.out.set(start, b'{');
        } else {
            self.out.push(b'{');
        }
        self.out.push(b'}');
    }

    /// Writes the fields of a message, each with a comma before it.
    #[inline(always)]
    pub(super) fn fields(&mut self, plan: &'p MessagePlan, wire: &[u8], depth_left: usize) -> Result<'p, ()> {
        match self.is_ordering {
            true => self.fields_ordered(plan, wire, depth_left),
            false => self.fields_in_order(plan, wire, depth_left),
        }
    }

    #[cold]
    fn fields_ordered(&mut self, plan: &'p MessagePlan, wire: &[u8], depth_left: usize) -> Result<'p, ()> {
        let ordered = self.ordered(plan, wire, depth_left)?;
        self.fields_in_order(plan, ordered.as_deref().unwrap_or(wire), depth_left)
    }

    #[inline(always)]
    fn fields_in_order(&mut self, plan: &'p MessagePlan, wire: &[u8], depth_left: usize) -> Result<'p, ()> {
        let mut rest = wire;
        // The first field that has neither been written nor passed.
        let mut next = 0;
        let mut oneofs = 0;
        while !rest.is_empty() {
            let expected = plan.fields.get(next).filter(|field| field.tag.take(&mut rest));
            let (field, wire_type) = match expected {
                Some(field) => (field, field.wire_type()),
                None => {
                    let (number, wire_type) = wire::tag(&mut rest)?;
                    let Some(index) = plan.by_number(number) else {
                        wire::skip(&mut rest, number, wire_type, depth_left)?;
                        continue;
                    };
                    if index < next {
                        return Err(Failure::disorder());
                    }
                    self.unset(&plan.fields[next..index]);
                    next = index;
                    (&plan.fields[index], wire_type)
                }
            };
            next += 1;
            if let Some(oneof) = field.oneof
                && !self.is_first(&mut oneofs, oneof)
            {
                return Err(Failure::disorder());
            }
            self.occurrences(field, wire_type, &mut rest, depth_left)
                .map_err(|failure| failure.under(|| field.name.to_string()))?;
        }
        self.unset(&plan.fields[next..]);
        Ok(())
    }

    /// Whether no other member of a oneof has been there. Of the rare oneofs after the 64th this is not remembered: the
    /// message is brought into order, where no two are left.
    fn is_first(&self, seen: &mut u64, oneof: u16) -> bool {
        let bit = 1_u64.checked_shl(oneof.into()).unwrap_or_default();
        let is_first = bit & !*seen != 0;
        *seen |= bit;
        is_first || self.is_ordering
    }

    /// Writes the fields that are shown although they have no value.
    #[inline(always)]
    pub(super) fn unset(&mut self, fields: &'p [FieldPlan]) {
        if !fields.is_empty() && !self.options.defaults_omitted {
            self.shown_unset(fields);
        }
    }

    #[inline(never)]
    fn shown_unset(&mut self, fields: &'p [FieldPlan]) {
        for field in fields.iter().filter(|field| field.shown_unset) {
            self.key(field);
            self.empty(field);
        }
    }

    #[inline(always)]
    pub(super) fn key(&mut self, field: &FieldPlan) {
        self.out.put_words(match self.options.proto_names {
            true => &field.proto_key,
            false => &field.json_key,
        });
    }
}
