//! Well-known types whose JSON is not an object of their fields.

use super::{Problem, Reader, Result};
use crate::codec::plan::{FieldPlan, Form, Kind, MessagePlan};
use crate::codec::token::Start;
use crate::codec::{known, wire};

impl<'p> Reader<'p, '_> {
    /// A timestamp or a duration.
    pub(super) fn time(&mut self, form: Form) -> Result<()> {
        let offset = self.tokens.at();
        if self.tokens.peek() != Some(b'"') {
            return Err(self.mismatch("a string"));
        }
        let parsed = match (form, self.tokens.next_plain()) {
            (Form::Timestamp, Some(plain)) => {
                self.tokens.take_plain(plain);
                known::parse_timestamp(plain)
            }
            (Form::Timestamp, None) => known::parse_timestamp(self.tokens.text()?.as_bytes()),
            _ => known::parse_duration(&self.tokens.text()?),
        };
        let (seconds, nanos) = parsed.map_err(|text| Problem::new(offset, text))?;
        if seconds != 0 {
            self.out.push(known::SECONDS_TAG);
            wire::put_varint(&mut self.out, seconds as u64);
        }
        if nanos != 0 {
            self.out.push(known::NANOS_TAG);
            wire::put_varint(&mut self.out, i64::from(nanos) as u64);
        }
        Ok(())
    }

    pub(super) fn field_mask(&mut self) -> Result<()> {
        let offset = self.tokens.at();
        if self.tokens.peek() != Some(b'"') {
            return Err(self.mismatch("a string"));
        }
        let text = self.tokens.text()?;
        let paths = known::parse_json_mask(&text).map_err(|text| Problem::new(offset, text))?;
        for path in paths {
            self.out.push(known::PATHS_TAG);
            wire::put_bytes(&mut self.out, path.as_bytes());
        }
        Ok(())
    }

    /// A bare value.
    pub(super) fn wrapper(&mut self, field: &'p FieldPlan) -> Result<()> {
        let start = self.out.len();
        field.tag.put(&mut self.out);
        let payload = self.out.len();
        self.value(field.kind, field.number, None)?;
        if self.out[payload..].iter().all(|byte| *byte == 0) {
            self.out.truncate(start);
        }
        Ok(())
    }

    /// `google.protobuf.Value`: any JSON.
    pub(super) fn json_value(&mut self, plan: &'p MessagePlan) -> Result<()> {
        let number = match self.tokens.start()? {
            Start::Null => known::VALUE_NULL,
            Start::Number => known::VALUE_NUMBER,
            Start::String => known::VALUE_STRING,
            Start::Bool => known::VALUE_BOOL,
            Start::Object => known::VALUE_STRUCT,
            Start::Array => known::VALUE_LIST,
        };
        // The plan has been found to have the well-known fields.
        let Some(index) = plan.by_number(number) else {
            return Err(self.mismatch("a value that google.protobuf.Value has a field for"));
        };
        let field = &plan.fields[index];
        field.tag.put(&mut self.out);
        match field.kind {
            Kind::Enum(_) => {
                self.tokens.eat_null();
                self.out.push(0);
                Ok(())
            }
            kind => self.value(kind, number, None).map(drop),
        }
    }
}
