//! `X-Forwarded-For` and its like: whose word is taken for where a call came from, and for what else only a proxy can
//! know of it.

use std::net::IpAddr;
use std::str::FromStr;

use http::{HeaderMap, HeaderValue};

use crate::call::X_FORWARDED_FOR;
use crate::edge::claims::{dashed, is_claim};
use crate::edge::headers::remove_all;
use crate::edge::names::Names;
use crate::metadata::AllowList;
use crate::serve::RemoteAddress;

/// Headers by which proxies tell where a call came from.
const PREFIXES: [&str; 2] = ["x-forwarded-", "x-envoy-"];
const NAMES: [&str; 6] = [
    "forwarded",
    "x-forwarded",
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
    "via",
];

/// What becomes of headers by which proxies tell where a call came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forwarding {
    /// Removed, whoever sends them: the service behind asks nobody where a call came from.
    Removed,
    /// Rewritten: `X-Forwarded-For` ends with the address of the connection's other end, on every door. What a peer in
    /// one of these networks said of the call before that is kept; what any other said is removed.
    Rewritten {
        /// Where proxies of one's own call from.
        trusted: Vec<Network>,
    },
}

impl Forwarding {
    /// The headers that go inwards over REST too.
    pub(crate) fn headers(&self) -> &'static [&'static str] {
        match self {
            Self::Removed => &[],
            Self::Rewritten { .. } => &["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"],
        }
    }

    /// What goes inwards as `X-Forwarded-For` with a request that came without.
    pub(super) fn added(&self, remote: Option<&RemoteAddress>, names: Names) -> Option<HeaderValue> {
        match self {
            Self::Rewritten { .. } if !names.have(Names::X_FORWARDED_FOR) => remote.map(|peer| peer.said().clone()),
            _ => None,
        }
    }

    /// Rewrites the headers of a request. What a proxy claims besides is kept from all if the operator listed it as a
    /// header that goes in.
    pub(super) fn apply(
        &self,
        headers: &mut HeaderMap,
        names: Names,
        listed: &AllowList,
        remote: Option<&RemoteAddress>,
    ) {
        if !names.have(Names::OF_TRUSTED_HOPS) {
            return;
        }
        let address = remote.map(|peer| peer.address().ip());
        let is_trusted = address.is_some_and(|address| self.trusts(address));
        remove_all(headers, |name| {
            let said = dashed(name);
            let is_of_proxies = is_forwarding(&said) || (is_claim(&said) && !listed.has(name));
            // A proxy says it with `-`; the other spelling is what it has let through.
            is_of_proxies && (!is_trusted || name != said)
        });
        if let (Self::Rewritten { .. }, Some(peer)) = (self, remote)
            && names.have(Names::X_FORWARDED_FOR)
        {
            append(headers, peer.said());
        }
    }

    fn trusts(&self, peer: IpAddr) -> bool {
        match self {
            Self::Removed => false,
            Self::Rewritten { trusted } => trusted.iter().any(|network| network.contains(peer)),
        }
    }
}

/// Adds an address to the list, which is then one header.
fn append(headers: &mut HeaderMap, peer: &HeaderValue) {
    let mut list = Vec::new();
    for value in headers
        .get_all(X_FORWARDED_FOR)
        .iter()
        .filter(|value| !value.is_empty())
    {
        list.extend_from_slice(value.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(peer.as_bytes());
    if let Ok(list) = HeaderValue::from_bytes(&list) {
        headers.insert(X_FORWARDED_FOR, list);
    }
}

/// Whether a header (its name in lower case, with `-` for `_`) tells where a call came from.
pub(super) fn is_forwarding(name: &str) -> bool {
    PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || NAMES.contains(&name)
}

/// The addresses of one network, read from `10.0.0.0/8` or, for one address, `::1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    /// How many leading bits count.
    bits: u8,
}

/// A text that is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no network: expected an address, or an address and its leading bits, as in `10.0.0.0/8`")]
pub struct NetworkError(String);

impl Network {
    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let same =
            |one: u128, other: u128, all: u8| (one ^ other).checked_shr(u32::from(all - self.bits)).unwrap_or(0) == 0;
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(one), IpAddr::V4(other)) => same(one.to_bits().into(), other.to_bits().into(), 32),
            (IpAddr::V6(one), IpAddr::V6(other)) => same(one.to_bits(), other.to_bits(), 128),
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let wrong = || NetworkError(text.to_owned());
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(all), |bits| bits.parse().map_err(|_| wrong()))?;
        if bits > all {
            return Err(wrong());
        }
        Ok(Self { address, bits })
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::body::RequestBody;

    #[test]
    fn a_network_is_its_leading_bits() {
        let table = [
            ("10.0.0.0/8", "10.255.1.2", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.1.1", true),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4", false),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::1", "::1", true),
        ];
        for (network, address, expected) in table {
            let network: Network = network.parse().unwrap();
            assert_eq!(
                network.contains(address.parse().unwrap()),
                expected,
                "{network:?} {address}"
            );
        }
        for wrong in [
            "",
            "10.0.0.0/33",
            "10.0.0/8",
            "::1/129",
            "10.0.0.0/x",
            "10.0.0.0/",
            "localhost",
        ] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_word_of_a_trusted_peer_alone_is_kept() {
        let rewritten = || Forwarding::Rewritten {
            trusted: vec!["127.0.0.0/8".parse().unwrap()],
        };
        let table: [(Forwarding, Option<&str>, Option<&str>, bool); 5] = [
            (Forwarding::Removed, Some("127.0.0.1:1"), None, false),
            (rewritten(), Some("127.0.0.1:1"), Some("a, b, 127.0.0.1"), true),
            (rewritten(), Some("[::ffff:127.0.0.1]:1"), Some("a, b, 127.0.0.1"), true),
            (rewritten(), Some("10.0.0.1:1"), Some("10.0.0.1"), false),
            (rewritten(), None, None, false),
        ];
        for (forwarding, peer, expected, is_kept) in table {
            let others = [
                "forwarded",
                "x-real-ip",
                "x-envoy-external-address",
                "via",
                "x-forwarded-host",
                "cf-connecting-ip",
                "x-original-url",
            ];
            let request = http::Request::builder()
                .header("x-forwarded-for", "a")
                .header("x-forwarded-for", "b");
            let request = others.iter().fold(request, |request, name| request.header(*name, "x"));
            let mut request = request
                .header("x-forwardable", "x")
                .header("x-auth-request-user", "x")
                .header("x_forwarded_for", "x")
                .header("cf_connecting_ip", "x")
                .body(RequestBody::empty())
                .unwrap();
            let remote = peer.map(|peer| RemoteAddress::new(peer.parse::<SocketAddr>().unwrap()));
            let remote = remote.as_ref();
            let names = Names::of(request.headers());
            let listed = AllowList::with(&["x-auth-request-user".to_owned()]);
            forwarding.apply(request.headers_mut(), names, &listed, remote);
            let found: Vec<_> = request.headers().get_all("x-forwarded-for").iter().collect();
            assert_eq!(
                found,
                expected.into_iter().collect::<Vec<_>>(),
                "{forwarding:?} {peer:?}"
            );
            assert_eq!(forwarding.added(remote, names), None, "it is in the headers");
            let added = forwarding.added(remote, Names::of(&HeaderMap::new()));
            assert_eq!(added.is_some(), expected.is_some(), "{forwarding:?} {peer:?}");
            for name in others {
                assert_eq!(
                    request.headers().contains_key(name),
                    is_kept,
                    "{forwarding:?} {peer:?} {name}"
                );
            }
            for name in ["x-forwardable", "x-auth-request-user"] {
                assert!(request.headers().contains_key(name), "{name}");
            }
            for name in ["x_forwarded_for", "cf_connecting_ip"] {
                assert!(!request.headers().contains_key(name), "{forwarding:?} {peer:?} {name}");
            }
        }
    }
}
