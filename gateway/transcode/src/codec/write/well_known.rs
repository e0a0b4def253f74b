//! Well-known types whose JSON is not an object of their fields.

use super::Writer;
use super::failure::{Failure, Result};
use super::field::expect;
use super::scalar::Written;
use crate::codec::known;
use crate::codec::plan::{Form, Kind, MessagePlan, Shape};
use crate::codec::wire::{self, WireType};

impl<'p> Writer<'p> {
    /// A timestamp or a duration.
    pub(super) fn time(&mut self, plan: &'p MessagePlan, wire: &[u8], depth_left: usize) -> Result<'p, ()> {
        let mut rest = wire;
        let (mut seconds, mut nanos) = (0, 0);
        while !rest.is_empty() {
            let (number, wire_type) = match rest {
                [known::SECONDS_TAG, after @ ..] => {
                    rest = after;
                    (known::SECONDS, WireType::Varint)
                }
                [known::NANOS_TAG, after @ ..] => {
                    rest = after;
                    (known::NANOS, WireType::Varint)
                }
                _ => wire::tag(&mut rest)?,
            };
            if !matches!(number, known::SECONDS | known::NANOS) {
                wire::skip(&mut rest, number, wire_type, depth_left)?;
                continue;
            }
            expect(wire_type, WireType::Varint)?;
            let value = wire::varint(&mut rest)? as i64;
            match number {
                known::SECONDS => seconds = value,
                _ => nanos = value as i32,
            }
        }
        let text = match plan.form {
            Form::Timestamp => known::timestamp(seconds, nanos),
            _ => known::duration(seconds, nanos),
        };
        let text = text.ok_or_else(|| Failure::no_form(plan))?;
        self.out.put_short(&text);
        Ok(())
    }

    pub(super) fn field_mask(&mut self, plan: &'p MessagePlan, wire: &[u8], depth_left: usize) -> Result<'p, ()> {
        let mut rest = wire;
        self.out.push(b'"');
        let start = self.out.end();
        while !rest.is_empty() {
            let (number, wire_type) = wire::tag(&mut rest)?;
            let path = wire::skip(&mut rest, number, wire_type, depth_left)?;
            if number != known::PATHS {
                continue;
            }
            expect(wire_type, WireType::Length)?;
            if self.out.end() > start {
                self.out.push(b',');
            }
            let put = known::put_camel(|letter| self.out.push(letter), path);
            let put = put.filter(|()| known::is_plain_path(path));
            put.ok_or_else(|| Failure::no_form(plan))?;
            self.check_size()?;
        }
        self.out.push(b'"');
        Ok(())
    }

    /// A `Struct` or a `ListValue`, which have one field.
    pub(super) fn container(&mut self, plan: &'p MessagePlan, wire: &[u8], depth_left: usize) -> Result<'p, ()> {
        let ordered = match self.is_ordering {
            true => self.ordered(plan, wire, depth_left)?,
            false => None,
        };
        let mut rest = ordered.as_deref().unwrap_or(wire);
        let field = &plan.fields[0];
        let mut is_written = false;
        while !rest.is_empty() {
            let (number, wire_type) = wire::tag(&mut rest)?;
            if number != field.number {
                wire::skip(&mut rest, number, wire_type, depth_left)?;
                continue;
            }
            if is_written {
                return Err(Failure::disorder());
            }
            is_written = true;
            match field.shape {
                Shape::Map { key } => self.map(field, key, wire_type, &mut rest, depth_left)?,
                _ => self.list(field, wire_type, &mut rest, depth_left)?,
            };
        }
        if !is_written {
            self.empty(field);
        }
        Ok(())
    }

    /// A bare value; of several the last.
    pub(super) fn wrapper(&mut self, plan: &'p MessagePlan, wire: &[u8], depth_left: usize) -> Result<'p, ()> {
        let field = &plan.fields[0];
        let start = self.out.end();
        let mut rest = wire;
        while !rest.is_empty() {
            let (number, wire_type) = wire::tag(&mut rest)?;
            if number == field.number {
                self.out.cut(start);
                self.value(field.kind, number, wire_type, &mut rest, depth_left)?;
            } else {
                wire::skip(&mut rest, number, wire_type, depth_left)?;
            }
        }
        if self.out.end() == start {
            self.default(field.kind);
        }
        Ok(())
    }

    /// `google.protobuf.Value`: any JSON.
    pub(super) fn json_value(&mut self, plan: &'p MessagePlan, wire: &[u8], depth_left: usize) -> Result<'p, ()> {
        let ordered = match self.is_ordering {
            true => self.ordered(plan, wire, depth_left)?,
            false => None,
        };
        let mut rest = ordered.as_deref().unwrap_or(wire);
        let mut is_written = false;
        while !rest.is_empty() {
            let (number, wire_type) = wire::tag(&mut rest)?;
            let Some(index) = plan.by_number(number) else {
                wire::skip(&mut rest, number, wire_type, depth_left)?;
                continue;
            };
            if is_written {
                return Err(Failure::disorder());
            }
            is_written = true;
            let field = &plan.fields[index];
            let start = self.out.end();
            let written = self.value(field.kind, number, wire_type, &mut rest, depth_left)?;
            // JSON has no number for NaN and the infinities, and a string would be another value.
            if written == Written::Value && field.kind == Kind::Double && self.out.since(start).first() == Some(&b'"') {
                return Err(Failure::no_form(plan));
            }
        }
        if !is_written {
            self.out.put(b"null");
        }
        Ok(())
    }
}
