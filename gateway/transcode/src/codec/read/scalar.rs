//! One value, without its tag.

use super::message::JSON_UNKNOWN;
use super::{Claims, Problem, Reader, Result};
use crate::codec::plan::{EnumId, Form, Kind};
use crate::codec::scalar;
use crate::codec::token::Start;
use crate::codec::wire::{self, WireType};

/// Longest integer that cannot overflow 64 bits, in digits.
const SMALL_DIGITS: usize = 18;

impl Reader<'_, '_> {
    /// Reads a value; false if it was the name of an unknown enum value, to be dropped.
    #[inline(always)]
    pub(super) fn value(&mut self, kind: Kind, number: u32, claims: Option<&Claims<'_>>) -> Result<bool> {
        match kind {
            Kind::String if self.tokens.peek() == Some(b'"') => self.tokens.text_to_wire(&mut self.out)?,
            Kind::String => return Err(self.mismatch("a string")),
            Kind::Message(id) => {
                self.enter()?;
                let start = wire::begin(&mut self.out);
                let plan = self.plans.message(id);
                match plan.form {
                    Form::Plain => self.members(plan, claims, false)?,
                    _ => self.message(id, claims)?,
                }
                wire::end(&mut self.out, start);
                self.leave();
            }
            Kind::Group(id) => {
                self.enter()?;
                self.message(id, claims)?;
                self.leave();
                wire::put_varint(&mut self.out, u64::from(number << 3 | WireType::GroupEnd.bits()));
            }
            Kind::Bool => match self.tokens.eat_bool() {
                Some(value) => self.out.push(u8::from(value)),
                None => return Err(self.mismatch("true or false")),
            },
            Kind::Enum(id) => return self.enumeration(id),
            Kind::Bytes => self.base64()?,
            Kind::Double | Kind::Float => self.decimal(kind)?,
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => self.integer(kind, i32::MIN.into(), i32::MAX as u64)?,
            Kind::Uint32 | Kind::Fixed32 => self.integer(kind, 0, u32::MAX.into())?,
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => self.integer(kind, i64::MIN, i64::MAX as u64)?,
            Kind::Uint64 | Kind::Fixed64 => self.integer(kind, 0, u64::MAX)?,
        }
        Ok(true)
    }

    #[inline(never)]
    fn integer(&mut self, kind: Kind, min: i64, max: u64) -> Result<()> {
        if let Some((value, length)) = small_integer(self.tokens.rest())
            && value >= min
            && (value < 0 || value as u64 <= max)
        {
            self.tokens.advance(length);
            self.put_integer(kind, value as u64);
            return Ok(());
        }
        self.integer_in_full(kind, min.into(), max.into())
    }

    #[inline(never)]
    fn integer_in_full(&mut self, kind: Kind, min: i128, max: i128) -> Result<()> {
        let offset = self.tokens.at();
        let value = match self.tokens.start()? {
            Start::Number => scalar::integer(self.tokens.number()?, min, max),
            Start::String => scalar::integer(&self.tokens.text()?, min, max),
            _ => return Err(self.mismatch("a number")),
        };
        self.put_integer(kind, value.map_err(|text| Problem::new(offset, text))? as u64);
        Ok(())
    }

    /// Appends an integer that is in the range of its kind; a negative one is given as its two's complement.
    #[inline(always)]
    pub(super) fn put_integer(&mut self, kind: Kind, value: u64) {
        let out = &mut self.out;
        match kind {
            Kind::Sint32 => wire::put_varint(out, wire::zigzag32(value as i32)),
            Kind::Sint64 => wire::put_varint(out, wire::zigzag64(value as i64)),
            Kind::Fixed32 | Kind::Sfixed32 => out.extend_from_slice(&(value as u32).to_le_bytes()),
            Kind::Fixed64 | Kind::Sfixed64 => out.extend_from_slice(&value.to_le_bytes()),
            // Negative numbers of 32 bits have ten bytes too.
            _ => wire::put_varint(out, value),
        }
    }

    fn decimal(&mut self, kind: Kind) -> Result<()> {
        let offset = self.tokens.at();
        let text = match self.tokens.start()? {
            Start::Number => self.tokens.number()?.into(),
            Start::String => self.tokens.text()?,
            _ => return Err(self.mismatch("a number")),
        };
        let special = match text.as_ref() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        };
        let refuse = |text| Problem::new(offset, text);
        if kind == Kind::Double {
            let value = special.map_or_else(|| scalar::double(&text), Ok).map_err(refuse)?;
            self.out.extend_from_slice(&value.to_le_bytes());
        } else {
            let special = special.map(|value| Ok(value as f32));
            let value = special.unwrap_or_else(|| scalar::float(&text)).map_err(refuse)?;
            self.out.extend_from_slice(&value.to_le_bytes());
        }
        Ok(())
    }

    #[inline(never)]
    fn enumeration(&mut self, id: EnumId) -> Result<bool> {
        let known = self.tokens.next_plain().and_then(|name| {
            let number = self.plans.enumeration(id).number(name)?;
            Some((name, number))
        });
        let Some((name, number)) = known else {
            return self.enumeration_in_full(id);
        };
        self.tokens.take_plain(name);
        wire::put_varint(&mut self.out, i64::from(number) as u64);
        Ok(true)
    }

    #[inline(never)]
    fn enumeration_in_full(&mut self, id: EnumId) -> Result<bool> {
        let plan = self.plans.enumeration(id);
        let offset = self.tokens.at();
        let number = match self.tokens.start()? {
            Start::Null if plan.is_null => {
                self.tokens.eat_null();
                0
            }
            Start::String => {
                let name = self.tokens.text()?;
                let any_case = || plan.number_in_any_case(&name).filter(|_| self.options.enums_any_case);
                match plan.number(name.as_bytes()).or_else(any_case) {
                    Some(number) => number,
                    None if self.options.unknown_ignored => return Ok(false),
                    None => {
                        let (text, hint) = scalar::unknown_enum_name(&plan.name, &name, plan.names());
                        return Err(Problem::new(offset, text).hint(hint).relaxed_by(JSON_UNKNOWN));
                    }
                }
            }
            Start::Number => {
                let number = scalar::integer(self.tokens.number()?, i32::MIN.into(), i32::MAX.into());
                let number = number.map_err(|text| Problem::new(offset, text))? as i32;
                if !plan.takes(number) {
                    return Err(Problem::new(
                        offset,
                        format!("{number} is not a value of {}", plan.name),
                    ));
                }
                number
            }
            _ => return Err(self.mismatch("an enum value's name or number")),
        };
        wire::put_varint(&mut self.out, i64::from(number) as u64);
        Ok(true)
    }

    fn base64(&mut self) -> Result<()> {
        let offset = self.tokens.at();
        if self.tokens.peek() != Some(b'"') {
            return Err(self.mismatch("a base64 string"));
        }
        let text = self.tokens.text()?;
        let start = wire::begin(&mut self.out);
        scalar::put_decoded(&text, &mut self.out).map_err(|text| Problem::new(offset, text))?;
        wire::end(&mut self.out, start);
        Ok(())
    }
}

/// An integer that is written plainly, in quotes or not, and the length of the token; `None` leaves it to the full
/// rules.
#[inline]
fn small_integer(text: &[u8]) -> Option<(i64, usize)> {
    let (is_quoted, text) = match text {
        [b'"', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let (is_negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let (mut value, mut count) = (0, 0);
    while let Some(digit) = digits.get(count).map(|byte| byte.wrapping_sub(b'0'))
        && digit < 10
        && count <= SMALL_DIGITS
    {
        value = value * 10 + u64::from(digit);
        count += 1;
    }
    let is_plain = count == 1 || (2..=SMALL_DIGITS).contains(&count) && digits[0] != b'0';
    let ends = match digits.get(count) {
        Some(b'"') => is_quoted,
        Some(b'.' | b'e' | b'E') => false,
        _ => !is_quoted,
    };
    let length = count + usize::from(is_negative) + 2 * usize::from(is_quoted);
    (is_plain && ends).then(|| {
        let value = value as i64;
        (if is_negative { -value } else { value }, length)
    })
}
