//! One value, taken from the wire.

use super::Writer;
use super::failure::{Failure, Result};
use super::field::expect;
use crate::codec::plan::{EnumId, Kind};
use crate::codec::scalar;
use crate::codec::wire::{self, WireError, WireType};

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    Value,
    /// Written too; a field without presence is then as good as unset.
    Default,
    /// A number that a closed enum does not declare is no value.
    Dropped,
}

impl Written {
    fn of(is_default: bool) -> Self {
        if is_default { Self::Default } else { Self::Value }
    }
}

impl<'p> Writer<'p> {
    /// Takes a value and writes it.
    pub(super) fn value(
        &mut self,
        kind: Kind,
        number: u32,
        wire_type: WireType,
        rest: &mut &[u8],
        depth_left: usize,
    ) -> Result<'p, Written> {
        self.value_here(kind, number, wire_type, rest, depth_left)
    }

    /// The same without a call, for single fields, which most are.
    #[inline(always)]
    pub(super) fn value_here(
        &mut self,
        kind: Kind,
        number: u32,
        wire_type: WireType,
        rest: &mut &[u8],
        depth_left: usize,
    ) -> Result<'p, Written> {
        match kind {
            Kind::String => {
                expect(wire_type, WireType::Length)?;
                let text = wire::bytes(rest)?;
                self.string(text)?;
                Ok(Written::of(text.is_empty()))
            }
            Kind::Message(id) => {
                expect(wire_type, WireType::Length)?;
                self.message(id, wire::bytes(rest)?, depth_left)?;
                Ok(Written::Value)
            }
            Kind::Group(id) => {
                expect(wire_type, WireType::GroupStart)?;
                self.message(id, wire::group(rest, number, depth_left)?, depth_left)?;
                Ok(Written::Value)
            }
            Kind::Bytes => {
                expect(wire_type, WireType::Length)?;
                let bytes = wire::bytes(rest)?;
                self.base64(bytes)?;
                Ok(Written::of(bytes.is_empty()))
            }
            _ => {
                expect(wire_type, kind.wire_type())?;
                self.number(kind, rest)
            }
        }
    }

    /// Writes a string, which is checked here only if one of them is known to be none.
    #[inline(always)]
    pub(super) fn string(&mut self, text: &[u8]) -> Result<'p, ()> {
        if self.is_checking {
            std::str::from_utf8(text).map_err(|_| WireError::Utf8)?;
        }
        // Only a text that has to be escaped is longer in JSON, and at most six times.
        self.check_room(text.len())?;
        self.out.put_string(text);
        Ok(())
    }

    #[inline(always)]
    fn number(&mut self, kind: Kind, rest: &mut &[u8]) -> Result<'p, Written> {
        match kind {
            Kind::Int32 => Ok(self.signed((wire::varint(rest)? as i32).into())),
            Kind::Sint32 => Ok(self.signed(wire::unzigzag32(wire::varint(rest)? as u32).into())),
            Kind::Uint32 => Ok(self.unsigned((wire::varint(rest)? as u32).into())),
            Kind::Fixed32 => Ok(self.unsigned(u32::from_le_bytes(wire::fixed(rest)?).into())),
            Kind::Sfixed32 => Ok(self.signed(i32::from_le_bytes(wire::fixed(rest)?).into())),
            Kind::Int64 => Ok(self.wide(wire::varint(rest)? as i64)),
            Kind::Sint64 => Ok(self.wide(wire::unzigzag64(wire::varint(rest)?))),
            Kind::Sfixed64 => Ok(self.wide(i64::from_le_bytes(wire::fixed(rest)?))),
            Kind::Uint64 => Ok(self.wide_unsigned(wire::varint(rest)?)),
            Kind::Fixed64 => Ok(self.wide_unsigned(u64::from_le_bytes(wire::fixed(rest)?))),
            Kind::Float => {
                let value = f32::from_le_bytes(wire::fixed(rest)?);
                Ok(self.float(value.into(), zmij::Buffer::new().format(value), value.to_bits() == 0))
            }
            Kind::Double => {
                let value = f64::from_le_bytes(wire::fixed(rest)?);
                Ok(self.float(value, zmij::Buffer::new().format(value), value.to_bits() == 0))
            }
            Kind::Bool => {
                let value = wire::varint(rest)? != 0;
                self.out.put(if value { b"true" } else { b"false" });
                Ok(Written::of(!value))
            }
            Kind::Enum(id) => {
                let number = wire::varint(rest)? as i32;
                Ok(self.enumeration(id, number))
            }
            Kind::String | Kind::Bytes | Kind::Message(_) | Kind::Group(_) => Err(Failure::wire(WireError::WireType)),
        }
    }

    #[inline(always)]
    fn signed(&mut self, value: i64) -> Written {
        self.out.put_signed(value);
        Written::of(value == 0)
    }

    #[inline(always)]
    fn unsigned(&mut self, value: u64) -> Written {
        self.out.put_unsigned(value);
        Written::of(value == 0)
    }

    /// 64 bits do not fit the numbers of JavaScript, so they are strings.
    #[inline(always)]
    fn wide(&mut self, value: i64) -> Written {
        match self.options.int64_as_number {
            true => self.out.put_signed(value),
            false => self.out.put_quoted(value < 0, value.unsigned_abs()),
        }
        Written::of(value == 0)
    }

    #[inline(always)]
    fn wide_unsigned(&mut self, value: u64) -> Written {
        match self.options.int64_as_number {
            true => self.out.put_unsigned(value),
            false => self.out.put_quoted(false, value),
        }
        Written::of(value == 0)
    }

    fn float(&mut self, value: f64, text: &str, is_default: bool) -> Written {
        let text = match text {
            text if value.is_finite() => text.strip_suffix(".0").unwrap_or(text),
            _ if value.is_nan() => "\"NaN\"",
            _ if value > 0.0 => "\"Infinity\"",
            _ => "\"-Infinity\"",
        };
        self.out.put(text.as_bytes());
        Written::of(is_default)
    }

    fn enumeration(&mut self, id: EnumId, number: i32) -> Written {
        let plan = self.plans.enumeration(id);
        match plan.quoted(number) {
            _ if plan.is_null => self.out.put(b"null"),
            None if plan.closed => return Written::Dropped,
            Some(quoted) if !self.options.enums_as_numbers => self.out.put_words(quoted),
            _ => return self.signed(number.into()),
        }
        Written::of(number == 0)
    }

    pub(super) fn base64(&mut self, bytes: &[u8]) -> Result<'p, ()> {
        let length = scalar::base64_len(bytes);
        self.check_room(length)?;
        self.out.push(b'"');
        let written = scalar::put_base64(bytes, self.out.room(length));
        self.out.advance(written);
        self.out.push(b'"');
        Ok(())
    }

    /// Writes the default of a kind that is no message.
    pub(super) fn default(&mut self, kind: Kind) {
        let text: &[u8] = match kind {
            Kind::Bool => b"false",
            Kind::String | Kind::Bytes => b"\"\"",
            Kind::Enum(id) => {
                let default = self.plans.enumeration(id).default;
                self.enumeration(id, default);
                return;
            }
            Kind::Int64 | Kind::Sint64 | Kind::Uint64 | Kind::Fixed64 | Kind::Sfixed64
                if !self.options.int64_as_number =>
            {
                b"\"0\""
            }
            Kind::Message(_) | Kind::Group(_) => b"{}",
            _ => b"0",
        };
        self.out.put(text);
    }
}
