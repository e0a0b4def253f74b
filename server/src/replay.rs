//! What makes a create safe to retry (AIP-155): the row in which its answer is kept, and the hash of its body.

use millrace_chassis::idempotency::Key;
use millrace_chassis::shard::{DatabaseName, StoreError};
use prost::Message;
use sha2::{Digest, Sha256};

/// How long an answer is kept: 24 hours.
const KEPT_US: i64 = 24 * 60 * 60 * 1_000_000;

/// SHA-256 of a request without its request id: a retry has the same one.
pub(crate) fn body_hash(request_without_id: &impl Message) -> [u8; 32] {
    Sha256::digest(request_without_id.encode_to_vec()).into()
}

/// Returns the key under which the answer of a request is kept, `None` for a request without an id.
pub(crate) fn key<'a>(
    method: &'a str,
    request_id: &'a str,
    request_hash: &'a [u8; 32],
    now_us: i64,
) -> Option<Key<'a>> {
    (!request_id.is_empty()).then_some(Key {
        method,
        request_id,
        request_hash,
        expires_at_us: now_us.saturating_add(KEPT_US),
    })
}

/// Reads an answer that a database has stored.
///
/// # Errors
/// The stored bytes are not an answer of this kind.
pub(crate) fn decode<M: Message + Default>(answer: &[u8], database: DatabaseName) -> Result<M, StoreError> {
    M::decode(answer).map_err(|error| StoreError::Damaged {
        database,
        problem: format!("an answer kept for retries: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use prost_types::Timestamp;

    use super::*;

    #[test]
    fn a_request_without_id_has_no_key() {
        let hash = body_hash(&Timestamp::default());
        assert!(key("m", "", &hash, 0).is_none());
        let found = key("m", "a1", &hash, 5).unwrap();
        assert_eq!((found.request_id, found.expires_at_us), ("a1", 5 + KEPT_US));
    }

    #[test]
    fn the_hash_tells_bodies_apart_and_answers_survive_storage() {
        let (one, other) = (Timestamp { seconds: 1, nanos: 0 }, Timestamp { seconds: 2, nanos: 0 });
        assert_eq!(body_hash(&one), body_hash(&one));
        assert_ne!(body_hash(&one), body_hash(&other));
        assert_eq!(
            decode::<Timestamp>(&one.encode_to_vec(), DatabaseName::Global).unwrap(),
            one
        );
        assert!(decode::<Timestamp>(&[0xFF], DatabaseName::Global).is_err());
    }
}
