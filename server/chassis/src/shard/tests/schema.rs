//! Both engines have one logical schema: the same tables, columns, keys.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel_async::RunQueryDsl;

use super::bench::{self, Bench};
use crate::on;
use crate::shard::{DatabaseName, ShardId};

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    column_name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = BigInt)]
    required: i64,
    #[diesel(sql_type = BigInt)]
    key_place: i64,
}

/// (table, column) → (kind, required, place in the primary key). SQLite has one integer for both of PostgreSQL's.
type Logical = BTreeMap<(String, String), (String, bool, i64)>;

const PG: &str = "
    SELECT c.table_name::text, c.column_name::text,
        CASE c.data_type WHEN 'bigint' THEN 'integer' WHEN 'bytea' THEN 'blob' ELSE c.data_type END AS kind,
        (CASE c.is_nullable WHEN 'NO' THEN 1 ELSE 0 END)::bigint AS required,
        COALESCE(k.ordinal_position, 0)::bigint AS key_place
    FROM information_schema.columns c
    LEFT JOIN information_schema.table_constraints t
        ON t.table_name = c.table_name AND t.table_schema = c.table_schema AND t.constraint_type = 'PRIMARY KEY'
    LEFT JOIN information_schema.key_column_usage k
        ON k.constraint_name = t.constraint_name AND k.table_name = c.table_name AND k.column_name = c.column_name
    WHERE c.table_schema = current_schema()";
const SQLITE: &str = "
    SELECT m.name AS table_name, c.name AS column_name, lower(c.type) AS kind,
        max(c.\"notnull\", c.pk > 0) AS required, c.pk AS key_place
    FROM sqlite_schema m JOIN pragma_table_info(m.name) c
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";

async fn logical(bench: &Bench, name: DatabaseName) -> Logical {
    let shards = bench.with_notes().await;
    let mut conn = shards.admin(name).await.unwrap();
    let columns: Vec<Column> = on!(conn,
        pg c => diesel::sql_query(PG).load(c).await,
        sqlite c => diesel::sql_query(SQLITE).load(c).await)
    .unwrap();
    let logical = columns
        .into_iter()
        .map(|c| ((c.table_name, c.column_name), (c.kind, c.required == 1, c.key_place)));
    logical.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: ./tests/run starts it"]
async fn both_engines_have_one_schema() {
    for name in [DatabaseName::Global, DatabaseName::Shard(ShardId(1))] {
        let mut lite = Logical::new();
        bench::sqlite(async |bench| lite = logical(bench, name).await).await;
        assert!(lite.len() > 10, "{lite:?}");
        bench::postgres(async |bench| assert_eq!(logical(bench, name).await, lite, "{name}")).await;
    }
}

/// Keys whose text sorts by another order than that of bytes.
const OTHER_ORDERS: &str = "
    SELECT c.relname::text AS table_name, a.attname::text AS column_name, '' AS kind,
        0::bigint AS required, 0::bigint AS key_place
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indrelid
    JOIN pg_attribute a ON a.attrelid = i.indexrelid
    WHERE c.relnamespace = current_schema()::regnamespace
        AND a.attcollation NOT IN (0, (SELECT oid FROM pg_collation WHERE collname = 'C'))";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: ./tests/run starts it"]
async fn text_keys_sort_by_their_bytes() {
    bench::postgres(async |bench| {
        let shards = bench.with_notes().await;
        for name in [DatabaseName::Global, DatabaseName::Shard(ShardId(1))] {
            let mut conn = shards.admin(name).await.unwrap();
            let columns: Vec<Column> =
                on!(conn, pg c => diesel::sql_query(OTHER_ORDERS).load(c).await, sqlite _c => Ok(Vec::new())).unwrap();
            let columns: Vec<_> = columns.iter().map(|c| (&c.table_name, &c.column_name)).collect();
            assert!(columns.is_empty(), "{name}: {columns:?}");
        }
    })
    .await;
}
