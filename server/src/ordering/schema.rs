//! Tables of ordering, all on the users' shards.

use millrace_chassis::shard::Migration;

/// Schema of every shard, oldest first.
pub(super) const SHARD: &[Migration] = &[Migration {
    name: "ordering_0001_orders",
    pg: include_str!("schema/pg/0001_orders.sql"),
    sqlite: include_str!("schema/sqlite/0001_orders.sql"),
}];

diesel::table! {
    /// The columns of a user's row that number events; the row is identity's.
    users (user_id) {
        /// The id in `users/{user}`.
        user_id -> BigInt,
        /// `user_id mod 960`.
        bucket -> Integer,
        /// 1 for a tombstone, which is no user.
        tombstone -> Integer,
        /// Number of the user's last event; rises under this row's lock.
        event_seq -> BigInt,
    }
}

diesel::table! {
    /// One row per order.
    orders (user_id, order_id) {
        /// The user.
        user_id -> BigInt,
        /// The id in `users/{user}/orders/{order}`; unique over all shards, rises with time.
        order_id -> BigInt,
        /// `user_id mod 960`.
        bucket -> Integer,
        /// Number of the `OrderState`.
        state -> Integer,
        /// ISO 4217 code of all amounts of the order.
        currency -> Text,
        /// Sum over the lines, in minor units.
        total_minor -> BigInt,
        /// Rises by one with every change.
        version -> BigInt,
        /// Microseconds since the epoch.
        created_at -> BigInt,
        /// Microseconds since the epoch.
        updated_at -> BigInt,
    }
}

diesel::table! {
    /// One row per line of an order; it never changes.
    order_line (user_id, order_id, line_no) {
        /// The user.
        user_id -> BigInt,
        /// The order.
        order_id -> BigInt,
        /// Place in the order, from 0.
        line_no -> Integer,
        /// `user_id mod 960`.
        bucket -> Integer,
        /// The id in `products/{product}`.
        product_id -> Text,
        /// The product's name when the order was placed.
        display_name -> Text,
        /// Pieces.
        quantity -> Integer,
        /// Price of one piece when the order was placed, in minor units.
        unit_minor -> BigInt,
    }
}

diesel::table! {
    /// One row per change of an order: its history, and what watchers read.
    order_event (user_id, number) {
        /// The user.
        user_id -> BigInt,
        /// Number among the user's events: 1, 2, 3 and so on, without gaps.
        number -> BigInt,
        /// `user_id mod 960`.
        bucket -> Integer,
        /// The order.
        order_id -> BigInt,
        /// Number of the `OrderState` since the event.
        state -> Integer,
        /// Microseconds since the epoch.
        at -> BigInt,
    }
}
