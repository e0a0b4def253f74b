//! Random numbers of the system's, many drawn at a time: a call takes four, and each draw is a system call.

use std::cell::RefCell;

/// Numbers of one draw.
const DRAWN: usize = 128;
const NUMBER_BYTES: usize = size_of::<u64>();

/// What is left of a draw.
struct Drawn {
    bytes: [u8; DRAWN * NUMBER_BYTES],
    left: usize,
}

thread_local! {
    static DRAWN_HERE: RefCell<Drawn> = const {
        RefCell::new(Drawn { bytes: [0; DRAWN * NUMBER_BYTES], left: 0 })
    };
}

/// A random number.
pub(super) fn random() -> u64 {
    DRAWN_HERE.with_borrow_mut(|drawn| {
        if drawn.left == 0 {
            // It has numbers once it had one, and a start draws; a call without an id would be worse than one that fails.
            rustls::crypto::ring::default_provider()
                .secure_random
                .fill(&mut drawn.bytes)
                .expect("the operating system has random numbers");
            drawn.left = DRAWN;
        }
        drawn.left -= 1;
        let number = drawn.bytes.as_chunks::<NUMBER_BYTES>().0[drawn.left];
        u64::from_ne_bytes(number)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_number_comes_twice() {
        let numbers: HashSet<u64> = (0..3 * DRAWN).map(|_| random()).collect();
        assert_eq!(numbers.len(), 3 * DRAWN);
        assert!(!numbers.contains(&0));
    }
}
