//! The deadline of a call, in the header `grpc-timeout` and as a point in time.
//!
//! A caller sets one with `tonic::Request::set_timeout`; without it a unary call gets the client's default, and a
//! stream of answers none.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;
use tonic::Status;

/// The header that says how much time the server has left.
pub(crate) const GRPC_TIMEOUT: &str = "grpc-timeout";

/// More digits than this are not allowed in the header.
const DIGITS_MAX: usize = 8;

/// Seconds, minutes, hours and their parts, finest first, with their length in nanoseconds.
const UNITS: [(char, u128); 6] = [
    ('n', 1),
    ('u', 1_000),
    ('m', 1_000_000),
    ('S', 1_000_000_000),
    ('M', 60_000_000_000),
    ('H', 3_600_000_000_000),
];

/// The time that the caller of this request gives it.
pub(crate) fn requested(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
    let Some(value) = headers.get(GRPC_TIMEOUT) else {
        return Ok(None);
    };
    let timeout = value.to_str().ok().and_then(parse);
    match timeout {
        Some(timeout) => Ok(Some(timeout)),
        None => Err(Status::invalid_argument(format!(
            "metadata `{GRPC_TIMEOUT}`: not a timeout: {value:?}"
        ))),
    }
}

/// The header's value for the time left; `None` when there is none.
pub(crate) fn header(deadline: Instant, now: Instant) -> Option<HeaderValue> {
    let left = deadline.checked_duration_since(now).filter(|left| !left.is_zero())?;
    HeaderValue::try_from(format(left)).ok()
}

/// The failure of a call whose time is over.
pub(crate) fn exceeded() -> Status {
    Status::deadline_exceeded("the deadline passed before the answer was complete")
}

/// Reads a `grpc-timeout`: one to eight digits and a unit.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > DIGITS_MAX || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let (_, nanos) = UNITS.iter().find(|(letter, _)| unit.starts_with(*letter))?;
    let total = digits.parse::<u128>().ok()? * nanos;
    let seconds = u64::try_from(total / 1_000_000_000).ok()?;
    let rest = u32::try_from(total % 1_000_000_000).ok()?;
    Some(Duration::new(seconds, rest))
}

/// Writes the finest `grpc-timeout` that fits; never longer than the time left.
fn format(left: Duration) -> String {
    const AMOUNT_MAX: u128 = 99_999_999;
    let nanos = left.as_nanos();
    let fits = UNITS.iter().find(|(_, unit)| nanos / unit <= AMOUNT_MAX);
    match fits {
        Some((letter, unit)) => format!("{}{letter}", nanos / unit),
        None => format!("{AMOUNT_MAX}H"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_protocol_allows() {
        let cases = [
            ("1n", Some(Duration::from_nanos(1))),
            ("250u", Some(Duration::from_micros(250))),
            ("1500m", Some(Duration::from_millis(1_500))),
            ("0S", Some(Duration::ZERO)),
            ("2M", Some(Duration::from_secs(120))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3_600))),
            ("", None),
            ("m", None),
            ("5", None),
            ("5s", None),
            ("+5S", None),
            ("1.5S", None),
            ("123456789m", None),
            ("5é", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }

    #[test]
    fn writes_the_finest_unit_that_fits_and_reads_it_back() {
        let cases = [
            (Duration::from_nanos(99_999_999), "99999999n"),
            (Duration::from_millis(100), "100000u"),
            (Duration::from_secs(5), "5000000u"),
            (Duration::from_secs(100_000), "100000S"),
            (Duration::from_secs(1_000_000_000), "16666666M"),
            (Duration::MAX, "99999999H"),
        ];
        for (left, expected) in cases {
            assert_eq!(format(left), expected);
            assert!(parse(expected).unwrap() <= left);
        }
    }

    #[test]
    fn nothing_left_is_no_header() {
        let now = Instant::now();
        assert_eq!(header(now, now), None);
        assert_eq!(header(now + Duration::from_millis(1), now).unwrap(), "1000000n");
    }
}
