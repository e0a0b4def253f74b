//! One value, taken from the wire.

use super::failure::{Failure, Result};
use super::field::expect;
use super::{Writer, text};
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

impl<'p> Writer<'p, '_> {
    /// Takes a value and writes it.
    #[inline]
    pub(super) fn value(
        &mut self,
        kind: Kind,
        number: u32,
        wire_type: WireType,
        rest: &mut &[u8],
        depth_left: usize,
    ) -> Result<'p, Written> {
        match kind {
            Kind::String => {
                let text = self.body(kind, number, wire_type, rest, depth_left)?;
                self.string(text)?;
                Ok(Written::of(text.is_empty()))
            }
            Kind::Message(id) | Kind::Group(id) => {
                let inner = self.body(kind, number, wire_type, rest, depth_left)?;
                self.message(id, inner, depth_left)?;
                Ok(Written::Value)
            }
            Kind::Bytes => {
                let bytes = self.body(kind, number, wire_type, rest, depth_left)?;
                self.base64(bytes);
                Ok(Written::of(bytes.is_empty()))
            }
            _ => {
                expect(wire_type, kind.wire_type())?;
                self.number(kind, rest)
            }
        }
    }

    /// Writes a string, which is checked here only if one of them is known to be none.
    #[inline]
    pub(super) fn string(&mut self, text: &[u8]) -> Result<'p, ()> {
        if self.is_checking && std::str::from_utf8(text).is_err() {
            return Err(Failure::wire(WireError::Utf8));
        }
        text::put_string(self.out, text);
        Ok(())
    }

    fn number(&mut self, kind: Kind, rest: &mut &[u8]) -> Result<'p, Written> {
        match kind {
            Kind::Int32 => Ok(self.integer(wire::varint(rest)? as i32)),
            Kind::Sint32 => Ok(self.integer(wire::unzigzag32(wire::varint(rest)? as u32))),
            Kind::Uint32 => Ok(self.integer(wire::varint(rest)? as u32)),
            Kind::Fixed32 => Ok(self.integer(u32::from_le_bytes(wire::fixed(rest)?))),
            Kind::Sfixed32 => Ok(self.integer(i32::from_le_bytes(wire::fixed(rest)?))),
            Kind::Int64 => Ok(self.wide(wire::varint(rest)? as i64)),
            Kind::Sint64 => Ok(self.wide(wire::unzigzag64(wire::varint(rest)?))),
            Kind::Uint64 => Ok(self.wide(wire::varint(rest)?)),
            Kind::Fixed64 => Ok(self.wide(u64::from_le_bytes(wire::fixed(rest)?))),
            Kind::Sfixed64 => Ok(self.wide(i64::from_le_bytes(wire::fixed(rest)?))),
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
                self.out.extend_from_slice(if value { b"true" } else { b"false" });
                Ok(Written::of(!value))
            }
            Kind::Enum(id) => {
                let number = wire::varint(rest)? as i32;
                Ok(self.enumeration(id, number))
            }
            Kind::String | Kind::Bytes | Kind::Message(_) | Kind::Group(_) => Err(Failure::wire(WireError::WireType)),
        }
    }

    #[inline]
    fn integer<I: itoa::Integer + PartialEq + Default>(&mut self, value: I) -> Written {
        let is_default = value == I::default();
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        Written::of(is_default)
    }

    /// 64 bits do not fit the numbers of JavaScript, so they are strings.
    #[inline]
    fn wide<I: itoa::Integer + PartialEq + Default>(&mut self, value: I) -> Written {
        if self.options.int64_as_number {
            return self.integer(value);
        }
        self.out.push(b'"');
        let written = self.integer(value);
        self.out.push(b'"');
        written
    }

    fn float(&mut self, value: f64, text: &str, is_default: bool) -> Written {
        let text = match text {
            text if value.is_finite() => text.strip_suffix(".0").unwrap_or(text),
            _ if value.is_nan() => "\"NaN\"",
            _ if value > 0.0 => "\"Infinity\"",
            _ => "\"-Infinity\"",
        };
        self.out.extend_from_slice(text.as_bytes());
        Written::of(is_default)
    }

    fn enumeration(&mut self, id: EnumId, number: i32) -> Written {
        let plan = self.plans.enumeration(id);
        match plan.quoted(number) {
            _ if plan.is_null => self.out.extend_from_slice(b"null"),
            None if plan.closed => return Written::Dropped,
            Some(quoted) if !self.options.enums_as_numbers => self.out.extend_from_slice(quoted),
            _ => return self.integer(number),
        }
        Written::of(number == 0)
    }

    pub(super) fn base64(&mut self, bytes: &[u8]) {
        self.out.push(b'"');
        scalar::put_base64(self.out, bytes);
        self.out.push(b'"');
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
        self.out.extend_from_slice(text);
    }
}
