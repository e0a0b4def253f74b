//! Well-known types with a text form: timestamps, durations, field masks; and which types have a JSON form of their
//! own.

use prost_reflect::{DynamicMessage, MessageDescriptor, Value};

use crate::codec::write::{self, Short};

pub(crate) const ANY: &str = "google.protobuf.Any";
pub(crate) const TIMESTAMP: &str = "google.protobuf.Timestamp";
pub(crate) const DURATION: &str = "google.protobuf.Duration";
pub(crate) const FIELD_MASK: &str = "google.protobuf.FieldMask";
pub(crate) const STRUCT: &str = "google.protobuf.Struct";
pub(crate) const VALUE: &str = "google.protobuf.Value";
pub(crate) const LIST: &str = "google.protobuf.ListValue";
pub(crate) const EMPTY: &str = "google.protobuf.Empty";
pub(crate) const NULL: &str = "google.protobuf.NullValue";

/// Field numbers: of `Timestamp` and `Duration`, `FieldMask`, the wrappers, `Any`, `Value`.
pub(crate) const SECONDS: u32 = 1;
pub(crate) const NANOS: u32 = 2;
pub(crate) const PATHS: u32 = 1;
pub(crate) const WRAPPED: u32 = 1;
pub(crate) const TYPE_URL: u32 = 1;
pub(crate) const ANY_VALUE: u32 = 2;
pub(crate) const VALUE_NULL: u32 = 1;
pub(crate) const VALUE_NUMBER: u32 = 2;
pub(crate) const VALUE_STRING: u32 = 3;
pub(crate) const VALUE_BOOL: u32 = 4;
pub(crate) const VALUE_STRUCT: u32 = 5;
pub(crate) const VALUE_LIST: u32 = 6;

/// Field numbers of a map's entry.
pub(crate) const ENTRY_KEY: u32 = 1;
pub(crate) const ENTRY_VALUE: u32 = 2;

/// Tags of the same: varints are 0, strings, bytes and messages 2.
pub(crate) const SECONDS_TAG: u8 = 1 << 3;
pub(crate) const NANOS_TAG: u8 = 2 << 3;
pub(crate) const PATHS_TAG: u8 = 1 << 3 | 2;
pub(crate) const TYPE_URL_TAG: u8 = 1 << 3 | 2;
pub(crate) const ANY_VALUE_TAG: u8 = 2 << 3 | 2;

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
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
/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z.
const TIMESTAMP_SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
/// About 10,000 years.
const DURATION_SECONDS_MAX: i64 = 315_576_000_000;

/// Whether a message is one bare value in JSON.
pub(crate) fn is_wrapper(full_name: &str) -> bool {
    matches!(
        full_name.strip_prefix("google.protobuf."),
        Some(
            "DoubleValue"
                | "FloatValue"
                | "Int64Value"
                | "UInt64Value"
                | "Int32Value"
                | "UInt32Value"
                | "BoolValue"
                | "StringValue"
                | "BytesValue"
        )
    )
}

/// Whether one text can hold the message, in a path or a query.
pub(crate) fn is_text(full_name: &str) -> bool {
    matches!(full_name, TIMESTAMP | DURATION | FIELD_MASK) || is_wrapper(full_name)
}

/// Whether the message has a JSON form of its own; in an `Any` that form stands under `value`.
pub(crate) fn is_known(full_name: &str) -> bool {
    matches!(full_name, ANY | STRUCT | VALUE | LIST | EMPTY) || is_text(full_name)
}

/// A new message with these fields. Fails only where a schema has redefined a well-known type.
pub(crate) fn make(
    kind: &MessageDescriptor,
    fields: impl IntoIterator<Item = (u32, Value)>,
) -> Result<DynamicMessage, String> {
    let mut message = DynamicMessage::new(kind.clone());
    for (number, value) in fields {
        message
            .try_set_field_by_number(number, value)
            .map_err(|_| format!("the schema's {} is not the well-known one", kind.full_name()))?;
    }
    Ok(message)
}

/// A timestamp, duration or field mask from its text; `None` for other types.
pub(crate) fn from_text(kind: &MessageDescriptor, text: &str) -> Option<Result<DynamicMessage, String>> {
    let time = |parsed: Result<(i64, i32), String>| {
        let (seconds, nanos) = parsed?;
        make(kind, [(SECONDS, Value::I64(seconds)), (NANOS, Value::I32(nanos))])
    };
    match kind.full_name() {
        TIMESTAMP => Some(time(parse_timestamp(text.as_bytes()))),
        DURATION => Some(time(parse_duration(text))),
        FIELD_MASK => Some(parse_mask(text).and_then(|paths| {
            let paths = paths.into_iter().map(Value::String).collect();
            make(kind, [(PATHS, Value::List(paths))])
        })),
        _ => None,
    }
}

/// RFC 3339, with any offset; seconds since the epoch and nanoseconds.
pub(crate) fn parse_timestamp(text: &[u8]) -> Result<(i64, i32), String> {
    let malformed = || "not a timestamp as in 2026-01-31T10:00:00.5Z".to_owned();
    let (date_time, rest) = text.split_first_chunk::<19>().ok_or_else(malformed)?;
    let [year, month, day, hour, minute, second] = date_and_time(date_time).ok_or_else(malformed)?;
    let (nanos, end) = fraction(rest, 0).ok_or_else(malformed)?;
    let offset = match &rest[end..] {
        b"Z" => 0,
        offset => offset_seconds(offset).ok_or_else(malformed)?,
    };
    let valid = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
    if !valid || hour > 23 || minute > 59 || second > 59 {
        return Err("no such date or time".to_owned());
    }
    let seconds = days_from_civil(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second - offset;
    if !TIMESTAMP_SECONDS.contains(&seconds) {
        return Err("timestamp is not between year 1 and year 9999".to_owned());
    }
    Ok((seconds, nanos))
}

/// Year, month, day, hour, minute and second of `2026-01-31T10:00:00`, in digits that may be no date.
#[inline]
fn date_and_time(text: &[u8; 19]) -> Option<[i64; 6]> {
    let (date, time) = (text.first_chunk()?, text.last_chunk()?);
    let between = text[8..].first_chunk()?;
    let date = numbers(date, b"0000-00-")?;
    let day = numbers(between, b"00T00:00")?[0];
    let time = numbers(time, b"00:00:00")?;
    let year = i64::from(date[0]) * 100 + i64::from(date[2]);
    Some([
        year,
        date[5].into(),
        day.into(),
        time[0].into(),
        time[3].into(),
        time[6].into(),
    ])
}

/// At each place the number whose two digits begin there, if the text is as the pattern but for its zeros.
#[inline]
fn numbers(text: &[u8; 8], pattern: &[u8; 8]) -> Option<[u8; 8]> {
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    // A digit becomes its value, anything else of the pattern zero; more than that carries into the top bit.
    let values = u64::from_le_bytes(*text) ^ u64::from_le_bytes(*pattern);
    let room = u64::from_le_bytes(pattern.map(|byte| if byte == b'0' { 0x7f - 9 } else { 0x7f }));
    let is_like = (values.wrapping_add(room) | values) & HIGHS == 0;
    is_like.then(|| (values * 10 + (values >> 8)).to_le_bytes())
}

/// The offset from UTC, as `+02:00`.
fn offset_seconds(text: &[u8]) -> Option<i64> {
    let [sign @ (b'+' | b'-'), _, _, b':', _, _] = text else {
        return None;
    };
    let (hours, minutes) = (number_at(text, 1, 2)?, number_at(text, 4, 2)?);
    let seconds = hours * 3600 + minutes * 60;
    let is_valid = hours < 24 && minutes < 60;
    is_valid.then_some(if *sign == b'-' { -seconds } else { seconds })
}

/// RFC 3339 in UTC with 0, 3, 6 or 9 digits, in quotes; `None` out of range.
pub(crate) fn timestamp(seconds: i64, nanos: i32) -> Option<Short> {
    if !TIMESTAMP_SECONDS.contains(&seconds) || !(0..NANOS_PER_SECOND).contains(&nanos.into()) {
        return None;
    }
    let of_day = seconds.rem_euclid(SECONDS_PER_DAY) as u32;
    let (year, month, day) = civil_from_days(seconds.div_euclid(SECONDS_PER_DAY));
    let date = write::eight(year * 10_000 + month * 100 + day);
    let time = write::eight(of_day / 3_600 * 10_000 + of_day / 60 % 60 * 100 + of_day % 60);
    let mut text = *b"\"0000-00-00T00:00:00.000000000Z\"";
    text[1..5].copy_from_slice(&date[..4]);
    text[6..8].copy_from_slice(&date[4..6]);
    text[9..11].copy_from_slice(&date[6..]);
    text[12..14].copy_from_slice(&time[2..4]);
    text[15..17].copy_from_slice(&time[4..6]);
    text[18..20].copy_from_slice(&time[6..]);
    Some(with_fraction(text, 20, nanos.unsigned_abs(), *b"Z\""))
}

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

/// As in JSON, where paths are in lowerCamelCase only; as snake_case.
pub(crate) fn parse_json_mask(text: &str) -> Result<Vec<String>, String> {
    match text.split(',').find(|path| path.contains('_')) {
        Some(path) => Err(format!("{path:?} is not a field path in lowerCamelCase")),
        None => parse_mask(text),
    }
}

/// As in a path or a query: paths joined by commas, in lowerCamelCase or snake_case; as snake_case.
pub(crate) fn parse_mask(text: &str) -> Result<Vec<String>, String> {
    let paths = text.split(',').filter(|_| !text.is_empty());
    paths
        .map(|path| {
            let snake = to_snake(path);
            let is_written = path
                .bytes()
                .all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\'));
            let is_path = is_written && path.split('.').all(|name| !name.is_empty());
            match to_camel(&snake).filter(|camel| is_path && to_snake(camel) == snake) {
                Some(_) => Ok(snake),
                None => Err(format!("{path:?} is not a field path")),
            }
        })
        .collect()
}

fn to_snake(camel: &str) -> String {
    let mut snake = String::with_capacity(camel.len() + 4);
    for letter in camel.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// Puts the lowerCamelCase of a snake_case path; `None` if it could not be read back.
pub(crate) fn put_camel(mut put: impl FnMut(u8), snake: &[u8]) -> Option<()> {
    let mut letters = snake.iter();
    while let Some(letter) = letters.next() {
        match letter {
            b'_' => put(letters
                .next()
                .filter(|next| next.is_ascii_lowercase())?
                .to_ascii_uppercase()),
            b'A'..=b'Z' => return None,
            _ => put(*letter),
        }
    }
    Some(())
}

/// lowerCamelCase of a snake_case path; `None` if it could not be read back.
fn to_camel(snake: &str) -> Option<String> {
    let mut camel = Vec::with_capacity(snake.len());
    put_camel(|letter| camel.push(letter), snake.as_bytes())?;
    String::from_utf8(camel).ok()
}

fn number_at(bytes: &[u8], from: usize, count: usize) -> Option<i64> {
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
fn fraction(bytes: &[u8], at: usize) -> Option<(i32, usize)> {
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
fn with_fraction(mut text: [u8; 32], at: usize, nanos: u32, end: [u8; 2]) -> Short {
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

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the Gregorian calendar, of a year from 0 on. Years are counted from March, so that the leap
/// day comes last, and 400 years more, so that there is nothing below zero.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let (from_march, year) = if month <= 2 {
        (month + 9, year + 399)
    } else {
        (month - 3, year + 400)
    };
    let (from_march, year) = (from_march as u32, year as u32);
    let day_of_year = (153 * from_march + 2) / 5 + day as u32 - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year;
    i64::from(days) - (719_468 + 146_097)
}

/// The inverse of [`days_from_civil`], from year 1 on.
fn civil_from_days(days: i64) -> (u32, u32, u32) {
    // Not negative: year 1 begins 719,162 days before 1970.
    let days = (days + 719_468) as u32;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (era * 400 + year_of_era + u32::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without the quotes.
    fn shown(text: Option<Short>) -> Option<String> {
        let text = text?;
        String::from_utf8(text.bytes[1..text.length - 1].to_vec()).ok()
    }

    #[test]
    fn timestamps() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some("1970-01-01T00:00:00Z")),
            ("1972-01-01T10:00:20.021+02:00", Some("1972-01-01T08:00:20.021Z")),
            ("2016-12-15T12:23:32.000000049Z", Some("2016-12-15T12:23:32.000000049Z")),
            ("2016-12-15T12:23:32.00004Z", Some("2016-12-15T12:23:32.000040Z")),
            ("0001-01-01T00:00:00Z", Some("0001-01-01T00:00:00Z")),
            ("9999-12-31T23:59:59.999999999Z", Some("9999-12-31T23:59:59.999999999Z")),
            ("2024-02-29T00:00:00-00:30", Some("2024-02-29T00:30:00Z")),
            ("1969-12-31T23:59:59.5Z", Some("1969-12-31T23:59:59.500Z")),
            ("0000-01-01T00:00:00Z", None),
            ("0001-01-01T00:00:00+00:01", None),
            ("9999-12-31T23:59:60Z", None),
            ("9999-12-31T23:59:59-00:01", None),
            ("2020-02-30T00:00:00Z", None),
            ("2023-02-29T00:00:00Z", None),
            ("2020-01-01t00:00:00Z", None),
            ("2020-01-01T00:00:00z", None),
            ("2020-01-01T00:00:00", None),
            ("2020-01-01T00:00:00.Z", None),
            ("2020-01-01T00:00:00.0000000001Z", None),
            ("2020-01-01T00:00:00+24:00", None),
            ("2020-01-01T24:00:00Z", None),
            ("2020-01-01", None),
            ("0000-12-31T23:59:59-00:01", Some("0001-01-01T00:00:59Z")),
            (
                "2020-01-01T00:00:00.123456789+23:59",
                Some("2019-12-31T00:01:00.123456789Z"),
            ),
            ("2020-01-01T00:00:00+00:60", None),
            ("2020-01-01T00:00:00+0:000", None),
            ("2020-01-01T00:00:00+00-00", None),
            ("2020-01-01T00:00:00.1234567890Z", None),
            ("2020-01-01T00:00:00ZZ", None),
            ("null", None),
            ("", None),
        ] {
            let parsed = parse_timestamp(text.as_bytes())
                .ok()
                .and_then(|(seconds, nanos)| shown(timestamp(seconds, nanos)));
            assert_eq!(parsed.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_timestamp_is_refused_with_any_byte_changed_to_no_digit() {
        let text = b"2019-10-11T12:13:14.5Z";
        assert!(parse_timestamp(text).is_ok());
        for at in 0..text.len() {
            for byte in (0..=u8::MAX).filter(|byte| !byte.is_ascii_digit() && *byte != text[at]) {
                let mut other = *text;
                other[at] = byte;
                assert!(parse_timestamp(&other).is_err(), "{byte} at {at}");
            }
        }
    }

    #[test]
    fn every_day_there_and_back() {
        let mut days = days_from_civil(1, 1, 1);
        for year in [1, 4, 100, 400, 1600, 1899, 1900, 1970, 2000, 2023, 2024, 2100, 9999] {
            for month in 1..=12 {
                for day in 1..=days_in_month(year, month) {
                    let number = days_from_civil(year, month, day);
                    assert!(number >= days, "{year}-{month}-{day}");
                    assert_eq!(civil_from_days(number), (year as u32, month as u32, day as u32));
                    days = number;
                }
            }
        }
        assert_eq!(days_from_civil(1970, 1, 1), 0);
    }

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

    #[test]
    fn masks() {
        for (text, expected) in [
            ("", Some(vec![])),
            ("fooBar,baz.quxQuux", Some(vec!["foo_bar", "baz.qux_quux"])),
            ("foo_bar", Some(vec!["foo_bar"])),
            ("a,,b", None),
            // What cannot be written is not read either.
            ("a\u{7f}", None),
            ("a\u{8}b", None),
            ("caf\u{e9}", None),
            ("a\"b", None),
            ("a..b", None),
            ("foo__bar", None),
            ("foo_3", None),
            ("foo_", None),
        ] {
            let parsed = parse_mask(text).ok();
            assert_eq!(
                parsed,
                expected.map(|paths| paths.into_iter().map(str::to_owned).collect()),
                "{text}"
            );
        }
        assert_eq!(to_camel("foo_bar.baz").as_deref(), Some("fooBar.baz"));
        assert_eq!(to_camel("fooBar"), None);
    }
}
