//! What the names of a request's headers are to the edge. Each name is looked at once, and what a request does not carry,
//! which is most of it, is not searched for afterwards.

use http::HeaderMap;

use crate::edge::claims::{dashed, is_claim};
use crate::edge::forwarding::is_forwarding;
use crate::edge::headers::is_untrusted;

/// Which of the headers that the edge reads or removes a request carries. Layers that remove one leave it as it is: what
/// is noted here is there, or was. One number, because it is part of a call's future: a struct of several fields there has
/// all that lies before it moved with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Names(u16);

impl Names {
    pub(super) const CONNECTION: u16 = 1;
    pub(super) const HOST: u16 = 1 << 1;
    pub(super) const ORIGIN: u16 = 1 << 2;
    pub(super) const REQUEST_ID: u16 = 1 << 3;
    pub(super) const TRACEPARENT: u16 = 1 << 4;
    pub(super) const TRACESTATE: u16 = 1 << 5;
    pub(super) const TRANSFER_ENCODING: u16 = 1 << 6;
    pub(super) const X_FORWARDED_FOR: u16 = 1 << 7;
    /// Any that only a trusted hop may set.
    pub(super) const OF_TRUSTED_HOPS: u16 = 1 << 8;
    /// Any that is given more than once.
    pub(super) const REPEATED: u16 = 1 << 9;

    pub(super) fn of(headers: &HeaderMap) -> Self {
        let is_repeated = headers.len() > headers.keys_len();
        let mut names = u16::from(is_repeated) * Self::REPEATED;
        for name in headers.keys() {
            names |= match name.as_str() {
                "host" => Self::HOST,
                "origin" => Self::ORIGIN,
                "connection" => Self::CONNECTION,
                "tracestate" => Self::TRACESTATE,
                "traceparent" => Self::TRACEPARENT,
                "x-request-id" => Self::REQUEST_ID,
                "transfer-encoding" => Self::TRANSFER_ENCODING,
                "x-forwarded-for" => Self::X_FORWARDED_FOR | Self::OF_TRUSTED_HOPS,
                name => u16::from(is_of_trusted_hops(name)) * Self::OF_TRUSTED_HOPS,
            };
        }
        Self(names)
    }

    /// Whether any of these is there.
    pub(super) fn have(self, any: u16) -> bool {
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
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    fn headers(names: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for name in names {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("1"));
        }
        headers
    }

    #[test]
    fn what_a_request_carries_is_noted() {
        let none = Names::of(&headers(&["accept", "content-type", "user-agent", "x-api-key", "te"]));
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
        ]));
        for bit in 0..10 {
            assert!(all.have(1 << bit) && !none.have(1 << bit), "{bit}");
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
