//! What headers of REST and metadata of gRPC are called to each other: the same, or as grpc-gateway calls them.

use http::HeaderName;

use super::DENIED;
use crate::edge;

/// What grpc-gateway puts before metadata of the head of an answer, and takes from a header of a request.
const METADATA: &str = "grpc-metadata-";
/// What it puts before metadata that comes with the status.
const TRAILER: &str = "grpc-trailer-";
/// What it puts before a header of HTTP's own on its way in.
const PERMANENT: &str = "grpcgateway-";

/// HTTP's own headers, by the register of IANA, as far as grpc-gateway hands them on. `Host` is none of them: Go's
/// server takes it out of the headers.
const PERMANENT_HEADERS: [&str; 23] = [
    "accept",
    "accept-charset",
    "accept-language",
    "accept-ranges",
    "authorization",
    "cache-control",
    "content-type",
    "cookie",
    "date",
    "expect",
    "from",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-schedule-tag-match",
    "if-unmodified-since",
    "max-forwards",
    "origin",
    "pragma",
    "referer",
    "user-agent",
    "via",
    "warning",
];

/// Names that no prefix lets in besides those that every door keeps to trusted hops, by the reason; a name that ends with `-` stands for all that begin with it. An upstream
/// would take such a header for the word of the connection or of a proxy in front, and never for a caller's. Whoever
/// has a proxy that sets another one lists it: what is listed comes in by its own name alone.
const SHUT: [&[&str]; 2] = [
    // The connection, its negotiation, and what is known of the message's form: this hop's alone (RFC 9110 7.6, 10.1.1,
    // 12.5; RFC 9113 3.2). The gateway speaks for itself to the upstream, also as a user agent.
    &[
        "accept-charset",
        "accept-encoding",
        "alt-used",
        "close",
        "content-",
        "early-data",
        "expect",
        "host",
        "http2-settings",
        "max-forwards",
        "priority",
        "proxy-",
        "user-agent",
    ],
    // What proxies say of a call has names besides those that every door keeps to them: as metadata of callers some of
    // these mean nothing, and as what a caller renames they need not be let in.
    &["x-azure-", "x-client-", "x-cluster-", "x-nf-", "x-real-", "x-tls-"],
];

/// Whether no prefix lets a name in. Servers that hand headers on as variables do not tell `_` from `-`.
fn is_shut(name: &str) -> bool {
    let name = name.replace('_', "-");
    let mut shut = SHUT.into_iter().flatten();
    name.starts_with("grpc-")
        || DENIED.contains(&name.as_str())
        || edge::is_of_trusted_hops(&name)
        // What has this prefix inside was a header of HTTP's own, which a proxy may have checked.
        || name.starts_with(PERMANENT)
        || shut.any(|shut| name == *shut || (shut.ends_with('-') && name.starts_with(shut)))
}

/// How headers and metadata are named to each other over REST.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderNames {
    /// Both have the same name. Inwards go the headers that are listed.
    #[default]
    Plain,
    /// As grpc-gateway's default matchers have it. Inwards, besides the headers that are listed, `Grpc-Metadata-Foo`
    /// is `foo`, unless `foo` is listed, and a header of HTTP's own, as `User-Agent`, is `grpcgateway-user-agent`. Outwards metadata `foo` is
    /// `Grpc-Metadata-Foo`, and what comes with the status `Grpc-Trailer-Foo`.
    GrpcGateway,
}

impl HeaderNames {
    /// What a header of a request that is not listed is called inside; `None` if it stays outside. Nobody gets in by a
    /// prefix what does not get in without it: the names that gRPC or the connection keeps, and those that only a
    /// trusted hop may set.
    pub(super) fn inwards(self, name: &HeaderName) -> Option<HeaderName> {
        let name = name.as_str();
        match (self, name.strip_prefix(METADATA)) {
            (Self::Plain, _) => None,
            (Self::GrpcGateway, Some(inner)) => {
                let opens = !is_shut(inner);
                opens.then(|| HeaderName::from_bytes(inner.as_bytes()).ok()).flatten()
            }
            (Self::GrpcGateway, None) => {
                let is_permanent = PERMANENT_HEADERS.contains(&name);
                is_permanent.then(|| prefixed(PERMANENT, name)).flatten()
            }
        }
    }

    /// The names of metadata from the head of an answer.
    pub(crate) fn of_head(self) -> Outwards {
        match self {
            Self::Plain => Outwards(""),
            Self::GrpcGateway => Outwards(METADATA),
        }
    }

    /// The names of metadata that comes with the status.
    pub(crate) fn of_trailers(self) -> Outwards {
        match self {
            Self::Plain => Outwards(""),
            Self::GrpcGateway => Outwards(TRAILER),
        }
    }
}

/// What is put before the names of metadata on their way out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outwards(&'static str);

impl Outwards {
    /// Whether each name stays as it is.
    pub(super) fn are_same(self) -> bool {
        self.0.is_empty()
    }

    /// The header's name; `None` if it would be too long for one.
    pub(crate) fn of(self, name: &HeaderName) -> Option<HeaderName> {
        match self.0 {
            "" => Some(name.clone()),
            prefix => prefixed(prefix, name.as_str()),
        }
    }
}

fn prefixed(prefix: &str, name: &str) -> Option<HeaderName> {
    HeaderName::try_from([prefix, name].concat()).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::metadata::{AllowList, into_headers, to_headers};

    fn map(pairs: &[(&str, &str)]) -> http::HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            let name = HeaderName::try_from(*name).unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        });
        let mut headers = http::HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn headers_go_in_as_with_grpc_gateway() {
        let allow = AllowList::with(&[]).renaming(HeaderNames::GrpcGateway);
        let sent = map(&[
            ("authorization", "Bearer x"),
            ("user-agent", "curl"),
            ("cookie", "c=1"),
            ("host", "h"),
            ("x-other", "o"),
            ("grpc-metadata-foo", "a"),
            ("grpc-metadata-foo", "b"),
            ("grpc-metadata-data-bin", "AQI"),
            // A second voice beside the header itself.
            ("grpc-metadata-authorization", "Bearer y"),
            ("grpc-metadata-", "empty"),
        ]);
        let expected = map(&[
            ("authorization", "Bearer x"),
            ("grpcgateway-authorization", "Bearer x"),
            ("grpcgateway-user-agent", "curl"),
            ("grpcgateway-cookie", "c=1"),
            ("foo", "a"),
            ("foo", "b"),
            ("data-bin", "AQI"),
        ]);
        assert_eq!(allow.pick(&sent).unwrap(), expected);
        assert!(allow.pick(&map(&[("grpc-metadata-data-bin", "*")])).is_err());
        let plain = AllowList::with(&[]).pick(&sent).unwrap();
        assert_eq!(plain, map(&[("authorization", "Bearer x")]));
    }

    #[test]
    fn what_is_listed_does_not_come_in_by_a_prefix() {
        let allow = AllowList::with(&["x-user-id".to_owned()]).renaming(HeaderNames::GrpcGateway);
        let mut sent = map(&[
            ("grpc-metadata-x-user-id", "root"),
            ("grpc-metadata-authorization", "root"),
        ]);
        assert!(allow.pick(&sent).unwrap().is_empty());
        // Set by a proxy, and dropped because gRPC cannot say it.
        sent.append("x-user-id", HeaderValue::from_bytes(b"Jos\xc3\xa9").unwrap());
        assert!(allow.pick(&sent).unwrap().is_empty());
    }

    #[test]
    fn a_prefix_opens_nothing_that_is_shut() {
        let allow = AllowList::with(&[]).renaming(HeaderNames::GrpcGateway);
        for name in [
            "grpc-timeout",
            "grpc-tags-bin",
            "te",
            "content-type",
            "connection",
            "x-request-id",
            "x-millrace-user",
            "x-forwarded-for",
            "x-envoy-external-address",
            "forwarded",
            "x-real-ip",
            "x-real_ip",
            "x_forwarded_for",
            "grpcgateway-authorization",
            "grpcgateway_authorization",
            "user-agent",
            "expect",
            "host",
            "accept-encoding",
            "content-encoding",
            "http2-settings",
            "proxy-authorization",
            "cf-connecting-ip",
            "fly-client-ip",
            "x-cluster-client-ip",
            "x-azure-clientip",
            "x-original-url",
            "x-original-forwarded-for",
            "x-rewrite-url",
            "x-http-method-override",
            "x-auth-request-user",
            "x-remote-user",
            "remote-user",
            "x-goog-iap-jwt-assertion",
            "ssl-client-cert",
            "client-cert",
        ] {
            let sent = map(&[(&format!("grpc-metadata-{name}"), "1")]);
            assert!(allow.pick(&sent).unwrap().is_empty(), "{name}");
        }
        // Names that only look alike are a caller's.
        for name in ["x-goog-request-params", "cfo", "hostname", "x-user", "remote", "closed"] {
            let sent = map(&[(&format!("grpc-metadata-{name}"), "1")]);
            assert_eq!(allow.pick(&sent).unwrap(), map(&[(name, "1")]), "{name}");
        }
    }

    #[test]
    fn metadata_goes_out_under_prefixes() {
        let metadata = map(&[("x-total", "3"), ("data-bin", "AQI"), ("grpc-status", "0"), ("te", "t")]);
        let mut headers = http::HeaderMap::new();
        to_headers(&metadata, HeaderNames::GrpcGateway.of_head(), &mut headers);
        to_headers(&metadata, HeaderNames::GrpcGateway.of_trailers(), &mut headers);
        for names in [HeaderNames::GrpcGateway, HeaderNames::Plain] {
            let mut copied = http::HeaderMap::new();
            to_headers(&metadata, names.of_head(), &mut copied);
            assert_eq!(into_headers(metadata.clone(), names.of_head(), false), copied);
        }
        let no_binary = map(&[
            ("x-total", "3"),
            ("grpc-status", "0"),
            ("x-total", "4"),
            ("date", "d"),
            ("x-b", "b"),
        ]);
        let kept = into_headers(no_binary, HeaderNames::Plain.of_head(), false);
        let expected = [("x-total", "3"), ("x-total", "4"), ("x-b", "b")];
        assert_eq!(kept, map(&expected));
        let typed = || map(&[&expected[..], &[("content-type", "application/grpc")]].concat());
        assert_eq!(into_headers(typed(), HeaderNames::Plain.of_head(), false), kept);
        assert_eq!(into_headers(typed(), HeaderNames::Plain.of_head(), true), typed());
        let expected = map(&[
            ("grpc-metadata-x-total", "3"),
            ("grpc-metadata-data-bin", "AQI="),
            ("grpc-trailer-x-total", "3"),
            ("grpc-trailer-data-bin", "AQI="),
        ]);
        assert_eq!(headers, expected);
    }
}
