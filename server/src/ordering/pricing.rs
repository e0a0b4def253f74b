//! Prices of a cart: asked of the catalog by its API, through the whole stack, and then frozen into the order.

use millrace_chassis::local::LocalChannel;
use millrace_chassis::status::Violation;
use millrace_proto::catalog::v1::BatchGetProductsRequest;
use millrace_proto::catalog::v1::catalog_service_client::CatalogServiceClient;
use millrace_proto::r#type::v1::Money;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::Error;
use super::cart::CartLine;
use crate::money;

/// A cart with prices.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Priced {
    /// Its lines, in the cart's order.
    pub(super) lines: Vec<PricedLine>,
    /// Their sum.
    pub(super) total: Money,
}

/// A line with its price.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PricedLine {
    /// The id in `products/{product}`.
    pub(super) product_id: String,
    /// The product's name at present.
    pub(super) display_name: String,
    /// Pieces.
    pub(super) quantity: i32,
    /// Price of one piece at present.
    pub(super) unit_price: Money,
}

/// Asks the catalog for the prices of a cart.
pub(super) async fn price(catalog: &LocalChannel, cart: &[CartLine]) -> Result<Priced, Error> {
    let names = cart.iter().map(|line| line.product.clone()).collect();
    let products = CatalogServiceClient::new(catalog.clone())
        .batch_get_products(BatchGetProductsRequest { names })
        .await
        .map_err(|status| refused(status, cart))?
        .into_inner()
        .products;
    let lines = cart.iter().zip(products).map(|(line, product)| PricedLine {
        product_id: product.name.trim_start_matches("products/").to_owned(),
        display_name: product.display_name,
        quantity: line.quantity,
        unit_price: product.price.unwrap_or_default(),
    });
    with_total(lines.collect())
}

/// Adds up priced lines.
pub(super) fn with_total(lines: Vec<PricedLine>) -> Result<Priced, Error> {
    let total = money::total(lines.iter().map(|line| (line.quantity, &line.unit_price)))?;
    Ok(Priced { lines, total })
}

/// Turns the catalog's refusal into one about the order: its `names[3]` is our `order.lines[3].product`.
fn refused(status: Status, cart: &[CartLine]) -> Error {
    match status.code() {
        Code::NotFound | Code::InvalidArgument => {
            let details = status.get_details_bad_request();
            let named = details.iter().flat_map(|details| &details.field_violations);
            let violations = named.filter_map(|violation| {
                let index: usize = violation
                    .field
                    .strip_prefix("names[")?
                    .strip_suffix(']')?
                    .parse()
                    .ok()?;
                let field = format!("order.lines[{index}].product");
                let name = &cart.get(index)?.product;
                Some(Violation::new(
                    field,
                    format!("{name} does not exist: choose one of GET /v1/products"),
                ))
            });
            let violations: Vec<_> = violations.collect();
            if violations.is_empty() {
                Error::Catalog(Box::new(status))
            } else {
                Error::UnknownProducts(violations)
            }
        }
        _ => Error::Catalog(Box::new(status)),
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::{ErrorDetails, FieldViolation};

    use super::*;

    #[test]
    fn the_catalogs_refusal_names_the_lines() {
        let cart = ["products/tea", "products/pot"].map(|product| CartLine {
            product: product.to_owned(),
            quantity: 1,
        });
        let details = ErrorDetails::with_bad_request(vec![FieldViolation::new("names[1]", "does not exist")]);
        let status = Status::with_error_details(Code::NotFound, "products/pot does not exist", details);
        let Error::UnknownProducts(violations) = refused(status, &cart) else {
            panic!("another error");
        };
        assert_eq!(violations.len(), 1);
        assert_eq!(violations[0].field, "order.lines[1].product");

        for code in [Code::NotFound, Code::Unavailable, Code::Internal] {
            let error = refused(Status::new(code, "no details"), &cart);
            assert!(matches!(error, Error::Catalog(_)), "{code:?}");
        }
    }
}
