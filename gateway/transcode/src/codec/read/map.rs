//! An object into a map: entries of a key and a value, each key once.

use std::borrow::Cow;

use super::message::duplicate_key;
use super::{Problem, Reader, Result, Step};
use crate::codec::known::{ENTRY_KEY, ENTRY_VALUE};
use crate::codec::plan::{FieldPlan, Kind};
use crate::codec::token::Key;
use crate::codec::{scalar, wire};
use crate::echo;

impl<'p, 'j> Reader<'p, 'j> {
    /// Reads an object of entries.
    #[inline(never)]
    pub(super) fn map(&mut self, field: &'p FieldPlan, key_kind: Kind) -> Result<()> {
        if self.tokens.peek() != Some(b'{') {
            return Err(self.mismatch("an object"));
        }
        let open = self.keys.open();
        let mut more = self.tokens.open(b'}')?;
        while more {
            let offset = self.tokens.at();
            let key = self.tokens.key()?;
            self.entry(field, key_kind, key.clone(), open, offset)
                .map_err(|problem| problem.under(|| Step::Key(key.into_owned())))?;
            more = self.tokens.more(b'}')?;
        }
        self.keys.close(open).map_err(|duplicate| duplicate_key(&duplicate))
    }

    fn entry(
        &mut self,
        field: &'p FieldPlan,
        key_kind: Kind,
        key: Cow<'j, str>,
        open: usize,
        offset: usize,
    ) -> Result<()> {
        self.enter()?;
        let start = self.out.len();
        field.tag.put(&mut self.out);
        let entry = wire::begin(&mut self.out);
        wire::put_varint(&mut self.out, u64::from(ENTRY_KEY << 3 | key_kind.wire_type().bits()));
        let key = self.map_key(key_kind, key).map_err(|text| Problem::new(offset, text))?;
        self.keys
            .insert(open, key, offset)
            .map_err(|duplicate| duplicate_key(&duplicate))?;
        wire::put_varint(
            &mut self.out,
            u64::from(ENTRY_VALUE << 3 | field.kind.wire_type().bits()),
        );
        if self.element(field.kind, ENTRY_VALUE)? {
            wire::end(&mut self.out, entry);
        } else {
            self.out.truncate(start);
        }
        self.leave();
        Ok(())
    }

    /// Appends a key, which JSON always writes as text.
    fn map_key(&mut self, kind: Kind, text: Cow<'j, str>) -> std::result::Result<Key<'j>, String> {
        let number = match kind {
            Kind::String => {
                wire::put_bytes(&mut self.out, text.as_bytes());
                return Ok(Key::Text(text));
            }
            Kind::Bool => match text.as_ref() {
                "true" => 1,
                "false" => 0,
                _ => return Err(format!("key {} is neither true nor false", echo::quoted(&text))),
            },
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => scalar::integer(&text, i32::MIN.into(), i32::MAX.into())?,
            Kind::Uint32 | Kind::Fixed32 => scalar::integer(&text, 0, u32::MAX.into())?,
            Kind::Uint64 | Kind::Fixed64 => scalar::integer(&text, 0, u64::MAX.into())?,
            _ => scalar::integer(&text, i64::MIN.into(), i64::MAX.into())?,
        };
        self.put_integer(kind, number as u64);
        Ok(Key::Number(number as u64))
    }
}
