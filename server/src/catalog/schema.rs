//! Tables of the catalog, all in the global database.

use millrace_chassis::shard::Migration;

/// Schema of the global database, oldest first.
pub(super) const GLOBAL: &[Migration] = &[Migration {
    name: "catalog_0001_products",
    pg: include_str!("schema/pg/0001_products.sql"),
    sqlite: include_str!("schema/sqlite/0001_products.sql"),
}];

diesel::table! {
    /// One row per product.
    product (product_id) {
        /// The id in `products/{product}`.
        product_id -> Text,
        /// Shown to people.
        display_name -> Text,
        /// Longer text, may be empty.
        description -> Text,
        /// ISO 4217 code of the price.
        currency -> Text,
        /// Price of one piece in minor units.
        price_minor -> BigInt,
        /// Rises by one with every change.
        version -> BigInt,
        /// Microseconds since the epoch.
        created_at -> BigInt,
        /// Microseconds since the epoch.
        updated_at -> BigInt,
    }
}
