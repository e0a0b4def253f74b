//! Refuses host names that are not this server's. On loopback that is what stops DNS rebinding: a page of a foreign
//! name that resolves to 127.0.0.1 would be same-origin with the server.

use http::header;

/// Under which host names the server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostPolicy {
    /// Under any: a server that is reached by name, behind a proxy or a load balancer.
    Any,
    /// Exactly `localhost`, `127.0.0.1` or `[::1]`, with any port.
    Loopback,
}

impl HostPolicy {
    /// Whether the server answers under the names in a request.
    pub(super) fn allows<B>(self, request: &http::Request<B>) -> bool {
        self == Self::Any || names_loopback(request)
    }
}

/// Whether every name in the request (`:authority` over HTTP/2, `Host` over HTTP/1.1) is loopback, and there is one.
fn names_loopback<B>(request: &http::Request<B>) -> bool {
    every_name(request, is_loopback_authority)
}

/// Whether every name in a request is allowed, and there is one. A request without any, which HTTP/1.0 and HTTP/2
/// allow, is not meant for a name of ours: it comes from no browser, but nobody who uses this server needs it either.
pub(crate) fn every_name<B>(request: &http::Request<B>, is_allowed: impl Fn(&str) -> bool) -> bool {
    let authority = request
        .uri()
        .authority()
        .map(|authority| is_allowed(authority.as_str()));
    let mut is_any = authority.is_some();
    for host in request.headers().get_all(header::HOST) {
        is_any = true;
        if !host.to_str().is_ok_and(&is_allowed) {
            return false;
        }
    }
    is_any && authority.unwrap_or(true)
}

/// `localhost`, `127.0.0.1` or `[::1]`, each with or without a port: parsed, never a prefix.
pub(crate) fn is_loopback_authority(authority: &str) -> bool {
    let address = authority
        .strip_prefix("127.0.0.1")
        .or_else(|| authority.strip_prefix("[::1]"));
    let name = || {
        let (host, rest) = authority.split_at_checked("localhost".len())?;
        host.eq_ignore_ascii_case("localhost").then_some(rest)
    };
    let rest = address.or_else(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
}

/// A port by its form: one to five digits.
pub(crate) fn is_port(text: &str) -> bool {
    (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_three_names_exactly() {
        for name in [
            "localhost",
            "LocalHost:8080",
            "127.0.0.1",
            "127.0.0.1:1",
            "[::1]",
            "[::1]:65535",
        ] {
            assert!(is_loopback_authority(name), "{name}");
        }
        let foreign = [
            "",
            "localhost.",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.2",
            "evil@localhost",
            "localhost:80@evil.example",
            "localhost:",
            "localhost:8a",
            "::1",
            "[::1]x",
            "localhost:123456",
            "lõcalhost",
        ];
        for name in foreign {
            assert!(!is_loopback_authority(name), "{name}");
        }
    }

    #[test]
    fn every_name_of_a_request_must_be_loopback() {
        let table: [(&str, &[&str], bool); 7] = [
            ("/", &["localhost:8080"], true),
            ("http://127.0.0.1:8080/", &[], true),
            ("http://127.0.0.1:8080/", &["localhost"], true),
            ("/", &[], false),
            ("http://evil.example/", &["localhost"], false),
            ("http://localhost/", &["evil.example"], false),
            ("/", &["localhost", "evil.example"], false),
        ];
        for (uri, hosts, expected) in table {
            let mut request = http::Request::builder().uri(uri);
            for host in hosts {
                request = request.header(header::HOST, *host);
            }
            assert_eq!(names_loopback(&request.body(()).unwrap()), expected, "{uri} {hosts:?}");
        }
    }
}
