//! Wire to JSON in one pass, by the plan of the message's type. The same message is always the same bytes: fields by
//! number, map entries by key.
//!
//! Encoders write fields in the order of their numbers, so the pass first trusts that. A message that breaks it (a
//! field that comes again, a sub-message in pieces, another member of a oneof) ends the pass, and a second one brings
//! each such message into order before it is written (`order`). So no message is gone through more than twice at its
//! own level, whoever made it.

mod any;
mod failure;
mod field;
mod map;
mod message;
mod order;
mod scalar;
#[cfg(test)]
mod tests;
pub(crate) mod text;
mod well_known;

pub(crate) use failure::Reason;

use crate::codec::WriteOptions;
use crate::codec::plan::{FieldPlan, MessageId, Plans};
use failure::Result;

/// Deepest nesting of messages, as in prost and everywhere else.
pub(crate) const DEPTH_MAX: usize = 100;

/// Writes JSON at the end of a buffer.
pub(crate) struct Writer<'p, 'o> {
    plans: &'p Plans,
    options: WriteOptions,
    out: &'o mut Vec<u8>,
    /// Entries of the maps that are open, the innermost last.
    entries: Vec<map::Entry>,
    /// Messages are brought into order first.
    is_ordering: bool,
    /// Strings are checked one by one: one of them is known to be wrong, and its field is wanted.
    is_checking: bool,
}

impl<'p, 'o> Writer<'p, 'o> {
    pub(crate) fn new(plans: &'p Plans, options: WriteOptions, out: &'o mut Vec<u8>) -> Self {
        Self {
            plans,
            options,
            out,
            entries: Vec::new(),
            is_ordering: false,
            is_checking: false,
        }
    }

    /// Writes a message.
    pub(crate) fn whole(&mut self, message: MessageId, wire: &[u8]) -> Result<'p, ()> {
        self.passes(|writer| writer.message(message, wire, DEPTH_MAX))
    }

    /// Writes the value of one field instead of the whole message; what is unset shows as the empty value of its type.
    pub(crate) fn field(&mut self, message: MessageId, index: usize, wire: &[u8]) -> Result<'p, ()> {
        let plan = self.plans.message(message);
        let only = order::only(self.plans, plan, wire, index, DEPTH_MAX)?;
        let field: &'p FieldPlan = &plan.fields[index];
        self.passes(|writer| writer.value_alone(field, &only))
            .map_err(|failure| failure.under(|| field.name.to_string()))
    }

    /// One pass, and another if messages turn out not to be in order, or to name the field of a string that is no text.
    fn passes(&mut self, mut pass: impl FnMut(&mut Self) -> Result<'p, ()>) -> Result<'p, ()> {
        let start = self.out.len();
        loop {
            self.out.truncate(start);
            self.entries.clear();
            match pass(self) {
                Err(failure) if failure.is_disorder() && !self.is_ordering => self.is_ordering = true,
                // Everything but strings is ours and ASCII, so one look at the whole says that each string is UTF-8.
                Ok(()) if !self.is_checking && std::str::from_utf8(&self.out[start..]).is_err() => {
                    self.is_checking = true;
                }
                Err(failure) => {
                    self.out.truncate(start);
                    return Err(failure);
                }
                Ok(()) => return Ok(()),
            }
        }
    }
}
