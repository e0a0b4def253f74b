//! Gives each call its id: a sane `x-request-id` of the caller's, else a new one; echoed in every answer.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use smallvec::SmallVec;

use crate::call::X_REQUEST_ID;
use crate::edge::names::Names;
use crate::edge::trace;

/// Bytes of an id that is taken from outside.
const ID_BYTES_MAX: usize = 128;

/// Bytes of an id as [`hex_id`] makes it, and of a trace context.
const BOTH_BYTES: usize = 32 + 55;

/// An id of 32 hexadecimal digits, which is also the form of a trace id.
pub fn hex_id(random: u128) -> String {
    let mut text = Vec::with_capacity(32);
    // Truncation is what halves are made by.
    for half in [(random >> 64) as u64, random as u64] {
        text.extend_from_slice(&hex(half));
    }
    String::from_utf8(text).unwrap_or_default()
}

/// The digits of a number.
pub(super) fn hex(number: u64) -> [u8; 16] {
    // All at once: each half byte gets a byte of its own, the first digit in the highest.
    let spread = |half: u32| {
        let quarters = (u64::from(half) | u64::from(half) << 16) & 0x0000_ffff_0000_ffff;
        let bytes = (quarters | quarters << 8) & 0x00ff_00ff_00ff_00ff;
        let digits = (bytes | bytes << 4) & 0x0f0f_0f0f_0f0f_0f0f;
        // A digit from 10 on has its fifth bit set if 6 is added, and is a letter.
        let letters = ((digits + 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
        (digits + 0x3030_3030_3030_3030 + letters * u64::from(b'a' - b'9' - 1)).to_be_bytes()
    };
    let mut text = [0; 16];
    text[..8].copy_from_slice(&spread((number >> 32) as u32));
    text[8..].copy_from_slice(&spread(number as u32));
    text
}

/// The caller's id if it is sane; what is not is taken out of the headers. Of several the first counts, and is the only
/// one that goes on.
pub(super) fn taken_over(headers: &mut HeaderMap, names: Names) -> Option<HeaderValue> {
    if !names.have(Names::REQUEST_ID) {
        return None;
    }
    let sent = headers.remove(X_REQUEST_ID);
    let sane = sent.filter(|value| value.to_str().is_ok_and(is_sane))?;
    headers.insert(X_REQUEST_ID, sane.clone());
    Some(sane)
}

/// A drawn id, and a trace context of it, in one piece of memory, since a call mostly needs both. An id that is no header
/// value is the embedder's mistake; the call goes on without.
pub(super) fn drawn(id: &str) -> (Option<HeaderValue>, HeaderValue) {
    let mut both = SmallVec::<[u8; BOTH_BYTES]>::from_slice(id.as_bytes());
    both.extend_from_slice(&trace::made(id));
    let both = Bytes::from_owner(both);
    let (id, traceparent) = (both.slice(..id.len()), both.slice(id.len()..));
    (
        HeaderValue::from_maybe_shared(id).ok(),
        // Hexadecimal digits are fit for any header.
        HeaderValue::from_maybe_shared(traceparent).unwrap_or(HeaderValue::from_static("")),
    )
}

/// An id is echoed, logged and searched for: letters, digits and the punctuation of common id formats, nothing else.
fn is_sane(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@~".contains(&byte);
    (1..=ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_all_digits_of_its_number() {
        for number in [0, 1, 0xabc << 64, u128::MAX, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef] {
            assert_eq!(hex_id(number), format!("{number:032x}"));
        }
    }

    #[test]
    fn an_id_and_its_trace_context_lie_together() {
        for id in ["", "an-id", &hex_id(7), &"x".repeat(200)] {
            let (value, traceparent) = drawn(id);
            assert_eq!(
                (value.unwrap(), traceparent.as_bytes()),
                (id.parse().unwrap(), &trace::made(id)[..])
            );
        }
        let (value, traceparent) = drawn("a\nb");
        assert_eq!((value, traceparent.len()), (None, 55));
    }

    #[test]
    fn only_sane_ids_are_taken_over() {
        let longest = "x".repeat(ID_BYTES_MAX);
        for id in [
            "1",
            "0193b5c2-7d2e-7f00-8000-abcdef012345",
            "a.b:c/d+e=f@g~h_i",
            &longest,
        ] {
            assert!(is_sane(id), "{id}");
        }
        let too_long = "x".repeat(ID_BYTES_MAX + 1);
        for id in ["", "a b", "a\"b", "a\\b", "<b>", "a,b", "é", "a\tb", &too_long] {
            assert!(!is_sane(id), "{id}");
        }
    }
}
