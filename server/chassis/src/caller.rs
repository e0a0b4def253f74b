//! Who makes a call. The authentication layer writes it into the request's extensions; handlers read it.

use std::future::Future;
use std::pin::Pin;

use crate::shard::{StoreError, UserId};

/// Who makes a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Nobody known: no credential was sent.
    Anonymous,
    /// The holder of an API key.
    Key {
        /// The user to whom the key belongs.
        user: UserId,
        /// The key's number among the user's keys.
        key_id: i64,
        /// Whether it is an operator's key.
        admin: bool,
    },
}

impl Caller {
    /// Returns the caller of a request, [`Caller::Anonymous`] if no layer has named one.
    pub fn of<T>(request: &tonic::Request<T>) -> Self {
        request.extensions().get().copied().unwrap_or(Self::Anonymous)
    }

    /// Returns the user whose key was sent.
    pub fn user(self) -> Option<UserId> {
        match self {
            Self::Anonymous => None,
            Self::Key { user, .. } => Some(user),
        }
    }

    /// Tells whether the caller is an operator.
    pub fn is_admin(self) -> bool {
        matches!(self, Self::Key { admin: true, .. })
    }
}

/// Finds the caller of a credential. The module that owns the keys implements it.
pub trait Authenticator: Send + Sync {
    /// Returns the caller whose credential this is, `None` if it is malformed, unknown or revoked.
    ///
    /// # Errors
    /// The store that holds the keys cannot be read.
    fn authenticate<'a>(
        &'a self,
        credential: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Option<Caller>, StoreError>> + Send + 'a>>;

    /// Returns the user whose credential this says that it is, if its text says so: unproven, so no right may follow from
    /// it. A REST body that was read under `users/me`, and so has the user's own name in it, is compared with this; where
    /// it is `None`, such a body contradicts its path.
    fn claimed_user(&self, _credential: &str) -> Option<UserId> {
        None
    }
}
