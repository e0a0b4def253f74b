//! Names that a new service may have: the package's last noun, which also names files, modules and types. Pure.

/// Fewest and most characters of a name.
const CHARS_MIN: usize = 2;
const CHARS_MAX: usize = 30;

/// Rust's keywords of small letters, the reserved ones included: no module can have such a name.
const KEYWORDS: [&str; 50] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
    "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true",
    "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while",
];

/// Names that would hide one that the generated code or the proto itself looks up.
const HIDING: [(&str, &str); 3] = [
    (
        "google",
        "a package millrace.google would hide google.api from the proto's options",
    ),
    (
        "millrace",
        "a package millrace.millrace would hide millrace.api from the proto's options",
    ),
    ("intercepted", "tonic has an InterceptedService of its own"),
];

/// Reads a name.
///
/// # Errors
/// Why no service can have it.
pub(super) fn service_name(text: &str) -> Result<String, String> {
    let is_word = |word: &str| {
        // A digit that began a word would lose the `_` before it in the type's name.
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    if !(CHARS_MIN..=CHARS_MAX).contains(&text.len()) || !text.split('_').all(is_word) {
        return Err(format!(
            "use {CHARS_MIN} to {CHARS_MAX} small letters, digits and single `_`, each word beginning with a letter, \
             as in `shipping` or `shipping_zones`"
        ));
    }
    if KEYWORDS.contains(&text) {
        return Err(format!(
            "`{text}` is a word of Rust, and the module is named after the service; choose another"
        ));
    }
    match HIDING.iter().find(|(name, _)| *name == text) {
        Some((_, why)) => Err(format!("{why}; choose another")),
        None => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_nouns_of_packages() {
        // Each with a word of what it is refused for.
        for (name, refused) in [
            ("shipping", None),
            ("shipping_zones", None),
            ("shipping2", None),
            ("v2", None),
            ("status", None),
            ("abcdefghijklmnopqrstuvwxyz_abc", None),
            ("abcdefghijklmnopqrstuvwxyz_abcd", Some("2 to 30")),
            ("Shipping", Some("small letters")),
            ("s", Some("2 to 30")),
            ("", Some("2 to 30")),
            ("2shipping", Some("small letters")),
            ("shipping-zones", Some("small letters")),
            ("shipping zones", Some("small letters")),
            ("shipping_", Some("small letters")),
            ("_shipping", Some("small letters")),
            ("shipping__zones", Some("small letters")),
            ("shipping_2", Some("beginning with a letter")),
            ("../x", Some("small letters")),
            ("größe", Some("small letters")),
            ("match", Some("word of Rust")),
            ("type", Some("word of Rust")),
            ("google", Some("hide")),
            ("millrace", Some("hide")),
            ("intercepted", Some("tonic")),
        ] {
            match (service_name(name), refused) {
                (Ok(good), None) => assert_eq!(good, name),
                (Err(why), Some(part)) => assert!(why.contains(part), "{name}: {why}"),
                (outcome, _) => panic!("{name}: {outcome:?}"),
            }
        }
    }
}
