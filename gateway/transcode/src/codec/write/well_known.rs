//! Well-known types whose JSON is not an object of their fields.

use super::failure::{Failure, Result};
use super::field::expect;
use super::scalar::Written;
use super::{Writer, order};
use crate::codec::known;
use crate::codec::plan::{Form, Kind, MessagePlan, Shape};
use crate::codec::wire::{self, WireType};

impl<'p> Writer<'p, '_> {
    /// A timestamp or a duration.
    pub(super) fn time(&mut self, plan: &'p MessagePlan, wire: &[u8], depth_left: usize) -> Result<'p, ()> {
        let mut rest = wire;
        let (mut seconds, mut nanos) = (0, 0);
        while !rest.is_empty() {
            let (number, wire_type) = wire::tag(&mut rest)?;
            match number {
                known::SECONDS | known::NANOS => {
                    expect(wire_type, WireType::Varint)?;
                    let value = wire::varint(&mut rest)? as i64;
                    if number == known::SECONDS {
                        seconds = value;
                    } else {
                        nanos = value as i32;
                    }
                }
                _ => drop(wire::skip(&mut rest, number, wire_type, depth_left)?),
            }
        }
        self.out.push(b'"');
        let put = match plan.form {
            Form::Timestamp => known::put_timestamp,
            _ => known::put_duration,
        };
        put(self.out, seconds, nanos).ok_or_else(|| Failure::no_form(plan))?;
        self.out.push(b'"');
        Ok(())
    }

    pub(super) fn field_mask(&mut self, plan: &'p MessagePlan, wire: &[u8], depth_left: usize) -> Result<'p, ()> {
        let mut rest = wire;
        self.out.push(b'"');
        let start = self.out.len();
        while !rest.is_empty() {
            let (number, wire_type) = wire::tag(&mut rest)?;
            let path = wire::skip(&mut rest, number, wire_type, depth_left)?;
            if number != known::PATHS {
                continue;
            }
            expect(wire_type, WireType::Length)?;
            if self.out.len() > start {
                self.out.push(b',');
            }
            // A path is letters, digits, `_` and `.`: nothing that a string has to escape.
            let is_path = path
                .iter()
                .all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\'));
            let put = known::put_camel(self.out, path).filter(|()| is_path);
            put.ok_or_else(|| Failure::no_form(plan))?;
        }
        self.out.push(b'"');
        Ok(())
    }

    /// A `Struct` or a `ListValue`, which have one field.
    pub(super) fn container(&mut self, plan: &'p MessagePlan, wire: &[u8], depth_left: usize) -> Result<'p, ()> {
        let ordered = match self.is_ordering {
            true => order::ordered(self.plans, plan, wire, depth_left)?,
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
        let start = self.out.len();
        let mut rest = wire;
        while !rest.is_empty() {
            let (number, wire_type) = wire::tag(&mut rest)?;
            if number == field.number {
                self.out.truncate(start);
                self.value(field.kind, number, wire_type, &mut rest, depth_left)?;
            } else {
                wire::skip(&mut rest, number, wire_type, depth_left)?;
            }
        }
        if self.out.len() == start {
            self.default(field.kind);
        }
        Ok(())
    }

    /// `google.protobuf.Value`: any JSON.
    pub(super) fn json_value(&mut self, plan: &'p MessagePlan, wire: &[u8], depth_left: usize) -> Result<'p, ()> {
        let ordered = match self.is_ordering {
            true => order::ordered(self.plans, plan, wire, depth_left)?,
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
            let start = self.out.len();
            let written = self.value(field.kind, number, wire_type, &mut rest, depth_left)?;
            // JSON has no number for NaN and the infinities, and a string would be another value.
            if written == Written::Value && field.kind == Kind::Double && self.out.get(start) == Some(&b'"') {
                return Err(Failure::no_form(plan));
            }
        }
        if !is_written {
            self.out.extend_from_slice(b"null");
        }
        Ok(())
    }
}
