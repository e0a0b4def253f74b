//! Where a process listens.

use std::net::SocketAddr;

/// Whether one listener takes the port of the other. Port 0 is any free port, and so nobody's.
pub fn listeners_overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let same_ip = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    same_ip && one.port() == other.port() && one.port() != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_listeners_need_two_ports_unless_they_have_two_addresses() {
        for (one, other, expected) in [
            ("127.0.0.1:1", "127.0.0.1:2", false),
            ("127.0.0.1:1", "127.0.0.1:1", true),
            ("0.0.0.0:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "[::1]:1", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
        ] {
            let (one, other) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!(listeners_overlap(one, other), expected, "{one} {other}");
            assert_eq!(listeners_overlap(other, one), expected, "{other} {one}");
        }
    }
}
