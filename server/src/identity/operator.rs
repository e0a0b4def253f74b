//! What the command line does with users and keys beside the API: `millrace key create`, the keys of `millrace dev`.

use millrace_chassis::caller::Authenticator;
use millrace_chassis::shard::{StoreError, UserId};
use millrace_chassis::{Caller, Platform, name};
use millrace_proto::identity::v1::User;

use super::authenticator::Keys;
use super::store::email;
use super::store::user;
use super::user::Draft;
use super::{Error, api_key, sign_up};
use crate::field::Check;

/// A user to be created or found by e-mail.
#[derive(Debug, Clone)]
pub struct Account {
    /// Shown to people.
    pub display_name: String,
    /// The user's e-mail.
    pub email: String,
}

/// A new key. `Debug` does not show its text.
#[derive(Clone)]
pub struct Credential {
    /// Name of the key, `users/{user}/apiKeys/{api_key}`.
    pub name: String,
    /// The text to send.
    pub text: String,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Finds the user of an e-mail, or creates one.
///
/// # Errors
/// The account is not valid, or the store failed.
pub async fn create_account(platform: &Platform, account: &Account) -> Result<UserId, Error> {
    let mut check = Check::default();
    let user = User {
        display_name: account.display_name.clone(),
        email: account.email.clone(),
        ..Default::default()
    };
    let draft = Draft::read(&user, &mut check);
    check.done()?;
    let draft = draft.ok_or_else(|| Error::Invalid(Vec::new()))?;
    match sign_up::sign_up(platform, &draft, None).await {
        Ok(row) => Ok(platform_user(row.user_id)?),
        Err(Error::EmailTaken(shown)) => {
            let mut conn = platform.shards.global().read().await?;
            let row = email::by_address(&mut conn, &draft.email.normal).await?;
            Ok(row.ok_or(Error::EmailTaken(shown))?.user()?)
        }
        Err(error) => Err(error),
    }
}

fn platform_user(user_id: i64) -> Result<UserId, StoreError> {
    UserId::new(user_id).ok_or_else(|| email::out_of_range(user_id))
}

/// Creates a key for a user who is there.
///
/// # Errors
/// There is no such user, or the store failed.
pub async fn create_key(
    platform: &Platform,
    user: UserId,
    environment: &str,
    display_name: &str,
    admin: bool,
) -> Result<Credential, Error> {
    let scope = platform.shards.for_user(user);
    let draft = api_key::Draft {
        environment,
        display_name,
        admin,
    };
    let new = scope
        .fenced(async |scope| {
            let mut conn = scope.write().await?;
            conn.transaction(async |conn| {
                if user::get(conn).await?.is_none() {
                    return Err(Error::NotFound(name::of_user(user.get())));
                }
                Ok(api_key::insert(platform, conn, &draft).await?)
            })
            .await
        })
        .await?;
    Ok(Credential {
        name: api_key::name_of(new.row.user_id, new.row.key_id),
        text: new.text,
    })
}

/// Returns the caller of a key, `None` if it does not work.
///
/// # Errors
/// The store failed.
pub async fn authenticates(platform: &Platform, key_text: &str) -> Result<Option<Caller>, StoreError> {
    Keys::new(platform.shards.clone()).authenticate(key_text).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credentials_text_is_not_printed() {
        let credential = Credential {
            name: "users/7/apiKeys/9".to_owned(),
            text: "mr_dev_hush".to_owned(),
        };
        let printed = format!("{credential:?}");
        assert!(
            printed.contains("users/7/apiKeys/9") && !printed.contains("hush"),
            "{printed}"
        );
    }
}
