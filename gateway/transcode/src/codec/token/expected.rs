//! The key that is expected next: told from another by two words, mostly.

/// A key as JSON writes it, with its quotes and its colon.
#[derive(Debug)]
pub(crate) struct Expected {
    quoted: Box<[u8]>,
    /// The first eight bytes; what a shorter key lacks is zero, here and in the mask.
    first: u64,
    mask: u64,
    /// The last eight bytes of a key that has as many.
    last: u64,
}

impl Expected {
    /// `quoted` is the key as `"name":`.
    pub(crate) fn new(quoted: &[u8]) -> Self {
        let (mut first, mut mask) = ([0; 8], [0; 8]);
        for ((byte, first), mask) in quoted.iter().zip(&mut first).zip(&mut mask) {
            (*first, *mask) = (*byte, u8::MAX);
        }
        Self {
            quoted: quoted.into(),
            first: u64::from_le_bytes(first),
            mask: u64::from_le_bytes(mask),
            last: quoted.last_chunk().map_or(0, |last| u64::from_le_bytes(*last)),
        }
    }

    /// In bytes.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.quoted.len()
    }

    /// The key as JSON escapes it, without its quotes.
    pub(crate) fn name(&self) -> &str {
        let name = self.quoted.get(1..self.quoted.len().saturating_sub(2));
        name.and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default()
    }

    /// Whether the text begins with this key, whatever stands before its colon.
    pub(crate) fn is_named_in(&self, text: &[u8]) -> bool {
        text.starts_with(&self.quoted[..self.quoted.len() - 1])
    }

    /// Whether the text begins with this key. Of the last bytes of a body it may say no: then the key is read as any.
    #[inline]
    pub(crate) fn begins(&self, text: &[u8]) -> bool {
        let Some(first) = text.first_chunk() else {
            return false;
        };
        if u64::from_le_bytes(*first) & self.mask != self.first {
            return false;
        }
        let length = self.quoted.len();
        if length <= 8 {
            return true;
        }
        let Some(last) = text.get(length - 8..).and_then(|rest| rest.first_chunk()) else {
            return false;
        };
        // What neither word covers is compared by a call.
        u64::from_le_bytes(*last) == self.last && (length <= 16 || text.starts_with(&self.quoted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_its_key_from_any_other() {
        for length in 0..40 {
            let quoted = format!("\"{}\":", "n".repeat(length)).into_bytes();
            let expected = Expected::new(&quoted);
            let text = [quoted.as_slice(), b" \"value\"}"].concat();
            assert!(expected.begins(&text), "{length}");
            for at in 0..quoted.len() {
                let mut other = text.clone();
                other[at] ^= 1;
                assert!(!expected.begins(&other), "{length}, other at {at}");
                assert!(!expected.begins(&text[..at]), "{length}, cut at {at}");
            }
        }
    }
}
