//! `google.protobuf.Any`: its message beside `@type`, or under `value` if that message has a form of its own.

use super::Writer;
use super::failure::{Failure, Reason, Result};
use crate::codec::plan::{Form, MessageId, MessagePlan};
use crate::codec::wire::{self, WireError, WireType};
use crate::codec::{known, message_set};

impl<'p> Writer<'p> {
    /// An Any of a type that the schema lacks, or that does not decode, is shown as it is: its bytes in base64.
    pub(super) fn any(&mut self, wire: &[u8], depth_left: usize) -> Result<'p, ()> {
        let (type_url, value) = parts(wire, depth_left)?;
        if type_url.is_empty() && value.is_empty() {
            self.out.put(b"{}");
            return Ok(());
        }
        let start = self.out.end();
        self.out.put(b",\"@type\":");
        self.string(type_url)?;
        let name = std::str::from_utf8(type_url).ok().and_then(|url| url.rsplit_once('/'));
        let id = name.and_then(|(_, name)| self.plans.find(name));
        let is_shown = match id {
            Some(id) => self.payload(id, value, depth_left)?,
            None => false,
        };
        if !is_shown && self.options.unknown_any_refused {
            return Err(Failure::without_form(known::ANY));
        }
        if !is_shown {
            self.out.put(b",\"value\":");
            self.base64(value)?;
        }
        self.close(start);
        Ok(())
    }

    /// Writes the message; false, and nothing written, if the bytes are none.
    fn payload(&mut self, id: MessageId, value: &[u8], depth_left: usize) -> Result<'p, bool> {
        let (start, entries) = (self.out.end(), self.entries.len());
        let plan = self.plans.message(id);
        // Each string by itself, as it is written: a look at all of it afterwards would be one for each `Any` around it.
        let was_checking = std::mem::replace(&mut self.is_checking, true);
        let written = if plan.is_known() {
            self.out.put(b",\"value\":");
            self.message(id, value, depth_left)
        } else {
            self.payload_fields(plan, value, depth_left)
        };
        self.is_checking = was_checking;
        let is_message = match written {
            Ok(()) => true,
            Err(failure) if matches!(failure.reason, Reason::Wire(_)) => false,
            Err(failure) => return Err(failure),
        };
        if !is_message {
            self.out.cut(start);
            self.entries.truncate(entries);
        }
        Ok(is_message)
    }

    fn payload_fields(&mut self, plan: &'p MessagePlan, value: &[u8], depth_left: usize) -> Result<'p, ()> {
        let depth_left = depth_left.checked_sub(1).ok_or(WireError::Depth)?;
        if plan.form != Form::MessageSet {
            return self.fields(plan, value, depth_left);
        }
        let depth_left = depth_left.checked_sub(1).ok_or(WireError::Depth)?;
        self.fields(plan, &message_set::unpacked(value, depth_left)?, depth_left)
    }
}

/// Type and bytes; of several the last.
fn parts(wire: &[u8], depth_left: usize) -> std::result::Result<(&[u8], &[u8]), WireError> {
    let mut rest = wire;
    let (mut type_url, mut value) = (&[][..], &[][..]);
    while !rest.is_empty() {
        let (number, wire_type) = wire::tag(&mut rest)?;
        let taken = wire::skip(&mut rest, number, wire_type, depth_left)?;
        match number {
            known::TYPE_URL | known::ANY_VALUE if wire_type != WireType::Length => return Err(WireError::WireType),
            known::TYPE_URL => type_url = taken,
            known::ANY_VALUE => value = taken,
            _ => {}
        }
    }
    Ok((type_url, value))
}
