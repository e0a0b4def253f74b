//! `google.protobuf.Timestamp`: a point in time as RFC 3339 writes it.

use std::ops::RangeInclusive;

use super::seconds::{NANOS_PER_SECOND, fraction, number_at, with_fraction};
use crate::codec::write::{self, Short};

const SECONDS_PER_DAY: i64 = 86_400;
/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z.
const TIMESTAMP_SECONDS: RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

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

/// The inverse of [`days_from_civil`], from year 1 on. Each division is by a constant or of what one has left over, and so
/// a multiplication (Neri and Schneider, Euclidean affine functions and their application to calendar algorithms, 2022).
fn civil_from_days(days: i64) -> (u32, u32, u32) {
    // Not negative: year 1 begins 719,162 days before 1970. In quarters of a day a year has a whole number of them.
    let quarters = 4 * (days + 719_468) as u32 + 3;
    let (century, of_century) = (quarters / 146_097, (quarters % 146_097) | 3);
    // By 1,461 quarters a year, as a fraction of 2^32.
    let years = 2_939_745 * u64::from(of_century);
    let (year_of_century, day_of_year) = ((years >> 32) as u32, years as u32 / 2_939_745 / 4);
    // From March on, by 153 days of five months, as a fraction of 2^16.
    let months = 2_141 * day_of_year + 197_913;
    let (month, day) = (months >> 16, (months & 0xffff) / 2_141 + 1);
    // January and February, counted as the 13th and 14th month of the year before.
    let is_next = day_of_year >= 306;
    let year = century * 100 + year_of_century + u32::from(is_next);
    (year, if is_next { month - 12 } else { month }, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::known::seconds::shown;

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
        for year in 1..=9999 {
            for month in 1..=12 {
                for day in 1..=days_in_month(year, month) {
                    assert_eq!(days_from_civil(year, month, day), days, "{year}-{month}-{day}");
                    assert_eq!(civil_from_days(days), (year as u32, month as u32, day as u32));
                    days += 1;
                }
            }
        }
        assert_eq!(days_from_civil(1970, 1, 1), 0);
    }
}
