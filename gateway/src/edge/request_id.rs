//! Gives each call its id: a sane `x-request-id` of the caller's, else a new one; echoed in every answer.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use smallvec::SmallVec;

use crate::call::X_REQUEST_ID;
use crate::edge::names::Names;
use crate::edge::{NewId, trace};

/// Bytes of an id that is taken from outside.
const ID_BYTES_MAX: usize = 128;

/// Bytes of an id as [`hex_id`] makes it, and of a trace context.
const BOTH_BYTES: usize = 32 + 55;

/// An id of 32 hexadecimal digits, which is also the form of a trace id.
pub fn hex_id(random: u128) -> String {
    let mut text = String::with_capacity(32);
    // A string takes whatever is written.
    let _ = write_hex_id(random, &mut text);
    text
}

/// Writes 128 bits as 32 hexadecimal digits, which is also the form of a trace id.
///
/// # Errors
/// Those of `to`.
pub fn write_hex_id(random: u128, to: &mut dyn fmt::Write) -> fmt::Result {
    // Truncation is what halves are made by.
    for half in [(random >> 64) as u64, random as u64] {
        to.write_str(std::str::from_utf8(&hex(half)).unwrap_or_default())?;
    }
    Ok(())
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
pub(super) fn drawn(new_id: &NewId) -> (Option<HeaderValue>, HeaderValue) {
    let mut both = Drawn(SmallVec::new());
    let is_drawn = new_id(&mut both).is_ok();
    let Drawn(mut both) = both;
    let id_bytes = both.len();
    let traceparent = trace::made(&both);
    both.extend_from_slice(&traceparent);
    let both = Bytes::from_owner(both);
    let (id, traceparent) = (both.slice(..id_bytes), both.slice(id_bytes..));
    (
        HeaderValue::from_maybe_shared(id).ok().filter(|_| is_drawn),
        // Hexadecimal digits are fit for any header.
        HeaderValue::from_maybe_shared(traceparent).unwrap_or(HeaderValue::from_static("")),
    )
}

/// Where an id is written, with room for a trace context.
struct Drawn(SmallVec<[u8; BOTH_BYTES]>);

impl fmt::Write for Drawn {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// An id is echoed, logged and searched for: letters, digits and the punctuation of common id formats, nothing else.
fn is_sane(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@~".contains(&byte);
    (1..=ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn always(id: &str) -> NewId {
        let id = id.to_owned();
        Arc::new(move |to| to.write_str(&id))
    }

    #[test]
    fn an_id_has_all_digits_of_its_number() {
        for number in [0, 1, 0xabc << 64, u128::MAX, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef] {
            assert_eq!(hex_id(number), format!("{number:032x}"));
        }
    }

    #[test]
    fn an_id_and_its_trace_context_lie_together() {
        for id in ["", "an-id", &hex_id(7), &"x".repeat(200)] {
            let (value, traceparent) = drawn(&always(id));
            let value = value.unwrap();
            assert_eq!(
                (value.as_bytes(), traceparent.as_bytes()),
                (id.as_bytes(), &trace::made(id.as_bytes())[..])
            );
            let end = value.as_bytes().as_ptr_range().end;
            assert!(id.is_empty() || end == traceparent.as_bytes().as_ptr());
        }
    }

    #[test]
    fn a_call_whose_id_fails_or_is_no_value_of_a_header_has_none() {
        let failing: NewId = Arc::new(|_| Err(fmt::Error));
        for fails in [always("a\nb"), failing] {
            let (value, traceparent) = drawn(&fails);
            assert_eq!((value, traceparent.len()), (None, 55));
        }
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
