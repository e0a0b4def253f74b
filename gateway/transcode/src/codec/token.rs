//! A strict JSON tokenizer (RFC 8259) over one body. It hands out what comes next and knows where that stands; what
//! comes next is asked by whoever knows the field, so there is no tree and no event.
//!
//! Strict where readers differ: duplicate keys, trailing data, a byte-order mark, lone surrogates and anything that is
//! not UTF-8 are refused. Numbers stay text, so that no 64-bit integer passes through a float.

mod expected;
mod keys;
mod number;
mod scan;
mod skip;
mod string;

use std::borrow::Cow;

pub(crate) use expected::Expected;
pub(crate) use keys::{Duplicate, Key, Keys};
pub(crate) use number::is_number;
pub(crate) use scan::find_escaped_in_text;

/// Deepest nesting of arrays and objects; that of messages has a bound of its own (`wire::DEPTH_MAX`).
pub(crate) const DEPTH_MAX: usize = 100;

/// Not JSON, or not as we take it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) offset: usize,
    pub(crate) problem: String,
    /// It is JSON all the same; what is refused is a value in it.
    pub(crate) is_json: bool,
}

impl SyntaxError {
    #[cold]
    fn new(offset: usize, problem: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            offset,
            problem: problem.into(),
            is_json: false,
        })
    }
}

/// Boxed: what goes well is then handed back in registers.
type Result<T> = std::result::Result<T, Box<SyntaxError>>;

/// A body and a place in it.
#[derive(Debug, Clone)]
pub(crate) struct Tokens<'j> {
    text: &'j str,
    bytes: &'j [u8],
    at: usize,
    depth: usize,
}

/// What a value begins like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

impl Start {
    /// What it is, for messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

impl<'j> Tokens<'j> {
    /// Starts before the first value. The whole body is checked to be UTF-8 here, so that no string has to be.
    pub(crate) fn new(body: &'j [u8]) -> Result<Self> {
        let text = simdutf8::compat::from_utf8(body)
            .map_err(|error| SyntaxError::new(error.valid_up_to(), "the body is not UTF-8"))?;
        let mut tokens = Self::over(text);
        tokens.space();
        Ok(tokens)
    }

    fn over(text: &'j str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            depth: 0,
        }
    }

    /// Where the next token begins, in bytes.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// What is left of the body.
    #[inline]
    pub(crate) fn rest(&self) -> &'j [u8] {
        &self.bytes[self.at..]
    }

    /// The body from a place on that has been passed.
    pub(crate) fn rest_from(&self, offset: usize) -> &'j [u8] {
        &self.bytes[offset..]
    }

    /// Takes bytes that the caller has looked at: ASCII, without a line between halves of a token.
    #[inline]
    pub(crate) fn advance(&mut self, count: usize) {
        self.at += count;
    }

    /// Nothing may follow.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.space();
        if self.at < self.bytes.len() {
            Err(self.unexpected("the end of the body"))
        } else {
            Ok(())
        }
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    #[inline]
    pub(crate) fn space(&mut self) {
        if matches!(self.peek(), Some(0..=b' ')) {
            self.spaces();
        }
    }

    fn spaces(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// What the next value begins like; a word is read to its end, so that `nul` is no value.
    pub(crate) fn start(&self) -> Result<Start> {
        Ok(match self.peek() {
            Some(b'{') => Start::Object,
            Some(b'[') => Start::Array,
            Some(b'"') => Start::String,
            Some(b'-' | b'0'..=b'9') => Start::Number,
            Some(b't') if self.rest().starts_with(b"true") => Start::Bool,
            Some(b'f') if self.rest().starts_with(b"false") => Start::Bool,
            Some(b'n') if self.rest().starts_with(b"null") => Start::Null,
            _ => return Err(self.unexpected("a JSON value")),
        })
    }

    /// Takes `null`, if it is next.
    #[inline]
    pub(crate) fn eat_null(&mut self) -> bool {
        self.peek() == Some(b'n') && self.eat_word(b"null")
    }

    /// Takes `true` or `false`, if one is next.
    #[inline]
    pub(crate) fn eat_bool(&mut self) -> Option<bool> {
        match self.peek() {
            Some(b't') => self.eat_word(b"true").then_some(true),
            Some(b'f') => self.eat_word(b"false").then_some(false),
            _ => None,
        }
    }

    #[inline]
    fn eat_word(&mut self, word: &[u8]) -> bool {
        let found = self.rest().starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    /// Takes the `{` or `[` that the caller has seen; true if there is something in it.
    #[inline]
    pub(crate) fn open(&mut self, closing: u8) -> Result<bool> {
        if self.depth == DEPTH_MAX {
            return Err(self.too_deep());
        }
        self.depth += 1;
        self.at += 1;
        self.space();
        let is_empty = self.eat(closing);
        self.depth -= usize::from(is_empty);
        Ok(!is_empty)
    }

    /// After an element or a member: true if another follows, which is then next.
    #[inline]
    pub(crate) fn more(&mut self, closing: u8) -> Result<bool> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.space();
                Ok(true)
            }
            Some(byte) if byte == closing => {
                self.at += 1;
                self.depth -= 1;
                Ok(false)
            }
            Some(b' ' | b'\t' | b'\r' | b'\n') => {
                self.spaces();
                self.more_after_space(closing)
            }
            _ => Err(self.unclosed(closing)),
        }
    }

    #[inline(never)]
    fn more_after_space(&mut self, closing: u8) -> Result<bool> {
        self.more(closing)
    }

    #[cold]
    fn too_deep(&self) -> Box<SyntaxError> {
        let mut error = SyntaxError::new(self.at, format!("nested deeper than {DEPTH_MAX} levels"));
        error.is_json = true;
        error
    }

    #[cold]
    fn unclosed(&self, closing: u8) -> Box<SyntaxError> {
        self.unexpected(if closing == b'}' { "`,` or `}`" } else { "`,` or `]`" })
    }

    /// Takes a key with its colon, if it is the expected one; the value is next.
    #[inline]
    pub(crate) fn eat_key(&mut self, expected: &Expected) -> bool {
        let found = expected.begins(self.rest());
        if found {
            self.at += expected.len();
            self.space();
        }
        found
    }

    /// Takes a key and its colon; the value is next.
    pub(crate) fn key(&mut self) -> Result<Cow<'j, str>> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("a key in double quotes"));
        }
        let key = self.text()?;
        self.colon()?;
        Ok(key)
    }

    /// Takes what stands between a key and its value.
    #[inline]
    pub(crate) fn colon(&mut self) -> Result<()> {
        self.space();
        if !self.eat(b':') {
            return Err(self.unexpected("`:`"));
        }
        self.space();
        Ok(())
    }

    #[cold]
    pub(crate) fn unexpected(&self, expected: &str) -> Box<SyntaxError> {
        let problem = match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some(found) => format!("expected {expected}, found {found:?}"),
            None => format!("expected {expected}, found the end of the body"),
        };
        SyntaxError::new(self.at, problem)
    }
}
