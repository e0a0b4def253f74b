//! The mark of seeding, in the global database.

use millrace_chassis::shard::Migration;

/// Schema of the global database, oldest first.
pub(super) const GLOBAL: &[Migration] = &[Migration {
    name: "sample_0001_sample",
    pg: include_str!("schema/pg/0001_sample.sql"),
    sqlite: include_str!("schema/sqlite/0001_sample.sql"),
}];

diesel::table! {
    /// At most one row: with which seed seeding began, and whether it ended.
    sample_data (id) {
        /// Always 1.
        id -> Integer,
        /// The seed's bits.
        seed -> BigInt,
        /// 1 when all rows are there.
        finished -> Integer,
    }
}
