//! Headers as bytes, for a request that may have to be sent again: what was sent is gone. To copy bytes costs less than
//! to clone a map, and nearly every copy is thrown away.

use http::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

/// Bytes of headers that need no memory of their own.
const INLINE_BYTES: usize = 512;

/// Copied headers.
pub(super) struct Copied {
    /// Names and values, one after the other.
    bytes: SmallVec<[u8; INLINE_BYTES]>,
    parts: SmallVec<[Part; 8]>,
}

/// One header.
struct Part {
    name_bytes: usize,
    value_bytes: usize,
    is_sensitive: bool,
}

impl Copied {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut copied = Self {
            bytes: SmallVec::new(),
            parts: SmallVec::new(),
        };
        for (name, value) in headers {
            copied.bytes.extend_from_slice(name.as_str().as_bytes());
            copied.bytes.extend_from_slice(value.as_bytes());
            copied.parts.push(Part {
                name_bytes: name.as_str().len(),
                value_bytes: value.len(),
                is_sensitive: value.is_sensitive(),
            });
        }
        copied
    }

    /// The headers again.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(self.parts.len() + 1);
        let mut rest = &self.bytes[..];
        for part in &self.parts {
            let (name, after) = rest.split_at(part.name_bytes);
            let (value, after) = after.split_at(part.value_bytes);
            rest = after;
            // They were a name and a value.
            if let (Ok(name), Ok(mut value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
                value.set_sensitive(part.is_sensitive);
                headers.append(name, value);
            }
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_as_they_were() {
        let mut headers = HeaderMap::new();
        for index in 0..30 {
            let name = HeaderName::try_from(format!("x-{}", index % 20)).unwrap();
            let mut value = HeaderValue::from_bytes(&vec![b'a' + index; usize::from(index) * 3]).unwrap();
            value.set_sensitive(index % 7 == 0);
            headers.append(name, value);
        }
        headers.append("authorization", HeaderValue::from_bytes(b"caf\xc3\xa9").unwrap());
        let again = Copied::of(&headers).headers();
        assert_eq!(again, headers);
        let sensitive = |headers: &HeaderMap| headers.values().filter(|value| value.is_sensitive()).count();
        assert_eq!(sensitive(&again), sensitive(&headers));
        assert!(Copied::of(&HeaderMap::new()).headers().is_empty());
    }
}
