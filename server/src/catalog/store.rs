//! Queries of the catalog. All rows are in the global database.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use millrace_chassis::on;
use millrace_chassis::shard::{Conn, Global, StoreError};

use super::schema::product;
use crate::paging::FIXED_BYTES;

/// A product as stored.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = product, check_for_backend(diesel::pg::Pg, diesel::sqlite::Sqlite))]
pub(super) struct ProductRow {
    pub(super) product_id: String,
    pub(super) display_name: String,
    pub(super) description: String,
    pub(super) currency: String,
    pub(super) price_minor: i64,
    pub(super) version: i64,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
}

impl ProductRow {
    /// About the bytes of the product as a message.
    pub(super) fn bytes(&self) -> usize {
        self.product_id.len() + self.display_name.len() + self.description.len() + FIXED_BYTES
    }
}

/// Inserts a product; false if its id is taken.
pub(super) async fn insert(conn: &mut Conn<Global>, row: &ProductRow) -> Result<bool, StoreError> {
    let inserted = on!(conn, c => diesel::insert_into(product::table)
        .values(row)
        .on_conflict(product::product_id)
        .do_nothing()
        .execute(c)
        .await)?;
    Ok(inserted == 1)
}

/// Reads one product.
pub(super) async fn get(conn: &mut Conn<Global>, id: &str) -> Result<Option<ProductRow>, StoreError> {
    on!(conn, c => product::table.find(id).select(ProductRow::as_select()).first(c).await.optional())
}

/// Reads several products, in no order; an id that does not exist has no row.
pub(super) async fn get_all(conn: &mut Conn<Global>, ids: &[&str]) -> Result<Vec<ProductRow>, StoreError> {
    on!(conn, c => product::table
        .filter(product::product_id.eq_any(ids))
        .select(ProductRow::as_select())
        .load(c)
        .await)
}

/// Reads products by id, beginning after `after`.
pub(super) async fn list(conn: &mut Conn<Global>, after: &str, limit: usize) -> Result<Vec<ProductRow>, StoreError> {
    on!(conn, c => product::table
        .filter(product::product_id.gt(after))
        .order(product::product_id)
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .select(ProductRow::as_select())
        .load(c)
        .await)
}

/// Locks a product for a change, and returns it.
pub(super) async fn lock(conn: &mut Conn<Global>, id: &str) -> Result<Option<ProductRow>, StoreError> {
    on!(conn, c => diesel::update(product::table.find(id))
        .set(product::version.eq(product::version))
        .returning(ProductRow::as_returning())
        .get_result(c)
        .await
        .optional())
}

/// Writes a locked product back.
pub(super) async fn save(conn: &mut Conn<Global>, row: &ProductRow) -> Result<(), StoreError> {
    on!(conn, c => diesel::update(product::table.find(&row.product_id)).set(row).execute(c).await)?;
    Ok(())
}
