//! A strict JSON reader (RFC 8259) that remembers where each value stands.
//!
//! Strict where readers differ: duplicate keys, trailing data, a byte-order mark, lone surrogates and anything that is not
//! UTF-8 are refused. Numbers stay text, so that no 64-bit integer passes through a float.

use std::borrow::Cow;
use std::collections::HashSet;

/// Deepest nesting of arrays and objects.
pub(crate) const DEPTH_MAX: usize = 100;
/// From so many members on, duplicates are sought by hash.
const LINEAR_MEMBERS_MAX: usize = 16;

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node<'j> {
    pub(crate) offset: usize,
    pub(crate) value: Json<'j>,
}

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json<'j> {
    Null,
    Bool(bool),
    /// As written; it fits the grammar of a number.
    Number(&'j str),
    String(Cow<'j, str>),
    Array(Vec<Node<'j>>),
    Object(Vec<Member<'j>>),
}

/// One member of an object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Member<'j> {
    pub(crate) key: Cow<'j, str>,
    pub(crate) key_offset: usize,
    pub(crate) node: Node<'j>,
}

/// Not JSON, or not as we take it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) offset: usize,
    pub(crate) problem: String,
}

impl Json<'_> {
    /// What it is, for messages.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Number(_) => "a number",
            Json::String(_) => "a string",
            Json::Array(_) => "an array",
            Json::Object(_) => "an object",
        }
    }
}

/// Parses one value and nothing after it.
pub(crate) fn parse(bytes: &[u8]) -> Result<Node<'_>, SyntaxError> {
    let text = std::str::from_utf8(bytes).map_err(|error| SyntaxError {
        offset: error.valid_up_to(),
        problem: "the body is not UTF-8".to_owned(),
    })?;
    let mut parser = Parser {
        text,
        bytes,
        at: 0,
        depth: 0,
    };
    parser.space();
    let node = parser.value()?;
    parser.space();
    if parser.at < bytes.len() {
        Err(parser.unexpected("the end of the body"))
    } else {
        Ok(node)
    }
}

/// Whether the text is a JSON number and nothing else.
pub(crate) fn is_number(text: &str) -> bool {
    let mut parser = Parser {
        text,
        bytes: text.as_bytes(),
        at: 0,
        depth: 0,
    };
    parser.number().is_ok() && parser.at == text.len()
}

struct Parser<'j> {
    text: &'j str,
    bytes: &'j [u8],
    at: usize,
    depth: usize,
}

impl<'j> Parser<'j> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn error(&self, offset: usize, problem: impl Into<String>) -> SyntaxError {
        SyntaxError {
            offset,
            problem: problem.into(),
        }
    }

    fn unexpected(&self, expected: &str) -> SyntaxError {
        let problem = match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some(found) => format!("expected {expected}, found {found:?}"),
            None => format!("expected {expected}, found the end of the body"),
        };
        self.error(self.at, problem)
    }

    fn value(&mut self) -> Result<Node<'j>, SyntaxError> {
        let offset = self.at;
        let value = match self.peek() {
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::array)?,
            Some(b'"') => Json::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => Json::Number(self.number()?),
            Some(b't') => self.word("true", Json::Bool(true))?,
            Some(b'f') => self.word("false", Json::Bool(false))?,
            Some(b'n') => self.word("null", Json::Null)?,
            _ => return Err(self.unexpected("a JSON value")),
        };
        Ok(Node { offset, value })
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Json<'j>, SyntaxError>) -> Result<Json<'j>, SyntaxError> {
        if self.depth == DEPTH_MAX {
            return Err(self.error(self.at, format!("nested deeper than {DEPTH_MAX} levels")));
        }
        self.depth += 1;
        self.at += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn word(&mut self, word: &str, value: Json<'j>) -> Result<Json<'j>, SyntaxError> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.unexpected("a JSON value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn array(&mut self) -> Result<Json<'j>, SyntaxError> {
        let mut elements = Vec::new();
        self.space();
        if self.eat(b']') {
            return Ok(Json::Array(elements));
        }
        loop {
            self.space();
            elements.push(self.value()?);
            self.space();
            if self.eat(b']') {
                return Ok(Json::Array(elements));
            }
            if !self.eat(b',') {
                return Err(self.unexpected("`,` or `]`"));
            }
        }
    }

    fn object(&mut self) -> Result<Json<'j>, SyntaxError> {
        let mut members: Vec<Member<'j>> = Vec::new();
        let mut keys: HashSet<String> = HashSet::new();
        self.space();
        if self.eat(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.space();
            let key_offset = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("a key in double quotes"));
            }
            let key = self.string()?;
            if is_duplicate(&members, &mut keys, &key) {
                return Err(self.error(key_offset, format!("duplicate key {key:?}")));
            }
            self.space();
            if !self.eat(b':') {
                return Err(self.unexpected("`:`"));
            }
            self.space();
            let node = self.value()?;
            members.push(Member { key, key_offset, node });
            self.space();
            if self.eat(b'}') {
                return Ok(Json::Object(members));
            }
            if !self.eat(b',') {
                return Err(self.unexpected("`,` or `}`"));
            }
        }
    }

    fn number(&mut self) -> Result<&'j str, SyntaxError> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _sign = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    fn digits(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if start == self.at {
            Err(self.unexpected("a digit"))
        } else {
            Ok(())
        }
    }

    fn string(&mut self) -> Result<Cow<'j, str>, SyntaxError> {
        let opening = self.at;
        self.at += 1;
        let mut run = self.at;
        let mut unescaped = String::new();
        loop {
            match self.peek() {
                Some(b'"') => {
                    let tail = &self.text[run..self.at];
                    self.at += 1;
                    if unescaped.is_empty() {
                        return Ok(Cow::Borrowed(tail));
                    }
                    return Ok(Cow::Owned(unescaped + tail));
                }
                Some(b'\\') => {
                    unescaped.push_str(&self.text[run..self.at]);
                    unescaped.push(self.escape()?);
                    run = self.at;
                }
                Some(0..=0x1f) => return Err(self.error(self.at, "control character in a string")),
                Some(_) => self.at += 1,
                None => return Err(self.error(opening, "string is not closed")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, SyntaxError> {
        let start = self.at;
        self.at += 1;
        let letter = self.peek().ok_or_else(|| self.error(start, "string is not closed"))?;
        self.at += 1;
        Ok(match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(start),
            _ => return Err(self.error(start, "unknown escape in a string")),
        })
    }

    fn unicode(&mut self, start: usize) -> Result<char, SyntaxError> {
        let first = self.unit(start)?;
        let lone = || SyntaxError {
            offset: start,
            problem: "lone surrogate in a string".to_owned(),
        };
        if !(0xd800..0xe000).contains(&first) {
            return char::from_u32(first).ok_or_else(lone);
        }
        if first >= 0xdc00 || !(self.eat(b'\\') && self.eat(b'u')) {
            return Err(lone());
        }
        let second = self.unit(start)?;
        if !(0xdc00..0xe000).contains(&second) {
            return Err(lone());
        }
        char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)).ok_or_else(lone)
    }

    fn unit(&mut self, start: usize) -> Result<u32, SyntaxError> {
        let digits = self
            .bytes
            .get(self.at..self.at + 4)
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let unit = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.at += 4;
        unit.ok_or_else(|| self.error(start, "malformed \\u escape in a string"))
    }
}

fn is_duplicate(members: &[Member<'_>], keys: &mut HashSet<String>, key: &str) -> bool {
    if members.len() < LINEAR_MEMBERS_MAX {
        return members.iter().any(|member| member.key == key);
    }
    if keys.is_empty() {
        keys.extend(members.iter().map(|member| member.key.clone().into_owned()));
    }
    !keys.insert(key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn reads_values_and_places() {
        let node = parse(br#" {"a": [1.5e-3, "\ud83d\ude00\n\u0000"], "b": null} "#).unwrap();
        let Json::Object(members) = &node.value else { panic!() };
        assert_eq!(
            (node.offset, members[1].key_offset, members[1].node.offset),
            (1, 41, 46)
        );
        let Json::Array(elements) = &members[0].node.value else {
            panic!()
        };
        assert_eq!(elements[0].value, Json::Number("1.5e-3"));
        assert_eq!(elements[1].value, Json::String("\u{1f600}\n\0".into()));
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
