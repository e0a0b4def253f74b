//! What a caller wants to order, before it has prices. Pure.

use std::collections::HashSet;

use millrace_chassis::name;
use millrace_proto::ordering::v1::Order;

use crate::field::Check;

/// Most lines of an order.
const LINES_MAX: usize = 100;
/// Most pieces of a line.
const QUANTITY_MAX: i32 = 10_000;

/// A number of pieces of one product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CartLine {
    /// `products/{product}`.
    pub(super) product: String,
    /// Pieces.
    pub(super) quantity: i32,
}

/// Reads the lines of a new order, noting what is wrong with them below `order.lines`. What the server sets itself, as
/// prices and totals, is not looked at.
pub(super) fn read(order: &Order, check: &mut Check) -> Vec<CartLine> {
    if order.lines.is_empty() || order.lines.len() > LINES_MAX {
        check.fail(
            "order.lines",
            format!("has {} lines: send 1 to {LINES_MAX}", order.lines.len()),
        );
        return Vec::new();
    }
    let mut seen = HashSet::new();
    for (index, line) in order.lines.iter().enumerate() {
        let product = format!("order.lines[{index}].product");
        if check
            .take(name::parse::<1>(&product, &line.product, "products/*"))
            .is_some()
            && !seen.insert(line.product.as_str())
        {
            check.fail(
                product,
                format!("{} is in an earlier line: add up the quantities", line.product),
            );
        }
        if !(1..=QUANTITY_MAX).contains(&line.quantity) {
            let problem = format!("is {}: send 1 to 10,000 pieces", line.quantity);
            check.fail(format!("order.lines[{index}].quantity"), problem);
        }
    }
    let lines = order.lines.iter().map(|line| CartLine {
        product: line.product.clone(),
        quantity: line.quantity,
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use millrace_proto::ordering::v1::OrderLine;

    use super::*;

    #[test]
    fn every_line_at_fault_is_named() {
        let many: Vec<(String, i32)> = (0..101).map(|n| (format!("products/p{n}"), 1)).collect();
        let many: Vec<(&str, i32)> = many
            .iter()
            .map(|(product, quantity)| (product.as_str(), *quantity))
            .collect();
        /// Product and quantity of each line; the fields at fault.
        type Case<'a> = (&'a [(&'a str, i32)], &'a [&'a str]);
        let cases: [Case<'_>; 6] = [
            (&[("products/tea", 1), ("products/pot", 10_000)], &[]),
            (&[], &["order.lines"]),
            (&many, &["order.lines"]),
            (&many[..100], &[]),
            (
                &[
                    ("products/tea", 0),
                    ("tea", 1),
                    ("products/pot", -1),
                    ("products/cup", 10_001),
                ],
                &[
                    "order.lines[0].quantity",
                    "order.lines[1].product",
                    "order.lines[2].quantity",
                    "order.lines[3].quantity",
                ],
            ),
            (&[("products/tea", 1), ("products/tea", 2)], &["order.lines[1].product"]),
        ];
        for (lines, expected) in cases {
            let order = Order {
                lines: lines
                    .iter()
                    .map(|(product, quantity)| OrderLine {
                        product: (*product).to_owned(),
                        quantity: *quantity,
                        ..Default::default()
                    })
                    .collect(),
                ..Default::default()
            };
            let mut check = Check::default();
            read(&order, &mut check);
            let found = check.done().err().unwrap_or_default();
            let found: Vec<_> = found.iter().map(|violation| violation.field.as_str()).collect();
            assert_eq!(found, expected, "{lines:?}");
        }
    }
}
