//! Wire to JSON in one pass, by the plan of the message's type. The same message is always the same bytes: fields by
//! number, map entries by key.
//!
//! Encoders write fields in the order of their numbers, so the pass first trusts that. A message that breaks it (a
//! field that comes again, a sub-message in pieces, another member of a oneof) ends the pass, and a second one brings
//! each such message into order before it is written (`order`). So no message is gone through more than twice at its
//! own level, whoever made it.

mod any;
mod digits;
mod failure;
mod field;
mod map;
mod message;
mod order;
mod output;
mod scalar;
#[cfg(test)]
mod tests;
mod text;
mod well_known;

pub(crate) use digits::{DECIMAL_BYTES, decimal, eight};
pub(crate) use failure::Reason;
pub(crate) use map::key_text;
pub(crate) use output::{Output, Short, Words};

use crate::codec::WriteOptions;
use crate::codec::plan::{FieldPlan, MessageId, Plans};
use crate::codec::wire::DEPTH_MAX;
use failure::{Failure, Result};

/// Room for the fields that are shown although they are not on the wire.
const ROOM: usize = 128;

/// Writes JSON at the end of a buffer.
pub(crate) struct Writer<'p> {
    plans: &'p Plans,
    options: WriteOptions,
    out: Output,
    /// Where the output has to end at the latest.
    end_max: usize,
    /// Entries of the maps that are open, the innermost last.
    entries: Vec<map::Entry>,
    /// Messages are brought into order first.
    is_ordering: bool,
    /// Strings are checked one by one: one of them is known to be wrong, and its field is wanted.
    is_checking: bool,
}

impl<'p> Writer<'p> {
    /// `wire_bytes` is how many there will be.
    pub(crate) fn new(plans: &'p Plans, options: WriteOptions, out: Vec<u8>, wire_bytes: usize) -> Self {
        let bytes_max = options.bytes_max.unwrap_or(usize::MAX);
        // JSON is a little more than twice as long as its wire: room at once, instead of growing there.
        let room = (wire_bytes / 2 * 5).saturating_add(ROOM).min(bytes_max);
        Self {
            plans,
            options,
            end_max: out.len().saturating_add(bytes_max),
            out: Output::new(out, room),
            entries: Vec::new(),
            is_ordering: false,
            is_checking: false,
        }
    }

    /// The buffer; what failed is not in it.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.out.finish()
    }

    /// Writes a message.
    pub(crate) fn whole(&mut self, message: MessageId, wire: &[u8]) -> Result<'p, ()> {
        self.passes(|writer| writer.message(message, wire, DEPTH_MAX + 1))
    }

    /// Writes the value of one field instead of the whole message; what is unset shows as the empty value of its type.
    pub(crate) fn field(&mut self, message: MessageId, index: usize, wire: &[u8]) -> Result<'p, ()> {
        let plan = self.plans.message(message);
        let only = self.only(plan, wire, index, DEPTH_MAX)?;
        let field: &'p FieldPlan = &plan.fields[index];
        self.passes(|writer| writer.value_alone(field, &only))
            .map_err(|failure| failure.under(|| field.name.to_string()))
    }

    /// One pass, and another if messages turn out not to be in order, or to name the field of a string that is no text.
    fn passes(&mut self, mut pass: impl FnMut(&mut Self) -> Result<'p, ()>) -> Result<'p, ()> {
        let start = self.out.end();
        loop {
            self.out.cut(start);
            self.entries.clear();
            let written = pass(self).and_then(|()| self.check_size());
            match written {
                Err(failure) if failure.is_disorder() && !self.is_ordering => self.is_ordering = true,
                // Everything but strings is ours and ASCII, so one look at the whole says that each string is UTF-8.
                Ok(()) if !self.is_checking && simdutf8::basic::from_utf8(self.out.since(start)).is_err() => {
                    self.is_checking = true;
                }
                Err(failure) => {
                    self.out.cut(start);
                    return Err(failure);
                }
                Ok(()) => return Ok(()),
            }
        }
    }

    /// Ends a message that has become too large. Asked at every field, element and long text, not at every byte.
    #[inline(always)]
    fn check_size(&self) -> Result<'p, ()> {
        self.check_room(0)
    }

    /// The same, before so many bytes are written, or remembered beside the output.
    #[inline(always)]
    fn check_room(&self, bytes: usize) -> Result<'p, ()> {
        if self.out.end().saturating_add(bytes) > self.end_max {
            return Err(Failure::too_large());
        }
        Ok(())
    }
}
