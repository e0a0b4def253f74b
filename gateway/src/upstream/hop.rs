//! Headers that belong to one connection, and not to the message that came over it: they go no further, whichever way
//! they came.

use http::header::CONNECTION;
use http::{HeaderMap, HeaderName};

/// Whether a header belongs to one connection, or is one that HTTP/2 writes itself.
pub(super) fn is_of_the_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "content-length"
            | "host"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Takes out what belongs to the connection on which a message came.
pub(super) fn strip_hop(headers: &mut HeaderMap) {
    let named: Vec<String> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    strip(headers, is_of_the_hop);
    for name in named {
        headers.remove(name);
    }
}

/// The same of an answer, of which hardly any has such.
pub(super) fn strip_hop_if_any(headers: &mut HeaderMap) {
    if headers.keys().any(is_of_the_hop) {
        strip_hop(headers);
    }
}

/// Takes out the headers of these names.
pub(super) fn strip(headers: &mut HeaderMap, is_meant: fn(&HeaderName) -> bool) {
    while let Some(name) = headers.keys().find(|name| is_meant(name)) {
        let name = name.clone();
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_belongs_to_the_hop_stays_there() {
        let names = [
            "connection",
            "content-length",
            "host",
            "keep-alive",
            "proxy-authenticate",
            "proxy-authorization",
            "proxy-connection",
            "te",
            "transfer-encoding",
            "upgrade",
            "x-private",
            "x-kept",
            "authorization",
        ];
        let mut headers: HeaderMap = names
            .iter()
            .map(|name| (HeaderName::from_static(name), HeaderValue::from_static("1")))
            .collect();
        headers.insert("connection", HeaderValue::from_static("close, X-Private"));
        strip_hop(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["authorization", "x-kept"]);
    }
}
