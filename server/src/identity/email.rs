//! E-mail addresses: one form to compare, one to show. Pure.
//!
//! The form to compare is trimmed and composed (Unicode's form C), its domain in the ASCII form of IDNA (UTS 46), its
//! local part in lower case. Dots and plus signs are kept: what they mean is the business of the mail server behind the
//! address.

use crate::text;

/// Most bytes of an address (RFC 5321, 4.5.3.1.3, without the angle brackets).
const BYTES_MAX: usize = 254;
/// Most bytes of a local part (RFC 5321, 4.5.3.1.1).
const LOCAL_BYTES_MAX: usize = 64;

/// An address that may be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Email {
    /// As typed, trimmed and composed, with the domain in lower case: shown to people.
    pub(super) shown: String,
    /// Two addresses are the same if these are equal.
    pub(super) normal: String,
}

impl Email {
    /// Reads an address.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(typed: &str) -> Result<Self, String> {
        let typed = typed.trim();
        if typed.is_empty() {
            return Err("is required: send an address such as ada@example.com".to_owned());
        }
        // Composing makes no address shorter than a quarter: what is this long is refused before the work.
        if typed.len() > 4 * BYTES_MAX {
            return Err(format!("has {} bytes: an address has at most {BYTES_MAX}", typed.len()));
        }
        let typed = text::composed(typed);
        if typed.len() > BYTES_MAX {
            return Err(format!("has {} bytes: an address has at most {BYTES_MAX}", typed.len()));
        }
        let malformed = || "must be one local part, @ and a domain, as in ada@example.com".to_owned();
        let (local, domain) = typed.rsplit_once('@').ok_or_else(malformed)?;
        if !local_is_good(local) {
            return Err(malformed());
        }
        let domain_normal = idna::domain_to_ascii_strict(domain)
            .ok()
            .filter(|domain| domain_is_good(domain))
            .ok_or_else(|| format!("has no valid domain after @: {domain:?}"))?;
        let domain_shown = if domain.is_ascii() {
            domain.to_ascii_lowercase()
        } else {
            idna::domain_to_unicode(&domain_normal).0
        };
        let local_normal = text::composed(&local.to_lowercase());
        let email = Self {
            shown: format!("{local}@{domain_shown}"),
            normal: format!("{local_normal}@{domain_normal}"),
        };
        // Lower case and the ASCII form can be longer than what was typed.
        if email.normal.len() > BYTES_MAX || email.shown.len() > BYTES_MAX || local_normal.len() > LOCAL_BYTES_MAX {
            return Err(format!(
                "is longer than {BYTES_MAX} bytes, or {LOCAL_BYTES_MAX} before @, in lower case and with its domain in ASCII"
            ));
        }
        Ok(email)
    }
}

/// Accepts a dot-string of RFC 5321 or its international form (RFC 6531); quoted local parts are refused.
fn local_is_good(local: &str) -> bool {
    let atom = |atom: &str| !atom.is_empty() && atom.chars().all(|c| !c.is_ascii() || is_atext(c));
    local.len() <= LOCAL_BYTES_MAX
        && local
            .chars()
            .all(|c| !c.is_control() && !c.is_whitespace() && !text::is_invisible(c))
        && local.split('.').all(atom)
}

fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

fn domain_is_good(domain: &str) -> bool {
    !domain.is_empty() && !domain.ends_with('.') && domain.len() <= 253
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_one_normal_form_and_are_shown_as_typed() {
        for (typed, shown, normal) in [
            ("ada@example.com", "ada@example.com", "ada@example.com"),
            (" Ada.L@Example.COM\n", "Ada.L@example.com", "ada.l@example.com"),
            ("ada+tea@example.com", "ada+tea@example.com", "ada+tea@example.com"),
            ("ada@Bücher.example", "ada@bücher.example", "ada@xn--bcher-kva.example"),
            (
                "ada@XN--BCHER-KVA.example",
                "ada@xn--bcher-kva.example",
                "ada@xn--bcher-kva.example",
            ),
            ("ÄDA@example.com", "ÄDA@example.com", "äda@example.com"),
            // The same letters, typed in parts.
            (
                "A\u{308}DA@bu\u{308}cher.example",
                "ÄDA@bücher.example",
                "äda@xn--bcher-kva.example",
            ),
            // What UTS 46 maps: full width, the ideographic full stop, a soft hyphen.
            ("ada@ｅｘａｍｐｌｅ。com", "ada@example.com", "ada@example.com"),
            ("ada@exam\u{ad}ple.com", "ada@example.com", "ada@example.com"),
            ("ada@straße.example", "ada@straße.example", "ada@xn--strae-oqa.example"),
            (
                "o'hara!#$%&*/=?^`{|}~@example.com",
                "o'hara!#$%&*/=?^`{|}~@example.com",
                "o'hara!#$%&*/=?^`{|}~@example.com",
            ),
            ("ada@localhost", "ada@localhost", "ada@localhost"),
        ] {
            let email = Email::parse(typed).unwrap();
            assert_eq!(
                (email.shown.as_str(), email.normal.as_str()),
                (shown, normal),
                "{typed:?}"
            );
        }
    }

    #[test]
    fn the_normal_form_is_its_own_normal_form() {
        for typed in ["ada@Bücher.example", "ÄDA@example.com", "A.b@ß.example"] {
            let email = Email::parse(typed).unwrap();
            assert_eq!(Email::parse(&email.normal).unwrap().normal, email.normal, "{typed}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let long_local = format!("{}@example.com", "x".repeat(65));
        let long = format!(
            "x@{}.com",
            [
                "a".repeat(60),
                "b".repeat(60),
                "c".repeat(60),
                "d".repeat(60),
                "e".repeat(20)
            ]
            .join(".")
        );
        for typed in [
            "",
            "  ",
            "ada",
            "@example.com",
            "ada@",
            "a da@example.com",
            "a\0da@example.com",
            "a\tda@example.com",
            "a\u{a0}da@example.com",
            "a\u{200b}da@example.com",
            "ada\u{202e}@example.com",
            "ada\n@example.com",
            "a,da@example.com",
            "a;da@example.com",
            "Ada <ada@example.com>",
            "\"a da\"@example.com",
            "ada(x)@example.com",
            "ada@exam\0ple.com",
            "ada@exam\u{200b}ple .com",
            "ada@[127.0.0.1]",
            "ada@.example.com",
            "ada@xn--a.example",
            ".ada@example.com",
            "a..da@example.com",
            "ada.@example.com",
            "a@da@example.com",
            "ada@exa mple.com",
            "ada@-example.com",
            "ada@example..com",
            "ada@example.com.",
            "ada@exam_ple.com",
            "<ada@example.com>",
            "\"ada\"@example.com",
            &long_local,
            &long,
        ] {
            assert!(Email::parse(typed).is_err(), "{typed:?}");
        }
    }
}
