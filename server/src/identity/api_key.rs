//! API keys: made with a secret that is shown once, read without it, revoked for good.

use millrace_chassis::Platform;
use millrace_chassis::shard::UserScope;
use millrace_proto::identity::v1::ApiKey;

use super::key_text::KeyText;
use super::store::key::KeyRow;
use crate::timestamp;

/// A new key: its row, and the text that its holder sends.
pub(super) struct NewKey {
    /// What is stored.
    pub(super) row: KeyRow,
    /// What is shown once.
    pub(super) text: String,
}

/// Draws a key for a user.
pub(super) fn draw(
    platform: &Platform,
    scope: &UserScope,
    environment: &str,
    display_name: &str,
    admin: bool,
) -> NewKey {
    let text = KeyText {
        user: scope.user(),
        key_id: platform.ids.row_id(scope.bucket()),
        secret: platform.ids.secret(),
    };
    NewKey {
        row: KeyRow {
            user_id: text.user.get(),
            key_id: text.key_id,
            bucket: i32::from(scope.bucket().number()),
            secret_hash: text.secret_hash().to_vec(),
            display_name: display_name.to_owned(),
            admin: i32::from(admin),
            created_at: platform.clock.now_us(),
            revoked_at: None,
        },
        text: text.write(environment),
    }
}

/// Returns the name of a key.
pub(super) fn name_of(user_id: i64, key_id: i64) -> String {
    format!("users/{user_id}/apiKeys/{key_id}")
}

impl From<KeyRow> for ApiKey {
    fn from(row: KeyRow) -> Self {
        Self {
            name: name_of(row.user_id, row.key_id),
            display_name: row.display_name,
            admin: row.admin == 1,
            create_time: Some(timestamp::of(row.created_at)),
            revoke_time: row.revoked_at.map(timestamp::of),
        }
    }
}
