//! The error catalogue: reasons of `google.rpc.ErrorInfo`, from the enums of the schema that declare an error domain.
//!
//! `ErrorInfo{domain: "millrace", reason: "NOT_FOUND"}` is the value `REASON_NOT_FOUND` of the enum `Reason` with
//! `option (millrace.api.v1.error_domain) = "millrace"`. The prefix is the enum's name in upper snake case.

use std::collections::BTreeMap;

use prost_reflect::DescriptorPool;

use crate::options;

/// What the schema says about one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReasonInfo {
    /// HTTP status that replaces the one of the error's code.
    pub http_status: Option<u16>,
    /// Whether the same call may succeed later, unchanged.
    pub retryable: bool,
    /// One sentence for people; may be empty.
    pub doc: String,
}

/// All reasons of a schema, by domain and reason.
#[derive(Debug, Default)]
pub(crate) struct Reasons(BTreeMap<String, BTreeMap<String, ReasonInfo>>);

impl Reasons {
    pub(crate) fn load(pool: &DescriptorPool) -> Self {
        let mut domains: BTreeMap<String, BTreeMap<String, ReasonInfo>> = BTreeMap::new();
        for catalogue in pool.all_enums() {
            let Some(domain) = options::string(&catalogue.options(), options::ERROR_DOMAIN) else {
                continue;
            };
            let reasons = domains.entry(domain).or_default();
            let prefix = upper_snake(catalogue.name()) + "_";
            for value in catalogue.values().filter(|value| value.number() != 0) {
                let declared = value.options();
                let name = value.name().strip_prefix(&prefix).unwrap_or(value.name());
                let reason = ReasonInfo {
                    http_status: options::status(&declared, options::HTTP_STATUS),
                    retryable: options::flag(&declared, options::RETRYABLE),
                    doc: options::string(&declared, options::DOC).unwrap_or_default(),
                };
                reasons.insert(name.to_owned(), reason);
            }
        }
        Self(domains)
    }

    pub(crate) fn get(&self, domain: &str, reason: &str) -> Option<&ReasonInfo> {
        self.0.get(domain)?.get(reason)
    }

    /// Domain, reason, what is said about it; sorted.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str, &ReasonInfo)> {
        self.0.iter().flat_map(|(domain, reasons)| {
            reasons
                .iter()
                .map(move |(reason, about)| (domain.as_str(), reason.as_str(), about))
        })
    }
}

fn upper_snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    let mut after_lower = false;
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && after_lower {
            snake.push('_');
        }
        after_lower = letter.is_ascii_lowercase() || letter.is_ascii_digit();
        snake.push(letter.to_ascii_uppercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes() {
        for (name, expected) in [
            ("Reason", "REASON"),
            ("ErrorReason", "ERROR_REASON"),
            ("HTTPReason2", "HTTPREASON2"),
        ] {
            assert_eq!(upper_snake(name), expected);
        }
    }
}
