//! Sums of money in minor units: checked, never rounded, one currency at a time.

use millrace_proto::r#type::v1::Money;

use crate::field::Check;

/// Makes an amount.
pub(crate) fn of(currency_code: &str, minor_units: i64) -> Money {
    Money {
        currency_code: currency_code.to_owned(),
        minor_units,
    }
}

/// Requires an ISO 4217 currency code by its form.
pub(crate) fn check_currency(field: &str, code: &str, check: &mut Check) {
    if code.len() != 3 || !code.bytes().all(|byte| byte.is_ascii_uppercase()) {
        check.fail(field, "must be an ISO 4217 code of three upper-case letters, as in EUR");
    }
}

/// Why amounts do not add up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SumError {
    /// Two lines have different currencies.
    #[error("the order mixes {first} and {other}: order each currency apart")]
    MixedCurrencies {
        /// Currency of the first line.
        first: String,
        /// Currency of the line at fault.
        other: String,
        /// Index of the line at fault.
        line: usize,
    },
    /// The sum is larger than 2^63 - 1 minor units.
    #[error("the total is larger than 9223372036854775807 minor units: order less")]
    Overflow {
        /// Index of the line that passes the bound.
        line: usize,
    },
}

impl SumError {
    /// Returns the field at fault, below the lines of an order: the product brought the currency, the quantity the
    /// size.
    pub(crate) fn field(&self) -> String {
        match self {
            Self::MixedCurrencies { line, .. } => format!("order.lines[{line}].product"),
            Self::Overflow { line } => format!("order.lines[{line}].quantity"),
        }
    }
}

/// Adds up `quantity` times `unit price` over lines; no lines are zero in no currency.
///
/// # Errors
/// The lines mix currencies, or the sum overflows.
pub(crate) fn total<'a>(lines: impl IntoIterator<Item = (i32, &'a Money)>) -> Result<Money, SumError> {
    let mut sum: Option<Money> = None;
    for (line, (quantity, price)) in lines.into_iter().enumerate() {
        let sum = sum.get_or_insert_with(|| of(&price.currency_code, 0));
        if sum.currency_code != price.currency_code {
            return Err(SumError::MixedCurrencies {
                first: sum.currency_code.clone(),
                other: price.currency_code.clone(),
                line,
            });
        }
        let amount = price.minor_units.checked_mul(i64::from(quantity));
        sum.minor_units = amount
            .and_then(|amount| sum.minor_units.checked_add(amount))
            .ok_or(SumError::Overflow { line })?;
    }
    Ok(sum.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_exact_or_refused() {
        let mixed = SumError::MixedCurrencies {
            first: "EUR".into(),
            other: "USD".into(),
            line: 1,
        };
        /// Quantity, currency and unit price of each line; their sum.
        type Case = (&'static [(i32, &'static str, i64)], Result<Money, SumError>);
        let cases: [Case; 7] = [
            (&[], Ok(Money::default())),
            (&[(2, "EUR", 150), (1, "EUR", 1)], Ok(of("EUR", 301))),
            (&[(10_000, "JPY", 0)], Ok(of("JPY", 0))),
            (&[(1, "EUR", i64::MAX)], Ok(of("EUR", i64::MAX))),
            (
                &[(1, "EUR", i64::MAX), (1, "EUR", 1)],
                Err(SumError::Overflow { line: 1 }),
            ),
            (&[(2, "EUR", i64::MAX / 2 + 1)], Err(SumError::Overflow { line: 0 })),
            (&[(1, "EUR", 1), (1, "USD", 1)], Err(mixed)),
        ];
        for (lines, expected) in cases {
            let lines: Vec<_> = lines.iter().map(|&(n, code, minor)| (n, of(code, minor))).collect();
            assert_eq!(total(lines.iter().map(|(n, price)| (*n, price))), expected, "{lines:?}");
        }
    }

    #[test]
    fn the_field_at_fault_is_named() {
        assert_eq!(SumError::Overflow { line: 2 }.field(), "order.lines[2].quantity");
        let mixed = total([(1, &of("EUR", 1)), (1, &of("USD", 1))]).unwrap_err();
        assert_eq!(mixed.field(), "order.lines[1].product");
    }
}
