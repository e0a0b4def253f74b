//! Strings: borrowed where they are plain, unescaped into what the caller gives otherwise.

use std::borrow::Cow;

use super::{Result, SyntaxError, Tokens, scan};
use crate::codec::wire;

/// Bytes of a string that is copied without a call; its length takes one byte.
const SHORT: usize = 32;

impl<'j> Tokens<'j> {
    /// What stands between the quotes of the string that is next, if nothing in it is escaped; `None` also where no
    /// string is next, or none that ends. It is not taken yet.
    #[inline]
    pub(crate) fn next_plain(&self) -> Option<&'j [u8]> {
        let [b'"', rest @ ..] = self.rest() else {
            return None;
        };
        let end = scan::find_escaped_in_json(rest, 0);
        (rest.get(end) == Some(&b'"')).then(|| &rest[..end])
    }

    /// Takes a string that [`Tokens::next_plain`] has found.
    #[inline]
    pub(crate) fn take_plain(&mut self, plain: &[u8]) {
        self.at += plain.len() + 2;
    }

    /// Takes the string that is next.
    pub(crate) fn text(&mut self) -> Result<Cow<'j, str>> {
        let opening = self.at;
        if let Some(plain) = self.next_plain() {
            self.take_plain(plain);
            return Ok(Cow::Borrowed(&self.text[opening + 1..self.at - 1]));
        }
        let mut unescaped = Vec::new();
        self.unescape(&mut unescaped)?;
        // Pieces of a UTF-8 text and whole characters.
        let text = String::from_utf8(unescaped).map_err(|_| SyntaxError::new(opening, "the body is not UTF-8"))?;
        Ok(Cow::Owned(text))
    }

    /// Takes the string that is next and appends it with its length: a string on the wire.
    #[inline]
    pub(crate) fn text_to_wire(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let Some(plain) = self.next_plain() else {
            return self.unescape_to_wire(out);
        };
        // A short string is copied with what follows it, a fixed number of bytes, which is no call.
        match self.bytes[self.at + 1..].first_chunk::<SHORT>() {
            Some(more) if plain.len() <= SHORT => {
                out.push(plain.len() as u8);
                let end = out.len() + plain.len();
                out.extend_from_slice(more);
                out.truncate(end);
            }
            _ => wire::put_bytes(out, plain),
        }
        self.take_plain(plain);
        Ok(())
    }

    #[inline(never)]
    fn unescape_to_wire(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let start = wire::begin(out);
        self.unescape(out)?;
        wire::end(out, start);
        Ok(())
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
                Some(_) => return Err(SyntaxError::new(end, "control character in a string")),
                None => return Err(SyntaxError::new(opening, "string is not closed")),
            }
        }
    }

    fn escape(&mut self) -> Result<char> {
        let start = self.at;
        self.at += 1;
        let letter = self
            .peek()
            .ok_or_else(|| SyntaxError::new(start, "string is not closed"))?;
        self.at += 1;
        Ok(match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(start),
            _ => return Err(SyntaxError::new(start, "unknown escape in a string")),
        })
    }

    fn unicode(&mut self, start: usize) -> Result<char> {
        let first = self.unit(start)?;
        let lone = || SyntaxError::new(start, "lone surrogate in a string");
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
        let unit = unit.ok_or_else(|| SyntaxError::new(start, "malformed \\u escape in a string"))?;
        self.at += 4;
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Short strings are copied another way than long ones, and the last of a body another way than the others.
    #[test]
    fn strings_of_every_length() {
        for length in 0..150 {
            let plain = "a".repeat(length);
            for (written, text) in [
                (format!("\"{plain}\""), plain.clone()),
                (format!("\"{plain}\\u00e9\""), format!("{plain}é")),
                (format!("\"{plain}é\""), format!("{plain}é")),
            ] {
                let mut expected = b"before".to_vec();
                wire::put_bytes(&mut expected, text.as_bytes());
                for after in ["", ",1", &" ".repeat(40)] {
                    let body = format!("{written}{after}");
                    let mut tokens = Tokens::new(body.as_bytes()).unwrap();
                    let mut out = b"before".to_vec();
                    tokens.text_to_wire(&mut out).unwrap();
                    assert_eq!((&out, tokens.at()), (&expected, written.len()), "{body}");
                }
            }
        }
    }
}
