//! The grammar of HTTP path templates (`google/api/http.proto`), parsed once at load.
//!
//! ```text
//! Template  = "/" Segments [ ":" Verb ]        Segments = Segment { "/" Segment }
//! Segment   = "*" | "**" | Literal | Variable   Variable = "{" FieldPath [ "=" Segments ] "}"
//! ```
//! Wider than the specification in one way: literals may follow `**` (`/a/**/b`). Narrower in none.
//! Whether a variable names a field of the request is not known here: see `rule`.

use crate::percent;

/// Most segments in one template; also bounds the depth of the routing trie.
pub const SEGMENTS_MAX: usize = 64;
/// Most bytes in a verb; bounds how many `:` of a request's last segment are tried.
pub const VERB_BYTES_MAX: usize = 128;

/// A path template, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// What each segment of a path must be.
    pub segments: Vec<Segment>,
    /// The part after the last `:`, without it.
    pub verb: Option<String>,
    /// The variables, in the order in which they are written.
    pub captures: Vec<Capture>,
}

/// One segment of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// This text, after percent-decoding.
    Literal(String),
    /// `*`: any one segment that is not empty.
    One,
    /// `**`: any number of segments, also none; at most one per template.
    Many,
}

/// A variable: which segments it takes, and the field they go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// Field names from the request message downwards.
    pub field_path: Vec<String>,
    /// First segment of the template that it covers.
    pub start: usize,
    /// One past the last segment that it covers.
    pub end: usize,
    /// Whether it can hold a `/`: such a value keeps `%2F` as it came.
    pub multi: bool,
}

/// Why a template is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("path template at byte {offset}: {problem}")]
pub struct TemplateError {
    /// Where, in bytes from the start of the template.
    pub offset: usize,
    /// What is wrong there.
    pub problem: TemplateProblem,
}

/// What can be wrong in a template.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TemplateProblem {
    /// Templates are absolute.
    #[error("must start with `/`")]
    NoSlash,
    /// `//`, a trailing `/`, or nothing before the verb.
    #[error("empty segment")]
    EmptySegment,
    /// `:` with nothing after it.
    #[error("empty verb")]
    EmptyVerb,
    /// A character that a path cannot hold here.
    #[error("unexpected {0:?}")]
    Unexpected(char),
    /// `%` without two hexadecimal digits, or an escape that is not UTF-8.
    #[error("malformed percent-encoding")]
    BadEscape,
    /// A `{` without its `}`.
    #[error("variable is not closed")]
    Unclosed,
    /// A field path that is not identifiers joined by dots.
    #[error("field path is not identifiers joined by dots")]
    BadFieldPath,
    /// A variable inside a variable.
    #[error("variables cannot be nested")]
    Nested,
    /// The same field captured twice.
    #[error("variable `{0}` appears twice")]
    Twice(String),
    /// Something else than literals after `**`.
    #[error("only literals may follow `**`")]
    AfterMany,
    /// More than [`SEGMENTS_MAX`] segments, or a verb of more than [`VERB_BYTES_MAX`] bytes.
    #[error("too long")]
    TooLong,
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// The first problem, with its place.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parser = Parser {
            text,
            at: 0,
            template: Self {
                segments: vec![],
                verb: None,
                captures: vec![],
            },
        };
        parser.template()?;
        Ok(parser.template)
    }

    /// Where `**` stands, if anywhere.
    pub fn many(&self) -> Option<usize> {
        self.segments.iter().position(|segment| *segment == Segment::Many)
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    template: Template,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn error<T>(&self, problem: TemplateProblem) -> Result<T, TemplateError> {
        Err(TemplateError {
            offset: self.at,
            problem,
        })
    }

    fn template(&mut self) -> Result<(), TemplateError> {
        if !self.eat(b'/') {
            return self.error(TemplateProblem::NoSlash);
        }
        // `/` alone is the root: one empty segment.
        if self.peek().is_none() {
            self.template.segments.push(Segment::Literal(String::new()));
            return Ok(());
        }
        self.segments(false)?;
        if self.eat(b':') {
            self.verb()?;
        }
        match self.text[self.at..].chars().next() {
            Some(other) => self.error(TemplateProblem::Unexpected(other)),
            None => Ok(()),
        }
    }

    fn segments(&mut self, in_variable: bool) -> Result<(), TemplateError> {
        loop {
            self.segment(in_variable)?;
            if self.template.segments.len() > SEGMENTS_MAX {
                return self.error(TemplateProblem::TooLong);
            }
            if !self.eat(b'/') {
                return Ok(());
            }
        }
    }

    fn segment(&mut self, in_variable: bool) -> Result<(), TemplateError> {
        match self.peek() {
            Some(b'*') => {
                let segment = if self.text[self.at..].starts_with("**") {
                    Segment::Many
                } else {
                    Segment::One
                };
                if self.template.many().is_some() {
                    return self.error(TemplateProblem::AfterMany);
                }
                self.at += if segment == Segment::Many { 2 } else { 1 };
                self.template.segments.push(segment);
                Ok(())
            }
            Some(b'{') if in_variable => self.error(TemplateProblem::Nested),
            Some(b'{') => self.variable(),
            _ => self.literal(in_variable),
        }
    }

    fn literal(&mut self, in_variable: bool) -> Result<(), TemplateError> {
        let start = self.at;
        // Inside a variable `:` cannot begin a verb, so it is text there.
        while self
            .peek()
            .is_some_and(|byte| is_literal(byte) || in_variable && byte == b':')
        {
            self.at += 1;
        }
        if start == self.at {
            return match self.text[self.at..].chars().next() {
                None | Some('/' | ':') => self.error(TemplateProblem::EmptySegment),
                Some('}') if in_variable => self.error(TemplateProblem::EmptySegment),
                Some(other) => self.error(TemplateProblem::Unexpected(other)),
            };
        }
        match percent::decode_all(&self.text[start..self.at]) {
            Some(text) => {
                self.template.segments.push(Segment::Literal(text.into_owned()));
                Ok(())
            }
            None => {
                self.at = start;
                self.error(TemplateProblem::BadEscape)
            }
        }
    }

    fn variable(&mut self) -> Result<(), TemplateError> {
        self.at += 1;
        let field_path = self.field_path()?;
        let start = self.template.segments.len();
        if self.eat(b'=') {
            self.segments(true)?;
        } else {
            if self.template.many().is_some() {
                return self.error(TemplateProblem::AfterMany);
            }
            self.template.segments.push(Segment::One);
        }
        if !self.eat(b'}') {
            return match self.text[self.at..].chars().next() {
                None => self.error(TemplateProblem::Unclosed),
                Some(other) => self.error(TemplateProblem::Unexpected(other)),
            };
        }
        let covered = &self.template.segments[start..];
        let multi = covered.len() > 1 || covered.contains(&Segment::Many);
        if self
            .template
            .captures
            .iter()
            .any(|capture| capture.field_path == field_path)
        {
            return self.error(TemplateProblem::Twice(field_path.join(".")));
        }
        let end = self.template.segments.len();
        self.template.captures.push(Capture {
            field_path,
            start,
            end,
            multi,
        });
        Ok(())
    }

    fn field_path(&mut self) -> Result<Vec<String>, TemplateError> {
        let rest = &self.text[self.at..];
        let Some(length) = rest.find(['=', '}']) else {
            return self.error(TemplateProblem::Unclosed);
        };
        let path: Vec<String> = rest[..length].split('.').map(str::to_owned).collect();
        if !path.iter().all(|name| is_identifier(name)) {
            return self.error(TemplateProblem::BadFieldPath);
        }
        self.at += length;
        Ok(path)
    }

    fn verb(&mut self) -> Result<(), TemplateError> {
        let start = self.at;
        while self
            .peek()
            .is_some_and(|byte| is_literal(byte) && byte != b'%' || byte == b':')
        {
            self.at += 1;
        }
        let verb = &self.text[start..self.at];
        if verb.is_empty() || verb.ends_with(':') || verb.starts_with(':') {
            return self.error(TemplateProblem::EmptyVerb);
        }
        if verb.len() > VERB_BYTES_MAX {
            return self.error(TemplateProblem::TooLong);
        }
        self.template.verb = Some(verb.to_owned());
        Ok(())
    }
}

/// The `pchar` of RFC 3986 but `:` (a verb's) and `*` (a wildcard's).
fn is_literal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()+,;=@%".contains(&byte)
}

fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(template: &Template) -> String {
        let segments = template.segments.iter().map(|segment| match segment {
            Segment::Literal(text) => text.as_str(),
            Segment::One => "*",
            Segment::Many => "**",
        });
        let captures = template.captures.iter().map(|capture| {
            let kind = if capture.multi { "+" } else { "" };
            format!(
                " {}={}..{}{kind}",
                capture.field_path.join("."),
                capture.start,
                capture.end
            )
        });
        let verb = template.verb.iter().map(|verb| format!(":{verb}"));
        segments.collect::<Vec<_>>().join("/") + &verb.chain(captures).collect::<String>()
    }

    #[test]
    fn accepts() {
        for (text, expected) in [
            ("/", ""),
            (
                "/shelves/{shelf}/books/{book}",
                "shelves/*/books/* shelf=1..2 book=3..4",
            ),
            ("/**", "**"),
            ("/shelves/**", "shelves/**"),
            ("/*/a/**", "*/a/**"),
            ("/a/{a.b.c}", "a/* a.b.c=1..2"),
            ("/a/{a.b.c=*}", "a/* a.b.c=1..2"),
            ("/a/{b=c/**}/d/e", "a/c/**/d/e b=1..3+"),
            ("/a/{b=c/**/d}/e:verb", "a/c/**/d/e:verb b=1..4+"),
            ("/v1/{name}:b:c", "v1/*:b:c name=1..2"),
            ("/v1/{name=segment/wi:th}", "v1/segment/wi:th name=1..3+"),
            ("/v1/{name=users/*}/orders:watch", "v1/users/*/orders:watch name=1..3+"),
            ("/foo%2Fbar/%2A", "foo/bar/*"),
            ("/a/{b=c}", "a/c b=1..2"),
        ] {
            assert_eq!(
                Template::parse(text).map(|t| shape(&t)),
                Ok(expected.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn an_escaped_star_is_text() {
        let template = Template::parse("/%2A").unwrap();
        assert_eq!(template.segments, [Segment::Literal("*".to_owned())]);
    }

    #[test]
    fn refuses() {
        use TemplateProblem as P;
        for (text, expected) in [
            (":verb", P::NoSlash),
            ("", P::NoSlash),
            ("a", P::NoSlash),
            ("/:verb", P::EmptySegment),
            ("/a/:verb", P::EmptySegment),
            ("/a/", P::EmptySegment),
            ("/a//b", P::EmptySegment),
            ("/{var}:", P::EmptyVerb),
            ("/*:", P::EmptyVerb),
            ("/a::b", P::EmptyVerb),
            ("/{}", P::BadFieldPath),
            ("/a/{", P::Unclosed),
            ("/a/{var", P::Unclosed),
            ("/a/{var.", P::Unclosed),
            ("/a/{var=b", P::Unclosed),
            ("/a/{var=/b}", P::EmptySegment),
            ("/a/{var=}", P::EmptySegment),
            ("/{var=a/{nested=b}}", P::Nested),
            ("/a/**/*", P::AfterMany),
            ("/a/**/foo/*", P::AfterMany),
            ("/a/**/**", P::AfterMany),
            ("/a/**/{b}", P::AfterMany),
            ("/{1}", P::BadFieldPath),
            ("/{field.1}", P::BadFieldPath),
            ("/{-}", P::BadFieldPath),
            ("/{field-}", P::BadFieldPath),
            ("/foo/bar/baz?abc=def", P::Unexpected('?')),
            ("/foo/bar/baz buzz", P::Unexpected(' ')),
            ("/{a}/{a}", P::Twice("a".to_owned())),
            ("/foo/bar:baz/buzz", P::Unexpected('/')),
            ("/a*", P::Unexpected('*')),
            ("/**a", P::Unexpected('a')),
            ("/{a}b", P::Unexpected('b')),
            ("/%zz", P::BadEscape),
            ("/é", P::Unexpected('é')),
        ] {
            assert_eq!(
                Template::parse(text).map_err(|error| error.problem),
                Err(expected),
                "{text}"
            );
        }
        assert_eq!(
            Template::parse(&"/a".repeat(65)).map_err(|e| e.problem),
            Err(P::TooLong)
        );
    }
}
