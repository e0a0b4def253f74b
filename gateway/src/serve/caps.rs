//! How many places may be taken: in total, and by one peer, so that one cannot take them from all others. Places are
//! connections of a listener, or whatever else strangers hold.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::peer::Peer;

/// Two caps on the same places; cheap to clone, one state.
#[derive(Debug, Clone)]
pub struct Caps {
    total_max: usize,
    per_peer_max: usize,
    open: Arc<Mutex<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_peer: HashMap<Peer, usize>,
}

/// A place, given back when dropped.
#[derive(Debug)]
pub struct Taken {
    peer: Peer,
    open: Arc<Mutex<Open>>,
}

impl Caps {
    /// So many places in total, and so many of one peer.
    pub fn new(total_max: usize, per_peer_max: usize) -> Self {
        Self {
            total_max,
            per_peer_max,
            open: Arc::default(),
        }
    }

    /// Takes a place for a peer, `None` above a cap.
    pub fn take(&self, peer: Peer) -> Option<Taken> {
        // No code that holds this lock can panic; if it did, counts would still be counts.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.total >= self.total_max {
            return None;
        }
        let of_peer = open.by_peer.entry(peer).or_insert(0);
        if *of_peer >= self.per_peer_max {
            // A cap of 0 must not leave an entry behind.
            if *of_peer == 0 {
                open.by_peer.remove(&peer);
            }
            return None;
        }
        *of_peer += 1;
        open.total += 1;
        Some(Taken {
            peer,
            open: Arc::clone(&self.open),
        })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.total -= 1;
        if let Some(count) = open.by_peer.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                open.by_peer.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_by_peer_and_in_total() {
        let caps = Caps::new(3, 2);
        let take = |text: &str| caps.take(Peer::new(text.parse().unwrap()));
        let first = take("10.0.0.1");
        let mapped = take("::ffff:10.0.0.1");
        assert!(first.is_some() && mapped.is_some());
        assert!(take("10.0.0.1").is_none(), "two of one address");
        let six = take("2001:db8::1");
        assert!(six.is_some() && take("2001:db9::1").is_none(), "three in total");
        drop(first);
        assert!(take("2001:db8::2").is_some(), "the same /64, still one place");
        drop((mapped, six));
        assert!(caps.open.lock().unwrap().by_peer.is_empty(), "nothing is left behind");
    }
}
