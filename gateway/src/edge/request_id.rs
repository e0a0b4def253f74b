//! Gives each call its id: a sane `x-request-id` of the caller's, else a new one; echoed in every answer.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::edge::NewId;
use crate::edge::names::Names;

/// The header, on the way in and out.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Bytes of an id that is taken from outside.
const ID_BYTES_MAX: usize = 128;

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
    std::array::from_fn(|digit| b"0123456789abcdef"[(number >> (60 - 4 * digit)) as usize & 0xf])
}

/// The id of one call.
pub(super) struct Given {
    /// The id. One of the generator's that is no header value is the embedder's mistake; the call goes on without.
    pub(super) id: Option<HeaderValue>,
    /// Whether it was drawn here, and so is nobody else's.
    pub(super) is_new: bool,
}

/// Takes or draws the id of a call; the request's headers say it afterwards.
pub(super) fn give(headers: &mut HeaderMap, names: Names, new_id: &NewId) -> Given {
    let sent = names.have(Names::REQUEST_ID).then(|| headers.get(X_REQUEST_ID));
    let sane = sent
        .flatten()
        .filter(|value| value.to_str().is_ok_and(is_sane))
        .cloned();
    let is_new = sane.is_none();
    let id = sane.or_else(|| HeaderValue::try_from(new_id()).ok());
    match &id {
        Some(id) => headers.insert(X_REQUEST_ID, id.clone()),
        None => headers.remove(X_REQUEST_ID),
    };
    Given { id, is_new }
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
