//! Page tokens (AIP-158): the last key seen, signed and bound to method, parent, filter and caller. A token holds no
//! shard cursor and no epoch, so it survives a reshard.
//!
//! A token is base64url of `payload ‖ HMAC-SHA-256(secret, binding ‖ payload)`. What it is bound to is in the signature
//! only: the next call says it again anyway.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use prost::Message;
use sha2::Sha256;

use crate::clock::Clock;
use crate::shard::{ShardId, UserId};
use crate::status::{Fault, Kind, Violation};

/// How long a token is good.
const LIFETIME_US: i64 = 24 * 60 * 60 * 1_000_000;
/// Longest token that is read at all.
const TOKEN_BYTES_MAX: usize = 4_096;
/// Bytes of a signature.
const MAC_BYTES: usize = 32;

/// Signs and verifies page tokens.
#[derive(Clone)]
pub struct PageTokens {
    /// The first signs, all verify: a secret is replaced by putting the new one in front.
    secrets: Vec<Hmac<Sha256>>,
    clock: Clock,
}

/// The signed part that travels.
#[derive(Clone, PartialEq, Message)]
struct Payload {
    #[prost(int64, tag = "1")]
    expires_at_us: i64,
    #[prost(string, tag = "2")]
    last_key: String,
    #[prost(uint32, repeated, tag = "3")]
    missed: Vec<u32>,
}

/// What a token belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Binding<'a> {
    /// Full name of the RPC.
    pub method: &'a str,
    /// The list's parent; empty if it has none.
    pub parent: &'a str,
    /// The filter and order, in any stable text form.
    pub filter: &'a str,
    /// The caller.
    pub caller: Option<UserId>,
}

/// Where the next page begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Key of the last row of the page before, in the list's own encoding.
    pub last_key: String,
    /// Shards that were not read on any page so far.
    pub missed: Vec<ShardId>,
}

/// Why a token or a page size was refused.
#[derive(Debug, thiserror::Error)]
#[error("{field} {problem}")]
pub struct PageError {
    field: &'static str,
    problem: &'static str,
}

/// A refused token.
fn token_error(problem: &'static str) -> PageError {
    PageError {
        field: "page_token",
        problem,
    }
}

impl Fault for PageError {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }

    fn reason(&self) -> &'static str {
        if self.field == "page_token" {
            "PAGE_TOKEN_INVALID"
        } else {
            "INVALID_FIELD"
        }
    }

    fn violations(&self) -> Vec<Violation> {
        vec![Violation::new(self.field, self.problem)]
    }
}

impl PageTokens {
    /// Tokens signed by the first secret and verified by all of them.
    ///
    /// # Panics
    /// `secrets` is empty.
    pub fn new(secrets: &[String], clock: Clock) -> Self {
        assert!(!secrets.is_empty(), "checked by the configuration");
        let secrets = secrets
            .iter()
            .map(|secret| Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length"))
            .collect();
        Self { secrets, clock }
    }

    /// Makes a token; it is good for 24 hours.
    pub fn sign(&self, binding: &Binding<'_>, cursor: &Cursor) -> String {
        let payload = Payload {
            expires_at_us: self.clock.now_us().saturating_add(LIFETIME_US),
            last_key: cursor.last_key.clone(),
            missed: cursor.missed.iter().map(|shard| u32::from(shard.0)).collect(),
        };
        let mut bytes = payload.encode_to_vec();
        let mac = mac(&self.secrets[0], binding, &bytes).finalize().into_bytes();
        bytes.extend_from_slice(&mac);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a token; an empty one is the first page.
    ///
    /// # Errors
    /// The token is malformed, expired, signed by another key, or bound to another list or caller.
    pub fn verify(&self, binding: &Binding<'_>, token: &str) -> Result<Option<Cursor>, PageError> {
        if token.is_empty() {
            return Ok(None);
        }
        if token.len() > TOKEN_BYTES_MAX {
            return Err(token_error("is malformed; start again from the first page"));
        }
        let bytes = URL_SAFE_NO_PAD
            .decode(token)
            .map_err(|_| token_error("is malformed; start again from the first page"))?;
        let Some((payload, signature)) = bytes.split_last_chunk::<MAC_BYTES>() else {
            return Err(token_error("is malformed; start again from the first page"));
        };
        // Every secret is tried, in constant time each.
        let signed = |secret| mac(secret, binding, payload).verify_slice(signature).is_ok();
        if !self.secrets.iter().any(signed) {
            return Err(token_error(
                "does not belong to this list, its filter or this caller; start again from the first page",
            ));
        }
        let payload =
            Payload::decode(payload).map_err(|_| token_error("is malformed; start again from the first page"))?;
        if payload.expires_at_us <= self.clock.now_us() {
            return Err(token_error("has expired; start again from the first page"));
        }
        let missed = payload
            .missed
            .into_iter()
            .map(|shard| u16::try_from(shard).map(ShardId));
        Ok(Some(Cursor {
            last_key: payload.last_key,
            missed: missed
                .collect::<Result<_, _>>()
                .map_err(|_| token_error("is malformed; start again from the first page"))?,
        }))
    }
}

/// Starts a signature. Every part is preceded by its length: no two bindings give the same bytes.
fn mac(secret: &Hmac<Sha256>, binding: &Binding<'_>, payload: &[u8]) -> Hmac<Sha256> {
    let caller = binding.caller.map_or(0, UserId::get).to_be_bytes();
    let mut mac = secret.clone();
    for part in [
        b"millrace page token 1".as_slice(),
        binding.method.as_bytes(),
        binding.parent.as_bytes(),
        binding.filter.as_bytes(),
        &caller,
        payload,
    ] {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac
}

/// Returns the number of rows for a requested page size: 0 is 50, more than 1,000 is 1,000.
///
/// # Errors
/// The size is negative.
pub fn page_size(requested: i32) -> Result<usize, PageError> {
    match requested {
        ..0 => Err(PageError {
            field: "page_size",
            problem: "must not be negative: 0 stands for 50, more than 1000 for 1000",
        }),
        0 => Ok(50),
        1.. => Ok(usize::try_from(requested.min(1_000)).unwrap_or(1_000)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW_US: i64 = 1_800_000_000_000_000;

    fn tokens(secrets: &[&str]) -> (PageTokens, Clock) {
        let clock = Clock::manual(NOW_US);
        let secrets: Vec<String> = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        (PageTokens::new(&secrets, clock.clone()), clock)
    }

    fn binding() -> Binding<'static> {
        Binding {
            method: "millrace.ordering.v1.OrderingService/ListOrders",
            parent: "users/7",
            filter: "state=PLACED",
            caller: UserId::new(7),
        }
    }

    fn cursor() -> Cursor {
        Cursor {
            last_key: "order 9".to_owned(),
            missed: vec![ShardId(2), ShardId(63)],
        }
    }

    #[test]
    fn a_token_comes_back_as_it_was() {
        let (tokens, _) = tokens(&["a"]);
        for cursor in [Cursor::default(), cursor()] {
            let token = tokens.sign(&binding(), &cursor);
            assert_eq!(tokens.verify(&binding(), &token).unwrap(), Some(cursor));
        }
        assert_eq!(tokens.verify(&binding(), "").unwrap(), None);
    }

    #[test]
    fn a_token_is_bound() {
        let (tokens, _) = tokens(&["a"]);
        let token = tokens.sign(&binding(), &cursor());
        for (what, other) in [
            (
                "method",
                Binding {
                    method: "other",
                    ..binding()
                },
            ),
            (
                "parent",
                Binding {
                    parent: "users/8",
                    ..binding()
                },
            ),
            (
                "filter",
                Binding {
                    filter: "",
                    ..binding()
                },
            ),
            (
                "caller",
                Binding {
                    caller: UserId::new(8),
                    ..binding()
                },
            ),
            (
                "nobody",
                Binding {
                    caller: None,
                    ..binding()
                },
            ),
            // The same bytes, cut elsewhere.
            (
                "border",
                Binding {
                    parent: "users/7s",
                    filter: "tate=PLACED",
                    ..binding()
                },
            ),
        ] {
            assert!(tokens.verify(&other, &token).is_err(), "{what}");
        }
    }

    #[test]
    fn a_token_ends_after_a_day() {
        let (tokens, clock) = tokens(&["a"]);
        let token = tokens.sign(&binding(), &cursor());
        clock.advance_us(LIFETIME_US - 1);
        assert!(tokens.verify(&binding(), &token).is_ok());
        clock.advance_us(1);
        let error = tokens.verify(&binding(), &token).unwrap_err();
        assert!(error.to_string().contains("expired"), "{error}");
    }

    #[test]
    fn secrets_can_be_replaced() {
        let (old, _) = tokens(&["old"]);
        let (both, _) = tokens(&["new", "old"]);
        let (new, _) = tokens(&["new"]);
        let from_old = old.sign(&binding(), &cursor());
        let from_both = both.sign(&binding(), &cursor());
        assert!(both.verify(&binding(), &from_old).is_ok());
        assert!(new.verify(&binding(), &from_both).is_ok());
        assert!(new.verify(&binding(), &from_old).is_err());
        assert!(old.verify(&binding(), &from_both).is_err());
    }

    #[test]
    fn page_sizes() {
        for (requested, expected) in [
            (i32::MIN, None),
            (-1, None),
            (0, Some(50)),
            (1, Some(1)),
            (1_000, Some(1_000)),
            (1_001, Some(1_000)),
            (i32::MAX, Some(1_000)),
        ] {
            assert_eq!(page_size(requested).ok(), expected, "{requested}");
        }
    }

    proptest! {
        /// No other text than the token itself is accepted: one character changed, added or taken away.
        #[test]
        fn tampering_shows(at in 0_usize..200, with in "[A-Za-z0-9_-]", key in ".{0,40}") {
            let (tokens, _) = tokens(&["a"]);
            let token = tokens.sign(&binding(), &Cursor { last_key: key, missed: vec![ShardId(1)] });
            let at = at % token.len();
            let mut changed = token.clone();
            changed.replace_range(at..=at, &with);
            if changed != token {
                prop_assert!(tokens.verify(&binding(), &changed).is_err());
            }
            let mut longer = token.clone();
            longer.insert_str(at, &with);
            prop_assert!(tokens.verify(&binding(), &longer).is_err());
            let mut shorter = token.clone();
            shorter.remove(at);
            prop_assert!(tokens.verify(&binding(), &shorter).is_err());
        }

        /// No text makes the reader panic.
        #[test]
        fn any_text_is_answered(token in ".{0,300}") {
            let (tokens, _) = tokens(&["a"]);
            prop_assert_eq!(tokens.verify(&binding(), &token).is_ok(), token.is_empty());
        }
    }
}
