//! The keys of one object whose names nobody knows beforehand: which is there twice.

use std::borrow::Cow;

use crate::echo;

/// From so many keys on, duplicates are sought at the end, by sorting: a stranger cannot make that quadratic.
const LINEAR_KEYS_MAX: usize = 16;

/// A key, as the schema means it: of a map from numbers, `1` and `1.0` are equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key<'j> {
    Text(Cow<'j, str>),
    Number(u64),
}

/// Keys of the objects that are open, the innermost last.
#[derive(Debug, Default)]
pub(crate) struct Keys<'j> {
    keys: Vec<(Key<'j>, usize)>,
}

/// A key that is there twice, and where it is the second time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Duplicate {
    pub(crate) key: String,
    pub(crate) offset: usize,
}

impl<'j> Keys<'j> {
    /// Begins an object; [`Keys::insert`] and [`Keys::close`] take what this returns.
    pub(crate) fn open(&self) -> usize {
        self.keys.len()
    }

    /// Adds a key that stands at `offset`.
    #[inline]
    pub(crate) fn insert(&mut self, open: usize, key: Key<'j>, offset: usize) -> Result<(), Duplicate> {
        let so_far = &self.keys[open..];
        if so_far.len() < LINEAR_KEYS_MAX && so_far.iter().any(|(other, _)| *other == key) {
            return Err(Duplicate::new(&key, offset));
        }
        self.keys.push((key, offset));
        Ok(())
    }

    /// Ends the object.
    pub(crate) fn close(&mut self, open: usize) -> Result<(), Duplicate> {
        let keys = &mut self.keys[open..];
        let mut first = None;
        if keys.len() > LINEAR_KEYS_MAX {
            keys.sort_unstable();
            let pairs = keys.windows(2).filter(|pair| pair[0].0 == pair[1].0);
            first = pairs
                .min_by_key(|pair| pair[1].1)
                .map(|pair| Duplicate::new(&pair[1].0, pair[1].1));
        }
        self.keys.truncate(open);
        first.map_or(Ok(()), Err)
    }
}

impl Duplicate {
    fn new(key: &Key<'_>, offset: usize) -> Self {
        let key = match key {
            Key::Text(text) => echo::quoted(text),
            Key::Number(_) => String::new(),
        };
        Self { key, offset }
    }

    /// What is wrong, for people.
    pub(crate) fn problem(&self) -> String {
        match self.key.as_str() {
            "" => "duplicate key: equal to one before".to_owned(),
            key => format!("duplicate key {key}"),
        }
    }
}
