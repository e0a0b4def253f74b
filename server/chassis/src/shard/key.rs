//! User, bucket and shard numbers, and the pure step from one to the next.

use std::fmt;
use std::str::FromStr;

/// Number of buckets. It never changes: 960 = 2^6 · 3 · 5, so that `bucket mod N` is `user_id mod N` for every N up to
/// 64 that divides it.
pub const BUCKETS: u16 = 960;

/// A user's number: 1 to 2^62 - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(i64);

impl UserId {
    /// Makes an id of a number, `None` outside 1 to 2^62 - 1.
    pub fn new(number: i64) -> Option<Self> {
        (1..1 << 62).contains(&number).then_some(Self(number))
    }

    /// Makes an id of random bits.
    pub fn from_bits(bits: u64) -> Self {
        Self(((bits >> 2) as i64).max(1))
    }

    /// Returns the number, as stored.
    pub fn get(self) -> i64 {
        self.0
    }

    /// Returns the bucket in which the user lives.
    pub fn bucket(self) -> Bucket {
        Bucket((self.0 % i64::from(BUCKETS)) as u16)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for UserId {
    type Err = ();

    /// Reads the canonical decimal form: no sign, no leading zero.
    fn from_str(text: &str) -> Result<Self, ()> {
        let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        text.parse().ok().filter(|_| canonical).and_then(Self::new).ok_or(())
    }
}

/// A bucket's number: 0 to 959.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(u16);

impl Bucket {
    /// Makes a bucket of a number, `None` above 959.
    pub fn new(number: u16) -> Option<Self> {
        (number < BUCKETS).then_some(Self(number))
    }

    /// Returns the number.
    pub fn number(self) -> u16 {
        self.0
    }
}

/// A shard's number: 0 to N - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which of the platform's databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DatabaseName {
    /// The global database.
    Global,
    /// A user shard.
    Shard(ShardId),
}

impl fmt::Display for DatabaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Global => f.write_str("global database"),
            Self::Shard(shard) => write!(f, "shard {shard}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_ids_are_canonical_decimals() {
        for (text, expected) in [
            ("1", Some(1)),
            ("4611686018427387903", Some((1 << 62) - 1)),
            ("4611686018427387904", None),
            ("0", None),
            ("01", None),
            ("+1", None),
            ("-1", None),
            ("", None),
            ("\u{661}", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(text.parse::<UserId>().ok().map(UserId::get), expected, "{text:?}");
        }
    }

    #[test]
    fn bits_always_make_a_valid_id() {
        for bits in [0, 1, 3, 4, u64::MAX] {
            let user = UserId::from_bits(bits);
            assert_eq!(UserId::new(user.get()), Some(user), "{bits}");
        }
    }
}
