//! Products by their rules: what a valid one is, and what an update changes. Pure.

use millrace_chassis::name;
use millrace_chassis::status::Violation;
use millrace_proto::catalog::v1::{Product, UpdateProductRequest};

use super::store::ProductRow;
use crate::field::Check;
use crate::mask::{self, Field};
use crate::text::{DESCRIPTION, DISPLAY_NAME};
use crate::{etag, money, timestamp};

/// Most characters of a product id.
const ID_CHARS_MAX: usize = 63;

/// Returns the name of a product.
pub(super) fn name_of(id: &str) -> String {
    format!("products/{id}")
}

/// Reads the id of a product's name.
///
/// # Errors
/// A violation of `field` if the name is not a product's.
pub(super) fn id_of<'a>(field: &str, name: &'a str) -> Result<&'a str, Violation> {
    let [id] = name::parse(field, name, "products/*")?;
    check_id(field, id)?;
    Ok(id)
}

/// Requires 1 to 63 lower-case letters, digits and hyphens, the first one a letter.
pub(super) fn check_id(field: &str, id: &str) -> Result<(), Violation> {
    let starts_well = id.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    let goes_on_well = id
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if starts_well && goes_on_well && id.len() <= ID_CHARS_MAX {
        return Ok(());
    }
    let rule = "1 to 63 lower-case letters, digits and hyphens, the first one a letter, as in products/green-tea";
    Err(Violation::new(field, format!("must have an id of {rule}")))
}

/// Makes the row of a new product, noting what is wrong with it below `product.`.
pub(super) fn new_row(id: String, product: &Product, now_us: i64, check: &mut Check) -> ProductRow {
    let price = product.price.clone().unwrap_or_default();
    let row = ProductRow {
        product_id: id,
        display_name: check.text("product.display_name", &product.display_name, &DISPLAY_NAME),
        description: check.text("product.description", &product.description, &DESCRIPTION),
        currency: price.currency_code,
        price_minor: price.minor_units,
        version: 1,
        created_at: now_us,
        updated_at: now_us,
    };
    if product.price.is_none() {
        check.fail("product.price", "is required: send currency_code and minor_units");
    } else {
        check_price(&row.currency, row.price_minor, check);
    }
    row
}

fn check_price(currency: &str, minor_units: i64, check: &mut Check) {
    money::check_currency("product.price.currency_code", currency, check);
    if minor_units < 0 {
        check.fail(
            "product.price.minor_units",
            format!("is {minor_units}: send zero or more"),
        );
    }
}

/// The values that an update gives to a product; `None` keeps the present one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    display_name: Option<String>,
    description: Option<String>,
    currency: Option<String>,
    price_minor: Option<i64>,
}

impl Change {
    /// Reads an update, noting what is wrong with it.
    pub(super) fn read(request: &UpdateProductRequest, check: &mut Check) -> Self {
        let product = request.product.clone().unwrap_or_default();
        let price = product.price.clone();
        let fields = [
            ("display_name", !product.display_name.is_empty()),
            ("description", !product.description.is_empty()),
            ("price", price.is_some()),
            ("price.currency_code", false),
            ("price.minor_units", false),
        ];
        let fields = fields.map(|(path, set)| Field { path, set });
        let mut change = Self::default();
        for path in mask::paths(request.update_mask.as_ref(), &fields, check) {
            match path {
                "display_name" => {
                    let text = check.text("product.display_name", &product.display_name, &DISPLAY_NAME);
                    change.display_name = Some(text);
                }
                "description" => {
                    let text = check.text("product.description", &product.description, &DESCRIPTION);
                    change.description = Some(text);
                }
                _ if price.is_none() => check.fail("product.price", "is required by the mask: send it"),
                _ => {
                    let price = price.clone().unwrap_or_default();
                    if path != "price.minor_units" {
                        change.currency = Some(price.currency_code);
                    }
                    if path != "price.currency_code" {
                        change.price_minor = Some(price.minor_units);
                    }
                }
            }
        }
        // A value that stays is known to be good, so any good one may stand for it.
        check_price(
            change.currency.as_deref().unwrap_or("EUR"),
            change.price_minor.unwrap_or_default(),
            check,
        );
        change
    }

    /// Tells whether a row is as the change would make it.
    pub(super) fn is_met_by(&self, row: &ProductRow) -> bool {
        let same = |new: &Option<String>, present: &str| new.as_deref().is_none_or(|new| new == present);
        same(&self.display_name, &row.display_name)
            && same(&self.description, &row.description)
            && same(&self.currency, &row.currency)
            && self.price_minor.is_none_or(|new| new == row.price_minor)
    }

    /// Applies the change to a row, which makes it another version.
    pub(super) fn apply(self, row: &mut ProductRow, now_us: i64) {
        row.version += 1;
        row.display_name = self.display_name.unwrap_or_else(|| row.display_name.clone());
        row.description = self.description.unwrap_or_else(|| row.description.clone());
        row.currency = self.currency.unwrap_or_else(|| row.currency.clone());
        row.price_minor = self.price_minor.unwrap_or(row.price_minor);
        row.updated_at = now_us;
    }
}

impl From<ProductRow> for Product {
    fn from(row: ProductRow) -> Self {
        let name = name_of(&row.product_id);
        Self {
            etag: etag::of(&name, row.version),
            name,
            display_name: row.display_name,
            description: row.description,
            price: Some(money::of(&row.currency, row.price_minor)),
            create_time: Some(timestamp::of(row.created_at)),
            update_time: Some(timestamp::of(row.updated_at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use millrace_proto::r#type::v1::Money;
    use prost_types::FieldMask;

    use super::*;

    #[test]
    fn ids_are_short_and_plain() {
        let long = format!("a{}", "b".repeat(63));
        for (id, good) in [
            ("green-tea", true),
            ("p1", true),
            (&long[..63], true),
            (&long, false),
            ("", false),
            ("1p", false),
            ("-p", false),
            ("Tea", false),
            ("te a", false),
            ("thé", false),
        ] {
            assert_eq!(check_id("product_id", id).is_ok(), good, "{id}");
        }
    }

    #[test]
    fn a_new_product_names_every_field_at_fault() {
        let good = Product {
            display_name: "Green tea".into(),
            price: Some(money::of("EUR", 450)),
            ..Default::default()
        };
        let cases: [(Product, &[&str]); 5] = [
            (good.clone(), &[]),
            (Product::default(), &["product.display_name", "product.price"]),
            (
                Product {
                    price: Some(money::of("eur", -1)),
                    ..good.clone()
                },
                &["product.price.currency_code", "product.price.minor_units"],
            ),
            (
                Product {
                    description: "x".repeat(4_001),
                    ..good.clone()
                },
                &["product.description"],
            ),
            (
                Product {
                    price: Some(money::of("JPY", i64::MAX)),
                    ..good
                },
                &[],
            ),
        ];
        for (product, expected) in cases {
            let mut check = Check::default();
            new_row("tea".into(), &product, 1, &mut check);
            let found = check.done().err().unwrap_or_default();
            let found: Vec<_> = found.iter().map(|violation| violation.field.as_str()).collect();
            assert_eq!(found, expected, "{product:?}");
        }
    }

    #[test]
    fn an_update_changes_what_the_mask_names() {
        let product = Product {
            display_name: "New".into(),
            price: Some(Money {
                currency_code: "USD".into(),
                minor_units: 9,
            }),
            ..Default::default()
        };
        // Expected: name, description, currency and amount after the change.
        for (paths, expected) in [
            (&[][..], ("New", "old", "USD", 9)),
            (&["display_name"], ("New", "old", "EUR", 5)),
            (&["description"], ("Old", "", "EUR", 5)),
            (&["price.minor_units"], ("Old", "old", "EUR", 9)),
            (&["price.currency_code"], ("Old", "old", "USD", 5)),
            (&["*"], ("New", "", "USD", 9)),
        ] {
            let request = UpdateProductRequest {
                product: Some(product.clone()),
                update_mask: Some(FieldMask {
                    paths: paths.iter().map(ToString::to_string).collect(),
                }),
            };
            let mut row = ProductRow {
                product_id: "tea".into(),
                display_name: "Old".into(),
                description: "old".into(),
                currency: "EUR".into(),
                price_minor: 5,
                version: 1,
                created_at: 1,
                updated_at: 1,
            };
            let mut check = Check::default();
            let change = Change::read(&request, &mut check);
            check.done().unwrap();
            assert!(!change.is_met_by(&row), "{paths:?}");
            change.apply(&mut row, 2);
            assert!(
                Change::read(&request, &mut Check::default()).is_met_by(&row),
                "{paths:?}"
            );
            let found = (
                row.display_name.as_str(),
                row.description.as_str(),
                row.currency.as_str(),
                row.price_minor,
            );
            assert_eq!(found, expected, "{paths:?}");
            assert_eq!((row.updated_at, row.version), (2, 2));
        }
    }
}
