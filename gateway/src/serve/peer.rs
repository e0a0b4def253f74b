//! Who is at the other end of a connection. It travels in the extensions of each request, inwards on every door, so
//! that whoever bounds what one stranger may hold can tell strangers apart.

use std::net::{IpAddr, Ipv6Addr};

use super::RemoteAddress;

/// The address of the connection's other end, as it counts for bounds: a host of IPv6 has a whole /64 to call from, so
/// all of that is one address. Behind a proxy it is the proxy's: what a proxy says of its callers is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peer(IpAddr);

impl Peer {
    /// The peer at an address.
    pub fn new(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = address.to_bits() & !u128::from(u64::MAX);
                Self(IpAddr::V6(Ipv6Addr::from_bits(network)))
            }
            v4 => Self(v4),
        }
    }

    /// The peer of a request, by its [`RemoteAddress`]. Requests that came by no connection of ours have one in common.
    pub fn of(extensions: &http::Extensions) -> Self {
        let remote = extensions.get::<RemoteAddress>();
        remote.map_or(Self(IpAddr::V6(Ipv6Addr::UNSPECIFIED)), |remote| {
            Self::new(remote.address().ip())
        })
    }
}
