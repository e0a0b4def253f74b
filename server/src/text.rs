//! Texts that people write, as they are stored: composed by Unicode's form C, without white space at either end, of a
//! bounded length, and with nothing in them that cannot be seen. Pure.
//!
//! So two texts that look the same are the same bytes: an update that sends what is there already changes nothing.

use std::ops::RangeInclusive;

use unicode_normalization::UnicodeNormalization;

/// What a field accepts. A character is a Unicode scalar value in form C: at most 4 bytes.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    /// How many characters.
    chars: RangeInclusive<usize>,
    /// Whether it may have line breaks and tabs.
    is_multiline: bool,
}

/// A name shown to people.
pub(crate) const DISPLAY_NAME: Rule = Rule::line(1..=200);
/// A name shown to people that may be left out.
pub(crate) const OPTIONAL_DISPLAY_NAME: Rule = Rule::line(0..=200);
/// Longer text that may be left out.
pub(crate) const DESCRIPTION: Rule = Rule::lines(0..=4_000);

impl Rule {
    const fn line(chars: RangeInclusive<usize>) -> Self {
        Self {
            chars,
            is_multiline: false,
        }
    }

    const fn lines(chars: RangeInclusive<usize>) -> Self {
        Self {
            chars,
            is_multiline: true,
        }
    }
}

/// Returns a text as it is stored.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn normal(typed: &str, rule: &Rule) -> Result<String, String> {
    let (min, max) = (*rule.chars.start(), *rule.chars.end());
    let typed = typed.trim();
    let typed_chars = typed.chars().count();
    // Form C makes no text shorter than a quarter: what is this long is refused before the work.
    if typed_chars > 4 * max {
        return Err(format!("has {typed_chars} characters: send {min} to {max}"));
    }
    let text = composed(&typed.replace("\r\n", "\n"));
    let chars = text.chars().count();
    if min > 0 && text.chars().all(|c| c.is_whitespace() || is_invisible(c)) {
        return Err(format!("is required: send {min} to {max} characters"));
    }
    if !rule.chars.contains(&chars) {
        return Err(format!("has {chars} characters: send {min} to {max}"));
    }
    match text.chars().find(|c| !is_printable(*c, rule.is_multiline)) {
        Some(c) => Err(format!(
            "has the control character U+{:04X}: send printable text",
            u32::from(c)
        )),
        None => Ok(text),
    }
}

/// Returns a text in Unicode's form C.
pub(crate) fn composed(text: &str) -> String {
    text.nfc().collect()
}

/// Tells whether a character shows nothing by itself: those of Unicode's property Default_Ignorable_Code_Point.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFF8}' | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Refuses control characters, and those that turn the direction of the text around them, or end its line.
fn is_printable(c: char, is_multiline: bool) -> bool {
    match c {
        '\n' | '\t' => is_multiline,
        '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => false,
        _ => !c.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_have_one_form() {
        let three = Rule::line(1..=3);
        let lines = Rule::lines(0..=8);
        for (typed, rule, expected) in [
            // Trimmed and composed, then counted.
            ("tea", &three, Ok("tea")),
            (" \u{a0}tea\u{3000}\n", &three, Ok("tea")),
            ("a\u{308}o\u{308}u\u{308}", &three, Ok("äöü")),
            ("e\u{301}", &three, Ok("é")),
            ("\u{212b}", &three, Ok("Å")),
            // A joiner between signs is part of them.
            ("👩\u{200d}🌾", &three, Ok("👩\u{200d}🌾")),
            ("a\r\nb\tc", &lines, Ok("a\nb\tc")),
            ("", &lines, Ok("")),
            ("  ", &lines, Ok("")),
            // Nothing to see.
            ("", &three, Err("is required: send 1 to 3 characters")),
            (" \t\n", &three, Err("is required: send 1 to 3 characters")),
            ("\u{200b}\u{feff}", &three, Err("is required: send 1 to 3 characters")),
            // Too long.
            ("teas", &three, Err("has 4 characters: send 1 to 3")),
            ("123456789", &lines, Err("has 9 characters: send 0 to 8")),
            // Not to be printed.
            (
                "a\nb",
                &three,
                Err("has the control character U+000A: send printable text"),
            ),
            (
                "a\0b",
                &lines,
                Err("has the control character U+0000: send printable text"),
            ),
            (
                "a\rb",
                &lines,
                Err("has the control character U+000D: send printable text"),
            ),
            (
                "a\u{7f}",
                &three,
                Err("has the control character U+007F: send printable text"),
            ),
            (
                "a\u{85}b",
                &lines,
                Err("has the control character U+0085: send printable text"),
            ),
            (
                "a\u{202e}b",
                &lines,
                Err("has the control character U+202E: send printable text"),
            ),
            (
                "a\u{2028}b",
                &lines,
                Err("has the control character U+2028: send printable text"),
            ),
        ] {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(normal(typed, rule), expected, "{typed:?}");
        }
        let endless = "e\u{301}".repeat(1_000_000);
        assert!(
            normal(&endless, &DESCRIPTION)
                .unwrap_err()
                .starts_with("has 2000000 characters")
        );
    }

    proptest! {
        #[test]
        fn the_stored_form_is_its_own_stored_form(typed in "\\PC{0,60}") {
            if let Ok(text) = normal(&typed, &DESCRIPTION) {
                prop_assert!(text.len() <= 4 * text.chars().count());
                prop_assert_eq!(normal(&text, &DESCRIPTION), Ok(text));
            }
        }
    }
}
