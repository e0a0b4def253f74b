//! Strings as JSON writes them.

use crate::codec::token::find_escaped_in_text;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends a string in quotes. The bytes are not checked to be UTF-8.
#[inline]
pub(crate) fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    let plain = find_escaped_in_text(text, 0);
    if plain == text.len() {
        out.extend_from_slice(text);
    } else {
        put_escaped(out, text, plain);
    }
    out.push(b'"');
}

/// `at` is the first byte that may have to be escaped.
fn put_escaped(out: &mut Vec<u8>, text: &[u8], mut at: usize) {
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
        out.extend_from_slice(&text[run..at]);
        put_escape(out, unit);
        run = at + width;
        at = find_escaped_in_text(text, run);
    }
    out.extend_from_slice(&text[run..]);
}

fn put_escape(out: &mut Vec<u8>, unit: u16) {
    let short = match unit {
        0x22 => b'"',
        0x5c => b'\\',
        0x0a => b'n',
        0x0d => b'r',
        0x09 => b't',
        _ => {
            out.extend_from_slice(b"\\u");
            out.extend([12, 8, 4, 0].map(|shift| HEX[usize::from(unit >> shift & 0xf)]));
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}
