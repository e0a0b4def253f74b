//! Seconds and their fractions, as timestamps and durations have them.

use crate::codec::write::{self, Short};

pub(super) const NANOS_PER_SECOND: i64 = 1_000_000_000;
/// What a fraction of so many digits counts.
const NANOS_PER_UNIT: [i64; 10] = [
    NANOS_PER_SECOND,
    100_000_000,
    10_000_000,
    1_000_000,
    100_000,
    10_000,
    1_000,
    100,
    10,
    1,
];

/// A number of so many decimal digits, at most 18.
#[inline]
pub(super) fn number_at(bytes: &[u8], from: usize, count: usize) -> Option<i64> {
    let digits = bytes
        .get(from..from + count)
        .filter(|digits| count <= 18 && digits.iter().all(u8::is_ascii_digit))?;
    Some(
        digits
            .iter()
            .fold(0, |number, digit| number * 10 + i64::from(digit - b'0')),
    )
}

/// An optional `.` and 1 to 9 digits: nanoseconds, and where the text goes on.
#[inline]
pub(super) fn fraction(bytes: &[u8], at: usize) -> Option<(i32, usize)> {
    if bytes.get(at) != Some(&b'.') {
        return Some((0, at));
    }
    let (mut number, mut digits) = (0, 0);
    while let Some(digit) = bytes.get(at + 1 + digits).map(|byte| byte.wrapping_sub(b'0'))
        && digit < 10
    {
        if digits == 9 {
            return None;
        }
        number = number * 10 + i64::from(digit);
        digits += 1;
    }
    let nanos = number * NANOS_PER_UNIT[digits];
    (digits > 0).then_some((nanos as i32, at + 1 + digits))
}

/// Puts a fraction of a second at a place of a text, of as many digits as it needs, and what stands behind it.
#[inline]
pub(super) fn with_fraction(mut text: [u8; 32], at: usize, nanos: u32, end: [u8; 2]) -> Short {
    let length = match nanos {
        0 => at,
        _ if nanos.is_multiple_of(1_000_000) => at + 4,
        _ if nanos.is_multiple_of(1_000) => at + 7,
        _ => at + 10,
    };
    if nanos > 0 {
        text[at] = b'.';
        text[at + 1] = b'0' + (nanos / 100_000_000) as u8;
        text[at + 2..at + 10].copy_from_slice(&write::eight(nanos % 100_000_000));
    }
    text[length..length + 2].copy_from_slice(&end);
    Short {
        bytes: text,
        length: length + 2,
    }
}

/// The text as tests compare it, without the quotes.
#[cfg(test)]
pub(super) fn shown(text: Option<Short>) -> Option<String> {
    let text = text?;
    String::from_utf8(text.bytes[1..text.length - 1].to_vec()).ok()
}
