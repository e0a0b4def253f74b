//! The two keys of a data folder: a shopper's, and an operator's.

use millrace_chassis::shard::UserId;
use millrace_chassis::{Platform, name};

use super::files::{self, Environment};
use super::{DevError, DevOptions};
use crate::identity::{self, Account};
use crate::sample;
use crate::settings::Settings;

/// E-mail of the user whose key is the operator's.
const OPERATOR_EMAIL: &str = "operator@example.com";

/// Returns the keys of the folder: those in `dev.env` if they still work, else new ones.
pub(super) async fn keys(
    platform: &Platform,
    settings: &Settings,
    options: &DevOptions,
) -> Result<Environment, DevError> {
    let before = files::read_environment(&options.data_dir)?;
    let before = |key: fn(&Environment) -> &String| before.as_ref().map(key).map(String::as_str);
    let word = &settings.identity.key_environment;
    let shopper = Holder::SHOPPER
        .key(platform, word, before(|keys| &keys.api_key))
        .await?;
    let operator = Holder::OPERATOR
        .key(platform, word, before(|keys| &keys.admin_key))
        .await?;
    Ok(Environment {
        url: String::new(),
        user: name::of_user(shopper.0.get()),
        api_key: shopper.1,
        admin_key: operator.1,
    })
}

/// Who holds one of the two keys.
struct Holder {
    display_name: &'static str,
    email: &'static str,
    admin: bool,
}

impl Holder {
    const SHOPPER: Self = Self {
        display_name: "Sample Shopper",
        email: sample::SHOPPER_EMAIL,
        admin: false,
    };
    const OPERATOR: Self = Self {
        display_name: "Operator",
        email: OPERATOR_EMAIL,
        admin: true,
    };

    /// Returns the key of before with its user if it works and is of the right kind, else a new one. The user of a key
    /// that works may have another address by now.
    async fn key(&self, platform: &Platform, word: &str, before: Option<&str>) -> Result<(UserId, String), DevError> {
        if let Some(text) = before
            && let Some(caller) = identity::authenticates(platform, text).await?
            && caller.is_admin() == self.admin
            && let Some(user) = caller.user()
        {
            return Ok((user, text.to_owned()));
        }
        let account = Account {
            display_name: self.display_name.to_owned(),
            email: self.email.to_owned(),
        };
        let user = identity::create_account(platform, &account).await?;
        let key = identity::create_key(platform, user, word, "millrace dev", self.admin).await?;
        Ok((user, key.text))
    }
}
