//! The platform's own tables. They exist before any service has a table: opening a set of databases needs them.
//!
//! Column rules, here and in every module: 64-bit and 32-bit integers, text and bytes; time in microseconds since the
//! epoch, money in minor units, truth as 0 or 1; text that is a key or sorts is COLLATE "C" on PostgreSQL, since pages
//! go on after a key by its bytes and databases have other orders by default; SQLite tables are STRICT; every row that
//! belongs to a user has `user_id` first in its primary key, and `bucket`, which a CHECK ties to it.

use crate::shard::{Migration, ModuleSchema};

/// Name of the platform's own migrations in every ledger.
pub const MODULE: &str = "chassis";

/// The platform's own migrations.
pub(crate) const SCHEMA: ModuleSchema = ModuleSchema {
    module: MODULE,
    global: GLOBAL,
    shard: SHARD,
};

/// The platform's tables in the global database.
pub const GLOBAL: &[Migration] = &[Migration {
    name: "0001_cluster",
    pg: "
        CREATE TABLE identity_row (
            only_row integer PRIMARY KEY CHECK (only_row = 1),
            cluster_id text NOT NULL,
            shard_number integer NOT NULL
        );
        CREATE TABLE cluster (
            only_row integer PRIMARY KEY CHECK (only_row = 1),
            cluster_id text NOT NULL,
            shards integer NOT NULL CHECK (shards BETWEEN 1 AND 64),
            state integer NOT NULL CHECK (state IN (1, 2))
        );
        CREATE TABLE shard (
            shard integer PRIMARY KEY CHECK (shard BETWEEN 0 AND 63),
            state integer NOT NULL
        );
        CREATE TABLE bucket (
            bucket integer PRIMARY KEY CHECK (bucket BETWEEN 0 AND 959),
            shard integer NOT NULL REFERENCES shard (shard),
            epoch bigint NOT NULL,
            state integer NOT NULL
        );
        CREATE TABLE idempotency (
            method text COLLATE \"C\" NOT NULL,
            key text COLLATE \"C\" NOT NULL,
            request_hash bytea NOT NULL,
            response bytea,
            expires_at bigint NOT NULL,
            PRIMARY KEY (method, key)
        );
        CREATE INDEX idempotency_expires_at ON idempotency (expires_at);",
    sqlite: "
        CREATE TABLE identity_row (
            only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
            cluster_id TEXT NOT NULL,
            shard_number INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE cluster (
            only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
            cluster_id TEXT NOT NULL,
            shards INTEGER NOT NULL CHECK (shards BETWEEN 1 AND 64),
            state INTEGER NOT NULL CHECK (state IN (1, 2))
        ) STRICT;
        CREATE TABLE shard (
            shard INTEGER PRIMARY KEY CHECK (shard BETWEEN 0 AND 63),
            state INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE bucket (
            bucket INTEGER PRIMARY KEY CHECK (bucket BETWEEN 0 AND 959),
            shard INTEGER NOT NULL REFERENCES shard (shard),
            epoch INTEGER NOT NULL,
            state INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE idempotency (
            method TEXT NOT NULL,
            key TEXT NOT NULL,
            request_hash BLOB NOT NULL,
            response BLOB,
            expires_at INTEGER NOT NULL,
            PRIMARY KEY (method, key)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX idempotency_expires_at ON idempotency (expires_at);",
}];

/// The platform's tables in every shard.
pub const SHARD: &[Migration] = &[Migration {
    name: "0001_shard",
    pg: "
        CREATE TABLE identity_row (
            only_row integer PRIMARY KEY CHECK (only_row = 1),
            cluster_id text NOT NULL,
            shard_number integer NOT NULL
        );
        CREATE TABLE bucket_fence (
            bucket integer PRIMARY KEY CHECK (bucket BETWEEN 0 AND 959),
            epoch bigint NOT NULL,
            state integer NOT NULL CHECK (state IN (1, 2, 3))
        );
        CREATE TABLE idempotency (
            user_id bigint NOT NULL,
            bucket integer NOT NULL CHECK (bucket = user_id % 960),
            method text COLLATE \"C\" NOT NULL,
            key text COLLATE \"C\" NOT NULL,
            request_hash bytea NOT NULL,
            response bytea,
            expires_at bigint NOT NULL,
            PRIMARY KEY (user_id, method, key)
        );
        CREATE INDEX idempotency_expires_at ON idempotency (expires_at);
        CREATE INDEX idempotency_bucket ON idempotency (bucket);",
    sqlite: "
        CREATE TABLE identity_row (
            only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
            cluster_id TEXT NOT NULL,
            shard_number INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE bucket_fence (
            bucket INTEGER PRIMARY KEY CHECK (bucket BETWEEN 0 AND 959),
            epoch INTEGER NOT NULL,
            state INTEGER NOT NULL CHECK (state IN (1, 2, 3))
        ) STRICT;
        CREATE TABLE idempotency (
            user_id INTEGER NOT NULL,
            bucket INTEGER NOT NULL CHECK (bucket = user_id % 960),
            method TEXT NOT NULL,
            key TEXT NOT NULL,
            request_hash BLOB NOT NULL,
            response BLOB,
            expires_at INTEGER NOT NULL,
            PRIMARY KEY (user_id, method, key)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX idempotency_expires_at ON idempotency (expires_at);
        CREATE INDEX idempotency_bucket ON idempotency (bucket);",
}];

/// The ledger of schema changes; created before the first of them.
pub(crate) const LEDGER: Migration = Migration {
    name: "schema_ledger",
    pg: "CREATE TABLE IF NOT EXISTS schema_ledger (
            module text COLLATE \"C\" NOT NULL,
            name text COLLATE \"C\" NOT NULL,
            digest text NOT NULL,
            applied_at bigint NOT NULL,
            PRIMARY KEY (module, name)
        )",
    sqlite: "CREATE TABLE IF NOT EXISTS schema_ledger (
            module TEXT NOT NULL,
            name TEXT NOT NULL,
            digest TEXT NOT NULL,
            applied_at INTEGER NOT NULL,
            PRIMARY KEY (module, name)
        ) STRICT, WITHOUT ROWID",
};

diesel::table! {
    /// Whose database this is: one row.
    identity_row (only_row) {
        /// Always 1.
        only_row -> Integer,
        /// The cluster, drawn when it was made.
        cluster_id -> Text,
        /// The shard's number, -1 for the global database.
        shard_number -> Integer,
    }
}

diesel::table! {
    /// The cluster: one row in the global database.
    cluster (only_row) {
        /// Always 1.
        only_row -> Integer,
        /// The same id as in every identity row.
        cluster_id -> Text,
        /// Number of shards.
        shards -> Integer,
        /// 1 while the databases are being made, then 2.
        state -> Integer,
    }
}

diesel::table! {
    /// The shards.
    shard (number) {
        /// Number from 0.
        #[sql_name = "shard"]
        number -> Integer,
        /// 1 in use.
        state -> Integer,
    }
}

diesel::table! {
    /// The map from buckets to shards.
    bucket (number) {
        /// Bucket number, 0 to 959.
        #[sql_name = "bucket"]
        number -> Integer,
        /// Owner.
        shard -> Integer,
        /// Rises with every change of owner.
        epoch -> BigInt,
        /// 1 settled.
        state -> Integer,
    }
}

diesel::table! {
    /// Which schema changes this database has.
    schema_ledger (module, name) {
        /// Module whose change it is.
        module -> Text,
        /// Name of the migration.
        name -> Text,
        /// SHA-256 of its statements for this engine, in hexadecimal.
        digest -> Text,
        /// Microseconds since the epoch.
        applied_at -> BigInt,
    }
}
