//! Finds the caller of an API key: one read on the shard that the key names. Nothing is cached, so a revoked key stops
//! working with its next call.

use std::future::Future;
use std::pin::Pin;

use millrace_chassis::Caller;
use millrace_chassis::caller::Authenticator;
use millrace_chassis::shard::{Shards, StoreError, UserId};

use super::key_text::KeyText;
use super::store::key;

/// The keys of all users.
pub(super) struct Keys {
    shards: Shards,
}

impl Keys {
    /// Keys in these databases.
    pub(super) fn new(shards: Shards) -> Self {
        Self { shards }
    }

    async fn caller_of(&self, credential: &str) -> Result<Option<Caller>, StoreError> {
        let Some(presented) = KeyText::read(credential) else {
            return Ok(None);
        };
        let stored = self
            .shards
            .for_user(presented.user)
            .fenced(async |scope| key::working(&mut scope.read().await?, presented.key_id).await)
            .await?;
        Ok(stored
            .filter(|row| presented.matches(&row.secret_hash))
            .map(|row| Caller::Key {
                user: presented.user,
                key_id: row.key_id,
                admin: row.admin == 1,
            }))
    }
}

impl Authenticator for Keys {
    fn authenticate<'a>(
        &'a self,
        credential: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Option<Caller>, StoreError>> + Send + 'a>> {
        Box::pin(self.caller_of(credential))
    }

    fn claimed_user(&self, credential: &str) -> Option<UserId> {
        KeyText::read(credential).map(|presented| presented.user)
    }
}
