//! A caller's own words in what is said to it: cut, so that no answer grows with its request, nor a log with either.

use std::borrow::Cow;

/// Most characters of one name or value.
pub const ECHO_CHARS_MAX: usize = 128;
/// Most bytes of the path of a field.
pub const PATH_BYTES_MAX: usize = 512;
/// Most bytes of a whole message.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024;

/// Stands for what is cut off.
const CUT: char = '…';

/// A name or value as it is, or its beginning.
pub fn short(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(ECHO_CHARS_MAX) {
        Some((end, _)) => Cow::Owned(format!("{}{CUT}", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// The same in quotes, with what cannot be seen escaped.
pub fn quoted(text: &str) -> String {
    format!("{:?}", short(text))
}

/// At most so many bytes of a text, with the mark of what is cut off.
pub(crate) fn within(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max.saturating_sub(CUT.len_utf8())));
        text.push(CUT);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_between_characters() {
        for (length, is_cut) in [(0, false), (1, false), (128, false), (129, true), (100_000, true)] {
            for letter in ["a", "é", "😀"] {
                let text = letter.repeat(length);
                let expected = match is_cut {
                    true => letter.repeat(128) + "…",
                    false => text.clone(),
                };
                assert_eq!(short(&text), expected);
                assert_eq!(quoted(&text), format!("{expected:?}"));
                let whole = within(text.clone(), 300);
                assert!(whole.len() <= 300 && (whole == text || whole.ends_with('…')), "{whole}");
            }
        }
        assert_eq!(quoted("a\n\"b"), r#""a\n\"b""#);
    }
}
