//! Percent-decoding, once: of path segments, of multi-segment captures, and of queries.

use std::borrow::Cow;
use std::cmp::Ordering;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// All but the unreserved characters of RFC 3986 and `/`: what is escaped in a `Location`.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// What stays escaped in a value that can hold a `/`.
pub(crate) const SLASH: &[u8] = b"/";
/// The reserved characters of RFC 6570.
pub(crate) const RESERVED: &[u8] = b"!#$&'()*+,/:;=?@[]";

/// Whether every `%` is followed by two hexadecimal digits.
pub(crate) fn is_well_formed(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    percents(bytes).all(|at| is_digit(at + 1) && is_digit(at + 2))
}

fn percents(bytes: &[u8]) -> impl Iterator<Item = usize> + '_ {
    bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'%')
        .map(|(at, _)| at)
}

/// Decodes everything; `None` for a malformed escape or what is not UTF-8 afterwards.
pub(crate) fn decode_all(text: &str) -> Option<Cow<'_, str>> {
    if !is_well_formed(text) {
        return None;
    }
    percent_decode_str(text).decode_utf8().ok()
}

/// Decodes everything but the escapes of `kept`, which stay as they came.
pub(crate) fn decode_but<'t>(text: &'t str, kept: &[u8]) -> Option<Cow<'t, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = find_escape(rest, kept) {
        decoded.push_str(&decode_all(&rest[..at])?);
        decoded.push_str(&rest[at..at + 3]);
        rest = &rest[at + 3..];
    }
    decoded.push_str(&decode_all(rest)?);
    Some(Cow::Owned(decoded))
}

/// Where the first escape of one of `kept` stands.
fn find_escape(text: &str, kept: &[u8]) -> Option<usize> {
    let bytes = text.as_bytes();
    let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
    let escaped = |at: usize| Some(digit(at + 1)? * 16 + digit(at + 2)?);
    percents(bytes).find(|at| escaped(*at).is_some_and(|byte| kept.iter().any(|kept| u32::from(*kept) == byte)))
}

/// Decodes one name or value of a query, where `+` is a space unless it is to stay.
pub(crate) fn decode_query(text: &str, plus_literal: bool) -> Option<Cow<'_, str>> {
    if plus_literal || !text.contains('+') {
        return decode_all(text);
    }
    decode_all(&text.replace('+', " ")).map(|decoded| Cow::Owned(decoded.into_owned()))
}

/// Escapes a resource name for use as a path; `/` stays.
pub(crate) fn encode_path(text: &str) -> String {
    utf8_percent_encode(text, PATH).to_string()
}

/// Compares the decoded form of a well-formed raw segment with a literal, without building it.
pub(crate) fn cmp_decoded(raw: &str, literal: &str) -> Ordering {
    if raw.contains('%') {
        percent_decode_str(raw).cmp(literal.bytes())
    } else {
        raw.cmp(literal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_once() {
        for (text, all, but_slash) in [
            ("", Some(""), Some("")),
            ("a%20b", Some("a b"), Some("a b")),
            ("%2541", Some("%41"), Some("%41")),
            ("ok%2fwith%2Fspace", Some("ok/with/space"), Some("ok%2fwith%2Fspace")),
            ("%252F", Some("%2F"), Some("%2F")),
            ("%c3%a9%2f%c3%a9", Some("é/é"), Some("é%2fé")),
            ("a+b", Some("a+b"), Some("a+b")),
            ("%zz", None, None),
            ("%2", None, None),
            ("%", None, None),
            ("%ff", None, None),
            ("%2F%zz", None, None),
        ] {
            assert_eq!(decode_all(text).as_deref(), all, "{text}");
            assert_eq!(decode_but(text, SLASH).as_deref(), but_slash, "{text}");
        }
    }

    #[test]
    fn decodes_queries() {
        for (text, spaces, literal) in [
            ("Hello+world", Some("Hello world"), Some("Hello+world")),
            ("%2B+%20", Some("+  "), Some("++ ")),
            ("%", None, None),
        ] {
            assert_eq!(decode_query(text, false).as_deref(), spaces, "{text}");
            assert_eq!(decode_query(text, true).as_deref(), literal, "{text}");
        }
    }

    #[test]
    fn compares_decoded() {
        for (raw, literal, expected) in [
            ("a", "a", Ordering::Equal),
            ("%7E", "~", Ordering::Equal),
            ("%7e", "~", Ordering::Equal),
            ("%61b", "ab", Ordering::Equal),
            ("a", "b", Ordering::Less),
            ("%62", "a", Ordering::Greater),
        ] {
            assert_eq!(cmp_decoded(raw, literal), expected, "{raw}");
        }
    }

    #[test]
    fn encodes_paths() {
        assert_eq!(encode_path("users/7/a b?#é:"), "users/7/a%20b%3F%23%C3%A9%3A");
    }
}
