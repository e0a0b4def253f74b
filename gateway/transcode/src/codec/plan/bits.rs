//! A set of small numbers: which fields of a message, or which oneofs, were seen. The first 64 cost no allocation.

/// A set of indices.
#[derive(Debug, Default)]
pub(crate) struct Bits {
    first: u64,
    more: Vec<u64>,
}

impl Bits {
    /// Adds an index; false if it was there.
    #[inline]
    pub(crate) fn insert(&mut self, index: usize) -> bool {
        if index < 64 {
            let bit = 1 << index;
            let is_new = self.first & bit == 0;
            self.first |= bit;
            return is_new;
        }
        self.insert_more(index - 64)
    }

    #[inline]
    pub(crate) fn contains(&self, index: usize) -> bool {
        if index < 64 {
            return self.first & 1 << index != 0;
        }
        let word = self.more.get((index - 64) / 64).copied().unwrap_or_default();
        word & 1 << (index % 64) != 0
    }

    #[inline(never)]
    fn insert_more(&mut self, index: usize) -> bool {
        let word = index / 64;
        if self.more.len() <= word {
            self.more.resize(word + 1, 0);
        }
        let bit = 1 << (index % 64);
        let is_new = self.more[word] & bit == 0;
        self.more[word] |= bit;
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers() {
        let mut bits = Bits::default();
        for index in [0, 63, 64, 65, 127, 128, 5_000] {
            assert!(!bits.contains(index));
            assert!(bits.insert(index));
            assert!(!bits.insert(index));
            assert!(bits.contains(index));
        }
        assert!(!bits.contains(1) && !bits.contains(66) && !bits.contains(9_999));
    }
}
