//! API keys: made with a secret that is shown once, read without it, revoked for good.

use millrace_chassis::shard::{Conn, StoreError, UserScope};
use millrace_chassis::{Platform, name};
use millrace_proto::identity::v1::ApiKey;

use super::key_text::KeyText;
use super::store::key::{self, KeyRow};
use crate::timestamp;

/// A new key: its row, and the text that its holder sends.
pub(super) struct NewKey {
    /// What is stored.
    pub(super) row: KeyRow,
    /// What is shown once.
    pub(super) text: String,
}

/// What a key is to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draft<'a> {
    /// The word in its text, such as `dev`.
    pub(super) environment: &'a str,
    /// Shown to people.
    pub(super) display_name: &'a str,
    /// Whether it is an operator's.
    pub(super) admin: bool,
}

/// Most draws of one key's number. 4,096 numbers share a millisecond; that so many are taken is a broken source of
/// random numbers, not chance.
const DRAWS_MAX: usize = 8;

/// Draws a key for the connection's user and inserts it; a number that is taken is drawn again. In a transaction whose
/// first statement was under the fence.
pub(super) async fn insert(
    platform: &Platform,
    conn: &mut Conn<UserScope>,
    draft: &Draft<'_>,
) -> Result<NewKey, StoreError> {
    for _ in 0..DRAWS_MAX {
        let new = draw(platform, conn.scope(), draft);
        if key::insert(conn, &new.row).await? {
            return Ok(new);
        }
    }
    Err(StoreError::Duplicate {
        database: conn.database(),
    })
}

fn draw(platform: &Platform, scope: &UserScope, draft: &Draft<'_>) -> NewKey {
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
            display_name: draft.display_name.to_owned(),
            admin: i32::from(draft.admin),
            created_at: platform.clock.now_us(),
            revoked_at: None,
        },
        text: text.write(draft.environment),
    }
}

/// Returns the name of a key.
pub(super) fn name_of(user_id: i64, key_id: i64) -> String {
    format!("{}/apiKeys/{key_id}", name::of_user(user_id))
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
