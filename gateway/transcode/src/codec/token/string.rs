//! Strings: borrowed where they are plain, unescaped into what the caller gives otherwise.

use std::borrow::Cow;

use super::{Result, SyntaxError, Tokens, scan};
use crate::codec::wire;

impl<'j> Tokens<'j> {
    /// Takes the string that is next.
    pub(crate) fn text(&mut self) -> Result<Cow<'j, str>> {
        match self.plain()? {
            Some(plain) => Ok(Cow::Borrowed(plain)),
            None => {
                let mut unescaped = Vec::new();
                self.unescape(&mut unescaped)?;
                let opening = self.at;
                // Pieces of a UTF-8 text and whole characters.
                let text = String::from_utf8(unescaped).map_err(|_| self.error(opening, "the body is not UTF-8"))?;
                Ok(Cow::Owned(text))
            }
        }
    }

    /// Takes the string that is next and appends it with its length: a string on the wire.
    #[inline]
    pub(crate) fn text_to_wire(&mut self, out: &mut Vec<u8>) -> Result<()> {
        if let Some(plain) = self.plain()? {
            wire::put_bytes(out, plain.as_bytes());
            return Ok(());
        }
        let start = wire::begin(out);
        self.unescape(out)?;
        wire::end(out, start);
        Ok(())
    }

    /// Takes the string that is next, if nothing in it is escaped.
    #[inline]
    fn plain(&mut self) -> Result<Option<&'j str>> {
        let start = self.at + 1;
        let end = scan::find_escaped_in_json(self.bytes, start);
        match self.bytes.get(end) {
            Some(b'"') => {
                self.at = end + 1;
                Ok(Some(&self.text[start..end]))
            }
            Some(b'\\') => Ok(None),
            Some(_) => Err(self.error(end, "control character in a string")),
            None => Err(self.error(self.at, "string is not closed")),
        }
    }

    /// Takes the string that is next and appends it.
    pub(super) fn unescape(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let opening = self.at;
        self.at += 1;
        loop {
            let end = scan::find_escaped_in_json(self.bytes, self.at);
            out.extend_from_slice(&self.bytes[self.at..end]);
            self.at = end;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    let letter = self.escape()?;
                    out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Some(_) => return Err(self.error(end, "control character in a string")),
                None => return Err(self.error(opening, "string is not closed")),
            }
        }
    }

    fn escape(&mut self) -> Result<char> {
        let start = self.at;
        self.at += 1;
        let letter = self.peek().ok_or_else(|| self.error(start, "string is not closed"))?;
        self.at += 1;
        Ok(match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(start),
            _ => return Err(self.error(start, "unknown escape in a string")),
        })
    }

    fn unicode(&mut self, start: usize) -> Result<char> {
        let first = self.unit(start)?;
        let lone = || SyntaxError {
            offset: start,
            problem: "lone surrogate in a string".to_owned(),
        };
        if !(0xd800..0xe000).contains(&first) {
            return char::from_u32(first).ok_or_else(lone);
        }
        if first >= 0xdc00 || !(self.eat(b'\\') && self.eat(b'u')) {
            return Err(lone());
        }
        let second = self.unit(start)?;
        if !(0xdc00..0xe000).contains(&second) {
            return Err(lone());
        }
        char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)).ok_or_else(lone)
    }

    fn unit(&mut self, start: usize) -> Result<u32> {
        let digits = self
            .bytes
            .get(self.at..self.at + 4)
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let unit = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let unit = unit.ok_or_else(|| self.error(start, "malformed \\u escape in a string"))?;
        self.at += 4;
        Ok(unit)
    }
}
