//! What the names of a request's headers are to the edge. Each name is looked at once, and what a request does not carry,
//! which is most of it, is not searched for afterwards.

use http::HeaderMap;

use crate::edge::claims::{dashed, is_claim};
use crate::edge::forwarding::is_forwarding;
use crate::edge::headers::is_untrusted;

/// Which of the headers that the edge reads or removes a request carries. Layers that remove one leave it as it is: what
/// is noted here is there, or was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) connection: bool,
    pub(super) host: bool,
    pub(super) origin: bool,
    pub(super) request_id: bool,
    pub(super) traceparent: bool,
    pub(super) tracestate: bool,
    pub(super) transfer_encoding: bool,
    pub(super) x_forwarded_for: bool,
    /// Any that only a trusted hop may set.
    pub(super) of_trusted_hops: bool,
    /// Any that is given more than once.
    pub(super) repeated: bool,
}

impl Names {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut names = Self {
            connection: false,
            host: false,
            origin: false,
            request_id: false,
            traceparent: false,
            tracestate: false,
            transfer_encoding: false,
            x_forwarded_for: false,
            of_trusted_hops: false,
            repeated: headers.len() > headers.keys_len(),
        };
        for name in headers.keys() {
            names.note(name.as_str());
        }
        names
    }

    fn note(&mut self, name: &str) {
        match name {
            "host" => self.host = true,
            "origin" => self.origin = true,
            "connection" => self.connection = true,
            "tracestate" => self.tracestate = true,
            "traceparent" => self.traceparent = true,
            "x-request-id" => self.request_id = true,
            "transfer-encoding" => self.transfer_encoding = true,
            "x-forwarded-for" => (self.x_forwarded_for, self.of_trusted_hops) = (true, true),
            // Asked no more once one is there: the layer that removes them asks for each.
            _ => self.of_trusted_hops = self.of_trusted_hops || is_of_trusted_hops(name),
        }
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
        let expected = Names {
            connection: true,
            host: true,
            origin: true,
            request_id: true,
            traceparent: true,
            tracestate: true,
            transfer_encoding: true,
            x_forwarded_for: true,
            of_trusted_hops: true,
            repeated: true,
        };
        assert_eq!(all, expected);
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
            assert!(names.of_trusted_hops && !names.repeated, "{name}");
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
