//! How many connections may be open: of the process, and of one address. Connections above are closed at once, so
//! that one peer cannot take the file table from all others.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// The caps of one listener.
#[derive(Clone)]
pub(super) struct Caps {
    total_max: usize,
    per_address_max: usize,
    open: Arc<Mutex<Open>>,
}

#[derive(Default)]
struct Open {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The place of an open connection, given back when dropped.
pub(super) struct Taken {
    address: IpAddr,
    open: Arc<Mutex<Open>>,
}

impl Caps {
    pub(super) fn new(total_max: usize, per_address_max: usize) -> Self {
        Self {
            total_max,
            per_address_max,
            open: Arc::default(),
        }
    }

    /// Takes a place for a peer, `None` above a cap.
    pub(super) fn take(&self, peer: IpAddr) -> Option<Taken> {
        let address = network(peer);
        // No code that holds this lock can panic; if it did, counts would still be counts.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.total >= self.total_max {
            return None;
        }
        let of_address = open.by_address.entry(address).or_insert(0);
        if *of_address >= self.per_address_max {
            // A cap of 0 must not leave an entry behind.
            if *of_address == 0 {
                open.by_address.remove(&address);
            }
            return None;
        }
        *of_address += 1;
        open.total += 1;
        Some(Taken {
            address,
            open: Arc::clone(&self.open),
        })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.total -= 1;
        if let Some(count) = open.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.by_address.remove(&self.address);
            }
        }
    }
}

/// The address that counts: a host of IPv6 has a whole /64 to call from.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_by_address_and_in_total() {
        let caps = Caps::new(3, 2);
        let take = |text: &str| caps.take(text.parse().unwrap());
        let first = take("10.0.0.1");
        let mapped = take("::ffff:10.0.0.1");
        assert!(first.is_some() && mapped.is_some());
        assert!(take("10.0.0.1").is_none(), "two of one address");
        let six = take("2001:db8::1");
        assert!(six.is_some() && take("2001:db9::1").is_none(), "three in total");
        drop(first);
        assert!(take("2001:db8::2").is_some(), "the same /64, still one place");
        drop((mapped, six));
        assert!(
            caps.open.lock().unwrap().by_address.is_empty(),
            "nothing is left behind"
        );
    }
}
