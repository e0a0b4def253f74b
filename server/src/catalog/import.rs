//! Many products at once, for sample data: one transaction, and none twice.

use millrace_chassis::Platform;
use millrace_proto::catalog::v1::Product;

use super::{Error, product, store};
use crate::field::Check;

/// Inserts products under their names; those that are there stay as they are.
///
/// # Errors
/// A product is not valid, or the store failed.
pub(crate) async fn import(platform: &Platform, products: &[Product], now_us: i64) -> Result<(), Error> {
    let mut check = Check::default();
    let mut rows = Vec::with_capacity(products.len());
    for product in products {
        if let Some(id) = check.take(product::id_of("product.name", &product.name)) {
            rows.push(product::new_row(id.to_owned(), product, now_us, &mut check));
        }
    }
    check.done()?;
    let mut conn = platform.shards.global().write().await?;
    conn.transaction(async |conn| {
        for row in &rows {
            store::insert(conn, row).await?;
        }
        Ok(())
    })
    .await
}
