//! `google.protobuf.Duration`: decimal seconds and `s`.

use super::seconds::{NANOS_PER_SECOND, fraction, number_at, with_fraction};
use crate::codec::write::{self, Short};

/// About 10,000 years.
const DURATION_SECONDS_MAX: i64 = 315_576_000_000;

/// Decimal seconds and `s`.
pub(crate) fn parse_duration(text: &str) -> Result<(i64, i32), String> {
    let malformed = || "not a duration as in 1.5s".to_owned();
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let number = unsigned.strip_suffix('s').ok_or_else(malformed)?.as_bytes();
    let whole = number.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let seconds = number_at(number, 0, whole)
        .filter(|_| whole > 0)
        .ok_or_else(malformed)?;
    let (nanos, end) = fraction(number, whole).ok_or_else(malformed)?;
    if end != number.len() {
        return Err(malformed());
    }
    if seconds > DURATION_SECONDS_MAX {
        return Err("duration is longer than 315576000000s".to_owned());
    }
    if unsigned.len() < text.len() {
        Ok((-seconds, -nanos))
    } else {
        Ok((seconds, nanos))
    }
}

/// Decimal seconds with 0, 3, 6 or 9 digits, in quotes; `None` out of range or with two signs.
pub(crate) fn duration(seconds: i64, nanos: i32) -> Option<Short> {
    let in_range = (-DURATION_SECONDS_MAX..=DURATION_SECONDS_MAX).contains(&seconds)
        && i64::from(nanos.unsigned_abs()) < NANOS_PER_SECOND;
    let signs_agree = seconds == 0 || nanos == 0 || (seconds < 0) == (nanos < 0);
    if !in_range || !signs_agree {
        return None;
    }
    let mut text = [0; 32];
    text[..2].copy_from_slice(b"\"-");
    let start = if seconds < 0 || nanos < 0 { 2 } else { 1 };
    let mut digits = [0; write::DECIMAL_BYTES];
    let length = write::decimal(seconds.unsigned_abs(), &mut digits);
    text[start..start + write::DECIMAL_BYTES].copy_from_slice(&digits);
    Some(with_fraction(text, start + length, nanos.unsigned_abs(), *b"s\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::known::seconds::shown;

    #[test]
    fn durations() {
        for (text, expected) in [
            ("1.000340012s", Some("1.000340012s")),
            ("-0.5s", Some("-0.500s")),
            ("0s", Some("0s")),
            ("1s", Some("1s")),
            ("315576000000s", Some("315576000000s")),
            ("-315576000000s", Some("-315576000000s")),
            ("315576000001s", None),
            ("315576000000.999999999s", Some("315576000000.999999999s")),
            ("1", None),
            ("s", None),
            (".5s", None),
            ("1.s", None),
            ("1.5", None),
            ("--1s", None),
            ("1e3s", None),
            ("99999999999999999999s", None),
        ] {
            let parsed = parse_duration(text)
                .ok()
                .and_then(|(seconds, nanos)| shown(duration(seconds, nanos)));
            assert_eq!(parsed.as_deref(), expected, "{text}");
        }
        assert_eq!(shown(duration(1, -1)), None);
    }
}
