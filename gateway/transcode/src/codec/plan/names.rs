//! From a name to an index, for the fields of a message and the values of an enum: a table of slots with linear
//! probing.
//!
//! The names are the schema's, so nobody outside can make them collide; a stranger's key costs one comparison with each
//! name of its slot's run.

/// No index.
pub(crate) const NONE: u16 = u16::MAX;

/// Names with their indices.
#[derive(Debug, Default)]
pub(crate) struct Names {
    names: Box<[(Box<str>, u16)]>,
    /// Indices into `names`, a power of two of them.
    slots: Box<[u16]>,
}

impl Names {
    /// Of two equal names the first stays. What is beyond 65,535 names is left out.
    pub(crate) fn new(names: impl IntoIterator<Item = (Box<str>, usize)>) -> Self {
        let mut kept: Vec<(Box<str>, u16)> = Vec::new();
        let names: Vec<_> = names.into_iter().collect();
        let mut slots = vec![NONE; (names.len() * 2).next_power_of_two()];
        for (name, index) in names {
            let (Ok(index), Ok(at)) = (u16::try_from(index), u16::try_from(kept.len())) else {
                continue;
            };
            // An empty slot has this number.
            if at == NONE {
                break;
            }
            let mut slot = slot(name.as_bytes()) & (slots.len() - 1);
            while slots[slot] != NONE && kept[usize::from(slots[slot])].0 != name {
                slot = (slot + 1) & (slots.len() - 1);
            }
            if slots[slot] == NONE {
                slots[slot] = at;
                kept.push((name, index));
            }
        }
        Self {
            names: kept.into(),
            slots: slots.into(),
        }
    }

    /// The index of a name.
    #[inline]
    pub(crate) fn find(&self, name: &[u8]) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut slot = slot(name) & mask;
        loop {
            let (found, index) = self.names.get(usize::from(self.slots[slot]))?;
            if found.as_bytes() == name {
                return Some(usize::from(*index));
            }
            slot = (slot + 1) & mask;
        }
    }

    /// The index of a name whose letters may be in any case; of two such names the first.
    pub(crate) fn find_in_any_case(&self, name: &str) -> Option<usize> {
        let mut names = self.names.iter();
        let found = names.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, index)| usize::from(*index))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(name, _)| name.as_ref())
    }
}

/// Mixes the length with the first and the last eight bytes (of a shorter name, four): names differ there.
#[inline]
fn slot(name: &[u8]) -> usize {
    let (first, last) = if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
        (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into())
    } else {
        (name.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0)
    };
    let mixed = (first ^ last.rotate_left(29) ^ name.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 40) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_each_and_no_other() {
        let names: Vec<String> = (0..500).map(|number| format!("some_field_{number}_of_many")).collect();
        let table = Names::new(names.iter().enumerate().map(|(at, name)| (name.as_str().into(), at)));
        for (at, name) in names.iter().enumerate() {
            assert_eq!(table.find(name.as_bytes()), Some(at));
        }
        for name in ["", "some", "some_field_500_of_many", "some_field_1_of_manz"] {
            assert_eq!(table.find(name.as_bytes()), None);
        }
        assert_eq!(Names::default().find(b"a"), None);
        assert_eq!(Names::new([]).find(b""), None);
        let twice = Names::new([("a".into(), 1), ("a".into(), 2), ("".into(), 3)]);
        assert_eq!((twice.find(b"a"), twice.find(b"")), (Some(1), Some(3)));
    }

    #[test]
    fn too_many_names_are_left_out_and_a_search_still_ends() {
        let table = Names::new((0..70_000).map(|number| (number.to_string().into(), number)));
        assert_eq!((table.find(b"65534"), table.find(b"65535")), (Some(65_534), None));
        assert_eq!(table.find(b"another"), None);
    }
}
