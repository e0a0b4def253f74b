//! The text of an API key: `mr_<environment>_<user>_<key>_<secret>_<checksum>`. It names its user, so checking it
//! touches one shard; the checksum refuses mistyped keys without touching any. Pure.

use millrace_chassis::shard::UserId;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::base62;

/// Bytes of a secret.
const SECRET_BYTES: usize = 32;
/// Base-62 digits of eight bytes.
const WORD_DIGITS: usize = 11;
/// Most bytes of a key's text; longer ones are refused unread.
const TEXT_BYTES_MAX: usize = 128;

/// A key's parts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyText {
    /// The user to whom the key belongs.
    pub(super) user: UserId,
    /// The key's number among the user's keys.
    pub(super) key_id: i64,
    /// What only the holder knows; never stored.
    pub(super) secret: [u8; SECRET_BYTES],
}

impl KeyText {
    /// Writes the text of a key for an environment, such as `dev`.
    pub(super) fn write(&self, environment: &str) -> String {
        let secret: String = self
            .secret
            .chunks_exact(8)
            .map(|word| base62::encode(u64::from_be_bytes(word.try_into().unwrap_or_default()), WORD_DIGITS))
            .collect();
        let user = base62::encode(self.user.get().unsigned_abs(), 0);
        let key = base62::encode(self.key_id.unsigned_abs(), 0);
        let body = format!("mr_{environment}_{user}_{key}_{secret}");
        let checksum = base62::encode(u64::from(crc32fast::hash(body.as_bytes())), 6);
        format!("{body}_{checksum}")
    }

    /// Reads the text of a key, `None` if it is malformed or mistyped.
    pub(super) fn read(text: &str) -> Option<Self> {
        if text.len() > TEXT_BYTES_MAX || !text.is_ascii() {
            return None;
        }
        let (body, checksum) = text.rsplit_once('_')?;
        if base62::decode(checksum)? != u64::from(crc32fast::hash(body.as_bytes())) {
            return None;
        }
        let mut parts = body.split('_');
        let (mr, _environment) = (parts.next()?, parts.next()?);
        let (user, key, secret) = (parts.next()?, parts.next()?, parts.next()?);
        if mr != "mr" || parts.next().is_some() || secret.len() != SECRET_BYTES / 8 * WORD_DIGITS {
            return None;
        }
        let mut bytes = [0; SECRET_BYTES];
        for (index, word) in bytes.chunks_exact_mut(8).enumerate() {
            let digits = secret.get(index * WORD_DIGITS..(index + 1) * WORD_DIGITS)?;
            word.copy_from_slice(&base62::decode(digits)?.to_be_bytes());
        }
        Some(Self {
            user: UserId::new(i64::try_from(base62::decode(user)?).ok()?)?,
            key_id: i64::try_from(base62::decode(key)?).ok()?,
            secret: bytes,
        })
    }

    /// Returns what is stored of the secret: its SHA-256. A secret of 256 random bits needs no slow hash.
    pub(super) fn secret_hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret).into()
    }

    /// Compares the secret with a stored hash, in the same time whether they differ early, late or not at all.
    pub(super) fn matches(&self, secret_hash: &[u8]) -> bool {
        self.secret_hash().ct_eq(secret_hash).into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> KeyText {
        KeyText {
            user: UserId::new(4_242).unwrap(),
            key_id: 7,
            secret: [9; 32],
        }
    }

    proptest! {
        #[test]
        fn keys_survive_the_round_trip(user in 1_i64..1 << 62, key_id in 0..=i64::MAX, secret: [u8; 32]) {
            let key = KeyText { user: UserId::new(user).unwrap(), key_id, secret };
            let text = key.write("dev");
            prop_assert!(text.len() <= TEXT_BYTES_MAX);
            prop_assert!(KeyText::read(&text) == Some(key));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,140}", tail in "mr_[a-z]{0,3}_.{0,9}_.{0,9}_[0-9A-Za-z]{44}_.{0,7}") {
            KeyText::read(&text);
            KeyText::read(&tail);
        }
    }

    #[test]
    fn a_mistyped_key_is_refused() {
        let text = sample().write("dev");
        assert!(KeyText::read(&text) == Some(sample()));
        for index in 0..text.len() {
            let mut wrong = text.clone().into_bytes();
            wrong[index] = if wrong[index] == b'a' { b'b' } else { b'a' };
            let wrong = String::from_utf8(wrong).unwrap();
            assert!(KeyText::read(&wrong).is_none(), "{wrong}");
        }
        assert!(KeyText::read(&text[..text.len() - 1]).is_none());
        assert!(KeyText::read("").is_none());
    }

    #[test]
    fn only_the_right_secret_matches() {
        let key = sample();
        assert!(key.matches(&key.secret_hash()));
        assert!(!KeyText { secret: [8; 32], ..key }.matches(&key.secret_hash()));
        assert!(!key.matches(&[]));
    }
}
