//! Values that nobody asks for: gone through and checked, not kept.

use super::keys::Key;
use super::{Keys, Result, Start, SyntaxError, Tokens, scan};

impl<'j> Tokens<'j> {
    /// Takes any value. With `keys`, duplicate keys in it are refused; without, the value is read again later.
    pub(crate) fn skip(&mut self, mut keys: Option<&mut Keys<'j>>) -> Result<()> {
        match self.start()? {
            Start::Null => self.at += 4,
            Start::Bool => drop(self.eat_bool()),
            Start::Number => drop(self.number()?),
            Start::String => self.skip_string()?,
            Start::Array => {
                let mut more = self.open(b']')?;
                while more {
                    self.skip(keys.as_deref_mut())?;
                    more = self.more(b']')?;
                }
            }
            Start::Object => self.skip_object(keys)?,
        }
        Ok(())
    }

    fn skip_object(&mut self, mut keys: Option<&mut Keys<'j>>) -> Result<()> {
        let open = keys.as_ref().map_or(0, |keys| keys.open());
        let mut more = self.open(b'}')?;
        while more {
            let offset = self.at;
            let key = self.key()?;
            if let Some(keys) = keys.as_deref_mut() {
                keys.insert(open, Key::Text(key), offset)
                    .map_err(|duplicate| SyntaxError::new(duplicate.offset, duplicate.problem()))?;
            }
            self.skip(keys.as_deref_mut())?;
            more = self.more(b'}')?;
        }
        if let Some(keys) = keys {
            keys.close(open)
                .map_err(|duplicate| SyntaxError::new(duplicate.offset, duplicate.problem()))?;
        }
        Ok(())
    }

    fn skip_string(&mut self) -> Result<()> {
        let end = scan::find_escaped_in_json(self.bytes, self.at + 1);
        if self.bytes.get(end) == Some(&b'"') {
            self.at = end + 1;
            return Ok(());
        }
        self.unescape(&mut Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::super::DEPTH_MAX;
    use super::*;

    fn parse(text: &[u8]) -> Result<()> {
        let mut tokens = Tokens::new(text)?;
        tokens.skip(Some(&mut Keys::default()))?;
        tokens.finish()
    }

    #[test]
    fn refuses_with_a_place() {
        for (text, offset, problem) in [
            ("", 0, "expected a JSON value, found the end"),
            ("  ", 2, "expected a JSON value, found the end"),
            ("\r\t\n", 3, "expected a JSON value, found the end"),
            ("Invalid", 0, "expected a JSON value, found 'I'"),
            ("nul", 0, "expected a JSON value"),
            (r#"{"name""#, 7, "expected `:`, found the end"),
            (r#"{"a":1]"#, 6, "expected `,` or `}`, found ']'"),
            (r#"{"a" , "b":1}"#, 5, "expected `:`, found ','"),
            (r#"{"a":1,}"#, 7, "expected a key"),
            ("[1,]", 3, "expected a JSON value, found ']'"),
            ("{a:1}", 1, "expected a key"),
            ("{'a':1}", 1, "expected a key"),
            ("[1 // c\n]", 3, "expected `,` or `]`, found '/'"),
            (r#"{"theme":"C"}EXTRA"#, 13, "expected the end of the body, found 'E'"),
            ("{}{}", 2, "expected the end of the body"),
            ("\u{feff}{}", 0, "expected a JSON value"),
            (r#"{"a":1,"b":2,"a":3}"#, 13, "duplicate key \"a\""),
            (r#"{"a":1,"\u0061":3}"#, 7, "duplicate key \"a\""),
            ("[01]", 2, "expected `,` or `]`, found '1'"),
            ("1.", 2, "expected a digit"),
            ("-", 1, "expected a digit"),
            ("1e", 2, "expected a digit"),
            (".5", 0, "expected a JSON value"),
            ("+1", 0, "expected a JSON value"),
            ("NaN", 0, "expected a JSON value"),
            (r#""abc"#, 0, "string is not closed"),
            (r#""a\"#, 2, "string is not closed"),
            ("\"a\nb\"", 2, "control character"),
            (r#""\x""#, 1, "unknown escape"),
            (r#""\u12g4""#, 1, "malformed"),
            (r#""\u12"#, 1, "malformed"),
            (r#""\ud83d""#, 1, "lone surrogate"),
            (r#""\ud83d\u0041""#, 1, "lone surrogate"),
            (r#""\ude00""#, 1, "lone surrogate"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(
                error.offset == offset && error.problem.starts_with(problem),
                "{text}: {error:?}"
            );
        }
        let error = parse(&[b'"', 0x22, 0xc3, 0x28, 0x22]).unwrap_err();
        assert_eq!((error.offset, error.problem.as_str()), (2, "the body is not UTF-8"));
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(parse(nested(DEPTH_MAX).as_bytes()).is_ok());
        let error = parse(nested(DEPTH_MAX + 1).as_bytes()).unwrap_err();
        assert_eq!(
            (error.offset, error.problem.as_str()),
            (DEPTH_MAX, "nested deeper than 100 levels")
        );
        assert!(parse("[".repeat(DEPTH_MAX).as_bytes()).is_err());
        assert!(parse("[".repeat(1_000_000).as_bytes()).is_err());
    }

    #[test]
    fn many_members_are_checked_for_duplicates_too() {
        let members: Vec<_> = (0..20_000).map(|number| format!("\"k{number}\":{number}")).collect();
        assert!(parse(format!("{{{}}}", members.join(",")).as_bytes()).is_ok());
        for twice in ["k3", "k19999"] {
            let text = format!("{{{},\"{twice}\":0}}", members.join(","));
            assert!(parse(text.as_bytes()).unwrap_err().problem.contains(twice));
        }
    }

    proptest::proptest! {
        /// What serde_json reads, we read, but for what we refuse on purpose; and nothing panics.
        #[test]
        fn agrees_with_serde_json(text in "[\\[\\]{}:,\"a0-9.eE+\\-ntrufalsn \\\\]{0,24}") {
            let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            match parse(text.as_bytes()) {
                Ok(_) => proptest::prop_assert!(theirs),
                Err(error) => proptest::prop_assert!(!theirs || error.problem.starts_with("duplicate key")),
            }
        }
    }
}
