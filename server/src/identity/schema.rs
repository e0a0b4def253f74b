//! Tables of identity: e-mails in the global database, users and their keys on the users' shards.

use millrace_chassis::shard::Migration;

/// Schema of the global database, oldest first.
pub(super) const GLOBAL: &[Migration] = &[Migration {
    name: "identity_0001_emails",
    pg: include_str!("schema/pg/0001_emails.sql"),
    sqlite: include_str!("schema/sqlite/0001_emails.sql"),
}];

/// Schema of every shard, oldest first.
pub(super) const SHARD: &[Migration] = &[Migration {
    name: "identity_0001_users",
    pg: include_str!("schema/pg/0001_users.sql"),
    sqlite: include_str!("schema/sqlite/0001_users.sql"),
}];

diesel::table! {
    /// Which user an e-mail belongs to: what makes e-mails unique over all shards.
    identity_email (email_norm) {
        /// Normal form of the address.
        email_norm -> Text,
        /// The user.
        user_id -> BigInt,
        /// 1 reserved until `expires_at`, 2 active.
        state -> Integer,
        /// Caller and request id of the CreateUser that made the user; moves along when the address changes.
        request_key -> Nullable<Text>,
        /// SHA-256 of that request.
        request_hash -> Nullable<Binary>,
        /// When the reaper may settle a reservation, microseconds since the epoch.
        expires_at -> BigInt,
    }
}

diesel::table! {
    /// One row per user; or a tombstone, which keeps a late writer from making a user whose reservation is gone.
    users (user_id) {
        /// The id in `users/{user}`.
        user_id -> BigInt,
        /// `user_id mod 960`.
        bucket -> Integer,
        /// Shown to people.
        display_name -> Text,
        /// As shown to people.
        email -> Text,
        /// Normal form; the row of `identity_email` is found by it.
        email_norm -> Text,
        /// Number of the user's last event; rises under this row's lock.
        event_seq -> BigInt,
        /// Rises by one with every change.
        version -> BigInt,
        /// 1 for a tombstone, which no call shows.
        tombstone -> Integer,
        /// Microseconds since the epoch.
        created_at -> BigInt,
        /// Microseconds since the epoch.
        updated_at -> BigInt,
    }
}

diesel::table! {
    /// One row per API key, revoked ones included.
    api_key (user_id, key_id) {
        /// The user.
        user_id -> BigInt,
        /// The id in `users/{user}/apiKeys/{api_key}`; rises with time.
        key_id -> BigInt,
        /// `user_id mod 960`.
        bucket -> Integer,
        /// SHA-256 of the secret.
        secret_hash -> Binary,
        /// Shown to people; may be empty.
        display_name -> Text,
        /// 1 for an operator's key.
        admin -> Integer,
        /// Microseconds since the epoch.
        created_at -> BigInt,
        /// Microseconds since the epoch; null while the key works.
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(users, api_key);
