//! The deadline of a REST call: the smallest of `Grpc-Timeout`, `Request-Timeout` and `X-Server-Timeout`, counted from
//! the head of the request. The gateway enforces it while the body comes in; what is left then is handed on as
//! `grpc-timeout`, for the layer inside, which is the same for every door.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

/// gRPC's own header: up to eight digits and a unit.
pub(crate) const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// All that [`from_headers`] reads: gRPC's own, and two of decimal seconds.
pub(crate) const HEADERS: [HeaderName; 3] = [
    GRPC_TIMEOUT,
    HeaderName::from_static("request-timeout"),
    HeaderName::from_static("x-server-timeout"),
];

/// A header that does not say a time.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("header `{header}` is malformed: expected {expected}")]
pub(crate) struct DeadlineError {
    /// The header's name, in lower case.
    pub(crate) header: String,
    /// What would be right.
    pub(crate) expected: &'static str,
}

/// The smallest time that the headers give, `None` without any.
pub(crate) fn from_headers(headers: &HeaderMap) -> Result<Option<Duration>, DeadlineError> {
    let [grpc, request, server] = HEADERS;
    let grpc = read(
        headers,
        &grpc,
        parse_grpc,
        "1 to 8 digits and one of H, M, S, m, u, n, as in `500m`",
    )?;
    let request = read(headers, &request, parse_seconds, "decimal seconds, as in `1.5`")?;
    let server = read(headers, &server, parse_seconds, "decimal seconds, as in `1.5`")?;
    Ok([grpc, request, server].into_iter().flatten().min())
}

/// Writes a time as `grpc-timeout`, rounded up to the finest unit that holds it in eight digits.
pub(crate) fn to_grpc(timeout: Duration) -> HeaderValue {
    const DIGITS_MAX: u64 = 99_999_999;
    let nanos = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
    let units = [
        (1, b'n'),
        (1_000, b'u'),
        (1_000_000, b'm'),
        (1_000_000_000, b'S'),
        (60_000_000_000, b'M'),
    ];
    let counts = units.into_iter().map(|(unit, letter)| (nanos.div_ceil(unit), letter));
    let found = counts.into_iter().find(|(count, _)| *count <= DIGITS_MAX);
    let (mut count, letter) = found.unwrap_or((DIGITS_MAX, b'M'));
    let mut text = [0; 9];
    let mut start = text.len() - 1;
    text[start] = letter;
    loop {
        start -= 1;
        text[start] = b'0' + (count % 10) as u8;
        count /= 10;
        if count == 0 {
            break;
        }
    }
    HeaderValue::from_bytes(&text[start..]).unwrap_or_else(|_| HeaderValue::from_static("99999999M"))
}

/// The smallest value of one header, which may be there more than once.
fn read(
    headers: &HeaderMap,
    name: &HeaderName,
    parse: fn(&str) -> Option<Duration>,
    expected: &'static str,
) -> Result<Option<Duration>, DeadlineError> {
    let mut smallest: Option<Duration> = None;
    for value in headers.get_all(name) {
        let timeout = value.to_str().ok().and_then(parse).ok_or_else(|| DeadlineError {
            header: name.to_string(),
            expected,
        })?;
        smallest = Some(smallest.map_or(timeout, |other| other.min(timeout)));
    }
    Ok(smallest)
}

/// Reads a `grpc-timeout`, `TimeoutValue TimeoutUnit` of the gRPC protocol: one to eight digits and one of H, M, S, m,
/// u, n.
pub fn parse_grpc(text: &str) -> Option<Duration> {
    let unit = text.chars().next_back()?;
    let digits = text.strip_suffix(unit)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        'H' => Duration::from_secs(count * 3600),
        'M' => Duration::from_secs(count * 60),
        'S' => Duration::from_secs(count),
        'm' => Duration::from_millis(count),
        'u' => Duration::from_micros(count),
        'n' => Duration::from_nanos(count),
        _ => return None,
    })
}

/// Digits, with at most nine more after a point.
fn parse_seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str, max: usize| (1..=max).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole, 9) || !digits(fraction, 9) {
        return None;
    }
    let nanos: u32 = format!("{fraction:0<9}").parse().ok()?;
    Some(Duration::new(whole.parse().ok()?, nanos))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_header_has_its_own_notation() {
        let millis = |n| Ok(Some(Duration::from_millis(n)));
        let table = [
            ("grpc-timeout", "500m", millis(500)),
            ("grpc-timeout", "2S", millis(2_000)),
            ("grpc-timeout", "1H", millis(3_600_000)),
            (
                "grpc-timeout",
                "99999999H",
                Ok(Some(Duration::from_secs(99_999_999 * 3600))),
            ),
            ("request-timeout", "3", millis(3_000)),
            ("request-timeout", "0.25", millis(250)),
            ("x-server-timeout", "1.5", millis(1_500)),
            ("grpc-timeout", "0n", millis(0)),
        ];
        for (header, value, expected) in table {
            let headers = HeaderMap::from_iter([(HeaderName::from_static(header), HeaderValue::from_static(value))]);
            assert_eq!(from_headers(&headers), expected, "{header}: {value}");
        }
        let malformed = [
            (
                "grpc-timeout",
                vec!["", "5", "S", "123456789S", "-1S", "1.5S", "5s", "5 S", "+5S"],
            ),
            (
                "request-timeout",
                vec![
                    "",
                    "abc",
                    "-1",
                    "1s",
                    "1e3",
                    ".5",
                    "1.",
                    "1.2.3",
                    "NaN",
                    "inf",
                    "9999999999",
                ],
            ),
            ("x-server-timeout", vec!["", "five", "0x10"]),
        ];
        for (header, values) in malformed {
            for value in values {
                let headers =
                    HeaderMap::from_iter([(HeaderName::from_static(header), HeaderValue::from_static(value))]);
                assert_eq!(from_headers(&headers).unwrap_err().header, header, "{value:?}");
            }
        }
    }

    #[test]
    fn the_smallest_wins_and_one_malformed_header_spoils_it() {
        let mut headers = HeaderMap::new();
        assert_eq!(from_headers(&headers), Ok(None));
        headers.append("request-timeout", HeaderValue::from_static("3"));
        headers.append("request-timeout", HeaderValue::from_static("2"));
        headers.append("grpc-timeout", HeaderValue::from_static("1500m"));
        assert_eq!(from_headers(&headers), Ok(Some(Duration::from_millis(1_500))));
        headers.append("x-server-timeout", HeaderValue::from_static("x"));
        assert!(from_headers(&headers).is_err());
    }

    #[test]
    fn a_time_is_written_in_at_most_eight_digits() {
        let table = [
            (Duration::ZERO, "0n"),
            (Duration::from_nanos(1), "1n"),
            (Duration::from_millis(1), "1000000n"),
            (Duration::from_millis(250), "250000u"),
            (Duration::from_secs(5), "5000000u"),
            (Duration::from_secs(3_600), "3600000m"),
            (Duration::from_secs(999_999_999), "16666667M"),
            (Duration::MAX, "99999999M"),
        ];
        for (timeout, expected) in table {
            assert_eq!(to_grpc(timeout), expected);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_time_or_refused(text in ".*") {
            let _ = (parse_grpc(&text), parse_seconds(&text));
        }

        #[test]
        fn a_written_time_is_read_back_and_never_shorter(secs in 0..500_000_000_u64, nanos in 0..1_000_000_000_u32) {
            let timeout = Duration::new(secs, nanos);
            let read = parse_grpc(to_grpc(timeout).to_str().unwrap()).unwrap();
            prop_assert!(read >= timeout && read <= timeout + Duration::from_secs(60));
        }
    }
}
