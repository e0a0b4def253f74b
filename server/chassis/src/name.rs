//! Resource names (AIP-122): `users/{user}/orders/{order}`. A pattern is the same with `*` for each id, as in
//! `users/*/orders/*`; it is code, a name comes from outside.

use crate::status::Violation;

/// Bound of a name in bytes.
const NAME_BYTES_MAX: usize = 256;

/// Matches a name against a pattern such as `users/*/orders/*` and returns the ids. An id is one to 128 letters,
/// digits, `-`, `_`, `.` or `~` (the characters that need no escape in a URL).
///
/// # Errors
/// A violation of `field` that shows the pattern expected.
pub fn parse<'a, const N: usize>(field: &str, name: &'a str, pattern: &str) -> Result<[&'a str; N], Violation> {
    let ids = if name.len() <= NAME_BYTES_MAX {
        matched(name, pattern)
    } else {
        None
    };
    ids.ok_or_else(|| Violation::new(field, format!("must have the form `{}`", spelled_out(pattern))))
}

/// Returns the name of a user, `users/{user}`, with the id as stored. The names of all that a user has begin with it.
pub fn of_user(user_id: i64) -> String {
    format!("users/{user_id}")
}

fn matched<'a, const N: usize>(name: &'a str, pattern: &str) -> Option<[&'a str; N]> {
    let mut ids = [""; N];
    let mut found = 0;
    let mut segments = name.split('/');
    for expected in pattern.split('/') {
        let segment = segments.next()?;
        if expected != "*" {
            (segment == expected).then_some(())?;
            continue;
        }
        is_id(segment).then_some(())?;
        *ids.get_mut(found)? = segment;
        found += 1;
    }
    (segments.next().is_none() && found == N).then_some(ids)
}

fn is_id(segment: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    (1..=128).contains(&segment.len()) && segment.bytes().all(allowed)
}

/// `users/*/apiKeys/*` as people read it: `users/{user}/apiKeys/{api_key}`.
fn spelled_out(pattern: &str) -> String {
    let mut collection = "";
    let mut text = String::new();
    for segment in pattern.split('/') {
        if !text.is_empty() {
            text.push('/');
        }
        if segment == "*" {
            let singular = collection.strip_suffix('s').unwrap_or(collection);
            text.push('{');
            for letter in singular.chars() {
                if letter.is_ascii_uppercase() {
                    text.push('_');
                }
                text.push(letter.to_ascii_lowercase());
            }
            text.push('}');
        } else {
            text.push_str(segment);
        }
        collection = segment;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_matched_whole() {
        let cases: &[(&str, Option<[&str; 2]>)] = &[
            ("users/7/orders/9", Some(["7", "9"])),
            ("users/me/orders/a-b_c.d~e", Some(["me", "a-b_c.d~e"])),
            ("users/-/orders/-", Some(["-", "-"])),
            // Too short, too long, another collection, another case.
            ("", None),
            ("users/7", None),
            ("users/7/orders", None),
            ("users/7/orders/9/", None),
            ("users/7/orders/9/lines/1", None),
            ("users/7/keys/9", None),
            ("Users/7/orders/9", None),
            ("/users/7/orders/9", None),
            // Ids that are none.
            ("users//orders/9", None),
            ("users/7/orders/", None),
            ("users/7/orders/a b", None),
            ("users/7/orders/%39", None),
            ("users/7/orders/é", None),
        ];
        for (name, expected) in cases {
            assert_eq!(parse::<2>("name", name, "users/*/orders/*").ok(), *expected, "{name:?}");
        }
        assert!(parse::<1>("name", &format!("users/{}", "7".repeat(129)), "users/*").is_err());
    }

    #[test]
    fn the_violation_shows_the_form() {
        let violation = parse::<2>("api_key.name", "x", "users/*/apiKeys/*").unwrap_err();
        assert_eq!(
            violation,
            Violation::new("api_key.name", "must have the form `users/{user}/apiKeys/{api_key}`")
        );
    }
}
