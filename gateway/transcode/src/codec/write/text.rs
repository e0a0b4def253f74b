//! Strings as JSON writes them.

use super::output::Output;
use crate::codec::token::find_escaped_in_text;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Bytes of room that [`copy_plain`] wants behind a string, as it copies whole words.
pub(super) const SLACK: usize = 16;

/// Copies a string to the front of `room`; false if a byte of it has to be escaped, and what was copied is of no use.
#[inline]
pub(super) fn copy_plain(text: &[u8], room: &mut [u8]) -> bool {
    let (words, rest) = text.as_chunks::<16>();
    for (word, to) in words.iter().zip(room.as_chunks_mut().0) {
        *to = *word;
        if !is_plain(word) {
            return false;
        }
    }
    match text.last_chunk::<16>() {
        _ if rest.is_empty() => true,
        // The last word once more covers the rest.
        Some(last) => {
            room[text.len() - 16..text.len()].copy_from_slice(last);
            is_plain(last)
        }
        None => copy_short(text, room),
    }
}

/// The same for a string that is shorter than a word.
#[inline]
fn copy_short(text: &[u8], room: &mut [u8]) -> bool {
    if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        room[..8].copy_from_slice(first);
        room[text.len() - 8..text.len()].copy_from_slice(last);
        let mut both = [0; 16];
        both[..8].copy_from_slice(first);
        both[8..].copy_from_slice(last);
        return is_plain(&both);
    }
    text.iter().zip(room).all(|(from, to)| {
        *to = *from;
        distance(*from) != 0
    })
}

/// How far a byte is from the nearest that has to be escaped, or may have to be: `"`, `\`, control characters, and the
/// first byte of U+2028 and U+2029 (and of others). Written so that a compiler does it for a whole word at once.
#[inline(always)]
fn distance(byte: u8) -> u8 {
    let control = byte.saturating_sub(0x1f).min(byte ^ 0x7f);
    control.min(byte ^ b'"').min(byte ^ b'\\').min(byte ^ 0xe2)
}

#[inline(always)]
fn is_plain(word: &[u8; 16]) -> bool {
    u128::from_ne_bytes(word.map(|byte| u8::from(distance(byte) == 0))) == 0
}

/// Puts a string in quotes that may have bytes to escape.
#[inline(never)]
pub(super) fn put_escaped(out: &mut Output, text: &[u8]) {
    out.push(b'"');
    let mut at = find_escaped_in_text(text, 0);
    let mut run = 0;
    while let Some(&byte) = text.get(at) {
        // U+2028 and U+2029 are legal in JSON, but end a line in old JavaScript.
        let (unit, width) = match byte {
            0xe2 => match text.get(at + 1..at + 3) {
                Some([0x80, last @ (0xa8 | 0xa9)]) => (0x2028 + u16::from(last - 0xa8), 3),
                _ => {
                    at = find_escaped_in_text(text, at + 1);
                    continue;
                }
            },
            _ => (u16::from(byte), 1),
        };
        out.put(&text[run..at]);
        put_escape(out, unit);
        run = at + width;
        at = find_escaped_in_text(text, run);
    }
    out.put(&text[run..]);
    out.push(b'"');
}

fn put_escape(out: &mut Output, unit: u16) {
    let short = match unit {
        0x22 => b'"',
        0x5c => b'\\',
        0x0a => b'n',
        0x0d => b'r',
        0x09 => b't',
        _ => {
            out.put(b"\\u");
            out.put(&[12, 8, 4, 0].map(|shift| HEX[usize::from(unit >> shift & 0xf)]));
            return;
        }
    };
    out.put(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_each_byte_at_each_place() {
        for byte in 0..=u8::MAX {
            let is_special = byte < 0x20 || matches!(byte, b'"' | b'\\' | 0x7f | 0xe2);
            for length in 1..36 {
                for place in 0..length {
                    let mut text = vec![b'x'; length];
                    text[place] = byte;
                    let mut room = vec![0; length + SLACK];
                    assert_eq!(
                        copy_plain(&text, &mut room),
                        !is_special,
                        "{byte} at {place} of {length}"
                    );
                    assert!(is_special || room.starts_with(&text), "{byte} at {place} of {length}");
                }
            }
        }
    }
}
