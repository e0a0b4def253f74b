//! `google.protobuf.FieldMask`: paths joined by commas, in lowerCamelCase.

use crate::echo;

/// As in JSON, where paths are in lowerCamelCase only; as snake_case.
pub(crate) fn parse_json_mask(text: &str) -> Result<Vec<String>, String> {
    match text.split(',').find(|path| path.contains('_')) {
        Some(path) => Err(format!("{} is not a field path in lowerCamelCase", echo::quoted(path))),
        None => parse_mask(text),
    }
}

/// As in a path or a query: paths joined by commas, in lowerCamelCase or snake_case; as snake_case.
pub(crate) fn parse_mask(text: &str) -> Result<Vec<String>, String> {
    let paths = text.split(',').filter(|_| !text.is_empty());
    paths
        .map(|path| {
            let snake = to_snake(path);
            let is_path = is_plain_path(path.as_bytes()) && path.split('.').all(|name| !name.is_empty());
            match to_camel(&snake).filter(|camel| is_path && to_snake(camel) == snake) {
                Some(_) => Ok(snake),
                None => Err(format!("{} is not a field path", echo::quoted(path))),
            }
        })
        .collect()
}

/// Whether a string has nothing of a path to escape: a real one is letters, digits, `_` and `.`.
pub(crate) fn is_plain_path(path: &[u8]) -> bool {
    path.iter()
        .all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\'))
}

fn to_snake(camel: &str) -> String {
    let mut snake = String::with_capacity(camel.len() + 4);
    for letter in camel.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// Puts the lowerCamelCase of a snake_case path; `None` if it could not be read back.
pub(crate) fn put_camel(mut put: impl FnMut(u8), snake: &[u8]) -> Option<()> {
    let mut letters = snake.iter();
    while let Some(letter) = letters.next() {
        match letter {
            b'_' => put(letters
                .next()
                .filter(|next| next.is_ascii_lowercase())?
                .to_ascii_uppercase()),
            b'A'..=b'Z' => return None,
            _ => put(*letter),
        }
    }
    Some(())
}

/// lowerCamelCase of a snake_case path; `None` if it could not be read back.
fn to_camel(snake: &str) -> Option<String> {
    let mut camel = Vec::with_capacity(snake.len());
    put_camel(|letter| camel.push(letter), snake.as_bytes())?;
    String::from_utf8(camel).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks() {
        for (text, expected) in [
            ("", Some(vec![])),
            ("fooBar,baz.quxQuux", Some(vec!["foo_bar", "baz.qux_quux"])),
            ("foo_bar", Some(vec!["foo_bar"])),
            ("a,,b", None),
            // What cannot be written is not read either.
            ("a\u{7f}", None),
            ("a\u{8}b", None),
            ("caf\u{e9}", None),
            ("a\"b", None),
            ("a..b", None),
            ("foo__bar", None),
            ("foo_3", None),
            ("foo_", None),
        ] {
            let parsed = parse_mask(text).ok();
            assert_eq!(
                parsed,
                expected.map(|paths| paths.into_iter().map(str::to_owned).collect()),
                "{text}"
            );
        }
        assert_eq!(to_camel("foo_bar.baz").as_deref(), Some("fooBar.baz"));
        assert_eq!(to_camel("fooBar"), None);
    }
}
