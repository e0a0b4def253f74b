//! Which headers the door has to read: found in one pass over those that there are. Most requests have few, and none that
//! says anything to the door, while a look-up hashes its name whether the header is there or not.

use http::HeaderMap;

/// What a request has of the headers that the door reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen(u16);

/// A header, or several that are read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Known {
    Accept = 1,
    /// See [`CONDITIONS`](super::CONDITIONS).
    Condition = 1 << 1,
    /// See [`deadline`](crate::deadline).
    Timeout = 1 << 2,
    Te = 1 << 3,
    Expect = 1 << 4,
    IdempotencyKey = 1 << 5,
    LastEventId = 1 << 6,
    ContentEncoding = 1 << 7,
}

impl Seen {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let known = headers.keys().filter_map(|name| known(name.as_str()));
        Self(known.fold(0, |seen, known| seen | known as u16))
    }

    pub(super) fn has(self, known: Known) -> bool {
        self.0 & known as u16 != 0
    }
}

fn known(name: &str) -> Option<Known> {
    Some(match name {
        "accept" => Known::Accept,
        "if-match" | "if-none-match" | "if-unmodified-since" => Known::Condition,
        "grpc-timeout" | "request-timeout" | "x-server-timeout" => Known::Timeout,
        "te" => Known::Te,
        "expect" => Known::Expect,
        "idempotency-key" => Known::IdempotencyKey,
        "last-event-id" => Known::LastEventId,
        "content-encoding" => Known::ContentEncoding,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue, header};

    use super::super::CONDITIONS;
    use super::super::headers::{IDEMPOTENCY_KEY, LAST_EVENT_ID};
    use super::*;
    use crate::deadline;

    #[test]
    fn every_header_that_the_door_reads_is_seen() {
        let conditions = CONDITIONS.map(|name| (name, Known::Condition));
        let timeouts = deadline::HEADERS.map(|name| (name, Known::Timeout));
        let others = [
            (header::ACCEPT, Known::Accept),
            (header::TE, Known::Te),
            (header::EXPECT, Known::Expect),
            (IDEMPOTENCY_KEY, Known::IdempotencyKey),
            (LAST_EVENT_ID, Known::LastEventId),
            (header::CONTENT_ENCODING, Known::ContentEncoding),
        ];
        let none = [(HeaderName::from_static("x-other"), HeaderValue::from_static(""))];
        let none = HeaderMap::from_iter(none);
        for (name, known) in conditions.into_iter().chain(timeouts).chain(others) {
            let mut headers = none.clone();
            assert!(!Seen::of(&headers).has(known));
            headers.insert(name, HeaderValue::from_static(""));
            assert_eq!(Seen::of(&headers), Seen(known as u16));
        }
    }
}
