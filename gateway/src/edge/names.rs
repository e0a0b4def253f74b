//! What the names of a request's headers are to the edge and the doors. Each name is looked at once, and what a request
//! does not carry, which is most of it, is not searched for afterwards: a look-up hashes its name whether the header is
//! there or not.

use http::HeaderMap;

use crate::edge::claims::{dashed, is_claim};
use crate::edge::forwarding::is_forwarding;
use crate::edge::headers::is_untrusted;

/// Which of the headers that the edge and the doors read or remove a request carries. Who removes one leaves it as it is:
/// what is noted here is there, or was. One number, because it is part of a call's future: a struct of several fields
/// there has all that lies before it moved with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Names(u32);

impl Names {
    pub(super) const CONNECTION: u32 = 1;
    pub(super) const HOST: u32 = 1 << 1;
    pub(super) const ORIGIN: u32 = 1 << 2;
    pub(super) const REQUEST_ID: u32 = 1 << 3;
    pub(super) const TRACEPARENT: u32 = 1 << 4;
    pub(super) const TRACESTATE: u32 = 1 << 5;
    pub(super) const TRANSFER_ENCODING: u32 = 1 << 6;
    pub(super) const X_FORWARDED_FOR: u32 = 1 << 7;
    /// Any that only a trusted hop may set.
    pub(super) const OF_TRUSTED_HOPS: u32 = 1 << 8;
    /// Any that is given more than once.
    pub(super) const REPEATED: u32 = 1 << 9;
    pub(crate) const ACCEPT: u32 = 1 << 10;
    pub(crate) const CONTENT_TYPE: u32 = 1 << 11;
    pub(crate) const CONTENT_ENCODING: u32 = 1 << 12;
    /// Any condition on a change that nothing here can check.
    pub(crate) const CONDITION: u32 = 1 << 13;
    /// Any of [`deadline::HEADERS`](crate::deadline::HEADERS).
    pub(crate) const TIMEOUT: u32 = 1 << 14;
    pub(crate) const TE: u32 = 1 << 15;
    pub(crate) const EXPECT: u32 = 1 << 16;
    pub(crate) const IDEMPOTENCY_KEY: u32 = 1 << 17;
    pub(crate) const LAST_EVENT_ID: u32 = 1 << 18;

    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let is_repeated = headers.len() > headers.keys_len();
        let mut names = u32::from(is_repeated) * Self::REPEATED;
        for name in headers.keys() {
            names |= match name.as_str() {
                "te" => Self::TE,
                "host" => Self::HOST,
                "accept" => Self::ACCEPT,
                "expect" => Self::EXPECT,
                "content-type" => Self::CONTENT_TYPE,
                "content-encoding" => Self::CONTENT_ENCODING,
                "last-event-id" => Self::LAST_EVENT_ID,
                "idempotency-key" => Self::IDEMPOTENCY_KEY,
                "grpc-timeout" | "request-timeout" | "x-server-timeout" => Self::TIMEOUT,
                "if-match" | "if-none-match" | "if-unmodified-since" => Self::CONDITION,
                "origin" => Self::ORIGIN,
                "connection" => Self::CONNECTION,
                "tracestate" => Self::TRACESTATE,
                "traceparent" => Self::TRACEPARENT,
                "x-request-id" => Self::REQUEST_ID,
                "transfer-encoding" => Self::TRANSFER_ENCODING,
                "x-forwarded-for" => Self::X_FORWARDED_FOR | Self::OF_TRUSTED_HOPS,
                name => u32::from(is_of_trusted_hops(name)) * Self::OF_TRUSTED_HOPS,
            };
        }
        Self(names)
    }

    /// Whether any of these is there.
    pub(crate) fn have(self, any: u32) -> bool {
        self.0 & any != 0
    }
}

/// Whether only a trusted hop may set a header (its name in lower case).
pub(crate) fn is_of_trusted_hops(name: &str) -> bool {
    // No such name begins with another letter: that alone tells most headers of a call.
    let [
        b'a' | b'c' | b'd' | b'f' | b'g' | b'i' | b'r' | b's' | b't' | b'v' | b'w' | b'x',
        ..,
    ] = name.as_bytes()
    else {
        return false;
    };
    let said = dashed(name);
    is_untrusted(name) || is_forwarding(&said) || is_claim(&said)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue, header};
    use proptest::prelude::*;

    use super::*;
    use crate::deadline;
    use crate::rest::{CONDITIONS, IDEMPOTENCY_KEY, LAST_EVENT_ID};

    fn headers(names: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for name in names {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("1"));
        }
        headers
    }

    #[test]
    fn what_a_request_carries_is_noted() {
        let none = Names::of(&headers(&["user-agent", "x-api-key", "content-length", "cookie"]));
        assert_eq!(none, Names::of(&HeaderMap::new()));
        let all = Names::of(&headers(&[
            "connection",
            "host",
            "host",
            "origin",
            "x-request-id",
            "traceparent",
            "tracestate",
            "transfer-encoding",
            "x-forwarded-for",
            "accept",
            "content-type",
            "content-encoding",
            "if-match",
            "request-timeout",
            "te",
            "expect",
            "idempotency-key",
            "last-event-id",
        ]));
        for bit in 0..19 {
            assert!(all.have(1 << bit) && !none.have(1 << bit), "{bit}");
        }
    }

    #[test]
    fn every_header_that_the_doors_read_is_noted_and_is_a_callers() {
        let conditions = CONDITIONS.map(|name| (name, Names::CONDITION));
        let timeouts = deadline::HEADERS.map(|name| (name, Names::TIMEOUT));
        let others = [
            (header::ACCEPT, Names::ACCEPT),
            (header::CONTENT_TYPE, Names::CONTENT_TYPE),
            (header::CONTENT_ENCODING, Names::CONTENT_ENCODING),
            (header::TE, Names::TE),
            (header::EXPECT, Names::EXPECT),
            (IDEMPOTENCY_KEY, Names::IDEMPOTENCY_KEY),
            (LAST_EVENT_ID, Names::LAST_EVENT_ID),
        ];
        for (name, bit) in conditions.into_iter().chain(timeouts).chain(others) {
            assert!(!is_of_trusted_hops(name.as_str()), "{name}");
            let headers = HeaderMap::from_iter([(name, HeaderValue::from_static(""))]);
            assert_eq!(Names::of(&headers), Names(bit), "{headers:?}");
        }
    }

    #[test]
    fn one_header_that_only_a_trusted_hop_may_set_is_enough() {
        for name in [
            "x-forwarded-for",
            "x_forwarded_for",
            "forwarded",
            "via",
            "true-client-ip",
            "x-envoy-peer",
            "x-millrace-user",
            "x_millrace_user",
            "grpc-status",
            "grpc_status",
            "cf_connecting_ip",
            "x-real-ip",
            "ssl-client-cert",
        ] {
            let names = Names::of(&headers(&["accept", name, "x-api-key"]));
            assert!(
                names.have(Names::OF_TRUSTED_HOPS) && !names.have(Names::REPEATED),
                "{name}"
            );
        }
    }

    proptest! {
        #[test]
        fn the_first_letter_hides_no_name(name in "[a-z_-]{0,4}(forwarded|via|x-real-ip|grpc-status|client-ip|-)[a-z-]{0,4}") {
            let said = dashed(&name);
            let expected = is_untrusted(&name) || is_forwarding(&said) || is_claim(&said);
            prop_assert_eq!(is_of_trusted_hops(&name), expected);
        }
    }
}
