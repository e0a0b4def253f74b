//! Under which names the admin listener answers: loopback's, its own address, and those it is given. A page that rebinds
//! its own name to the address learns nothing.

use std::net::IpAddr;

use crate::edge::{is_loopback_authority, is_port};

/// Under which names the listener answers.
pub(super) struct Hosts {
    /// The address that it is bound to.
    pub(super) bound: IpAddr,
    /// Names, without a port, that the settings add.
    pub(super) names: Vec<String>,
}

impl Hosts {
    /// Tells whether `host` or `host:port` is one of the names, exactly.
    pub(super) fn allow(&self, authority: &str) -> bool {
        if is_loopback_authority(authority) {
            return true;
        }
        let name = match authority.rsplit_once(':') {
            Some((name, port)) if is_port(port) => name,
            _ => authority,
        };
        self.names.iter().any(|known| known.eq_ignore_ascii_case(name)) || self.is_own_address(name)
    }

    /// A listener on all addresses cannot tell its own; but an address is no name that could be rebound.
    fn is_own_address(&self, name: &str) -> bool {
        let six = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let address = match six {
            Some(six) => six.parse().map(IpAddr::V6),
            None => name.parse().map(IpAddr::V4),
        };
        address.is_ok_and(|address| self.bound.is_unspecified() || address == self.bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_names_pass() {
        let hosts = |bound: &str| Hosts {
            bound: bound.parse().unwrap(),
            names: vec!["metrics.internal".to_owned()],
        };
        let (loopback, own, all) = (hosts("127.0.0.1"), hosts("10.0.0.7"), hosts("::"));
        // Name; then whether a listener on loopback, on one address, and on all addresses answers under it.
        let cases = [
            ("localhost", [true, true, true]),
            ("LOCALHOST:9464", [true, true, true]),
            ("127.0.0.1:9464", [true, true, true]),
            ("[::1]", [true, true, true]),
            ("metrics.internal", [true, true, true]),
            ("Metrics.Internal:80", [true, true, true]),
            ("10.0.0.7:9464", [false, true, true]),
            ("10.0.0.8", [false, false, true]),
            ("[2001:db8::1]:9464", [false, false, true]),
            ("2001:db8::1", [false, false, false]),
            ("localhost.evil.example", [false, false, false]),
            ("10.0.0.7.evil.example:9464", [false, false, false]),
            ("metrics.internal.evil.example", [false, false, false]),
            ("evil@metrics.internal", [false, false, false]),
            ("evil.example", [false, false, false]),
            ("localhost:", [false, false, false]),
            ("localhost:80:80", [false, false, false]),
            ("", [false, false, false]),
        ];
        for (name, expected) in cases {
            assert_eq!(
                [&loopback, &own, &all].map(|hosts| hosts.allow(name)),
                expected,
                "{name:?}"
            );
        }
    }
}
