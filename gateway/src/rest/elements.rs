//! The elements of a streamed body, found as its chunks come: pure, and without regard to what an element means. Only
//! as much is looked at as tells where an element ends; whether it is JSON says the codec, to which it goes as a whole.

use bytes::{Buf, Bytes, BytesMut};
use millrace_transcode::Position;

/// Deepest nesting in one element, as in a body that is no stream.
const DEPTH_MAX: usize = 100;

/// How the elements stand in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notation {
    /// One JSON array.
    Array,
    /// One JSON value to a line; empty lines are nothing.
    Lines,
}

/// One element, whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) json: Bytes,
    /// From 0.
    pub(super) number: u64,
    /// Where it begins in the body.
    pub(super) start: Position,
}

/// Why no more elements can be found.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ElementError {
    /// What stands between the elements is wrong.
    #[error("{problem} at line {}, column {} (byte {})", at.line, at.column, at.offset)]
    Syntax {
        /// What is wrong.
        problem: String,
        /// Where.
        at: Position,
    },
    /// An element is larger than a body may be.
    #[error("element {number} of the body is larger than {bytes_max} bytes")]
    TooLarge {
        /// Its number, from 0.
        number: u64,
        /// The limit.
        bytes_max: usize,
    },
}

/// Cuts a body into elements. An element that lies inside one chunk is a slice of it; only split ones are copied.
#[derive(Debug)]
pub(super) struct Elements {
    notation: Notation,
    bytes_max: usize,
    state: State,
    /// What is left of the newest chunk.
    chunk: Bytes,
    /// An element of which only the beginning came so far.
    partial: BytesMut,
    /// Where `partial`, or else the next element, begins.
    start: Position,
    /// Where `chunk` begins.
    at: Position,
    number: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the `[`.
    Unopened,
    /// After the `[`.
    First,
    /// After a comma, or where a line begins.
    Value,
    /// In an element of an array.
    Inside(Inside),
    /// After an element of an array.
    After,
    /// After the `]`.
    Closed,
}

/// How far into an element the search for its end has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Inside {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

/// What a look at some bytes of an element has shown.
enum Look {
    /// It ends after so many of them.
    End(usize),
    /// It goes on.
    More,
    /// The byte at this place is one level too deep.
    TooDeep(usize),
}

impl Elements {
    pub(super) fn new(notation: Notation, bytes_max: usize) -> Self {
        let first = Position {
            line: 1,
            column: 1,
            offset: 0,
        };
        Self {
            notation,
            bytes_max,
            state: match notation {
                Notation::Array => State::Unopened,
                Notation::Lines => State::Value,
            },
            chunk: Bytes::new(),
            partial: BytesMut::new(),
            start: first,
            at: first,
            number: 0,
        }
    }

    /// Takes the next chunk; the one before is used up.
    pub(super) fn push(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty(), "`next` was not asked until it had nothing more");
        self.chunk = chunk;
    }

    /// Bytes of an element that has begun and is not whole.
    pub(super) fn partial_bytes(&self) -> usize {
        self.partial.len()
    }

    /// Whether the body has begun as its notation demands; false if it is not known yet.
    pub(super) fn has_begun(&mut self) -> Result<bool, ElementError> {
        if self.state != State::Unopened {
            return Ok(true);
        }
        self.skip_space();
        match self.chunk.first() {
            None => Ok(false),
            Some(b'[') => {
                self.advance(1);
                self.state = State::First;
                Ok(true)
            }
            Some(_) => Err(self.expected(
                "`[`: the messages of a stream are one JSON array, or lines of JSON as `application/x-ndjson`",
            )),
        }
    }

    /// The next whole element, `None` until more bytes come.
    pub(super) fn next(&mut self) -> Result<Option<Element>, ElementError> {
        match self.notation {
            Notation::Array => self.next_of_array(),
            Notation::Lines => self.next_line(),
        }
    }

    /// The last element of a body that ended; after it, `None`.
    pub(super) fn finish(&mut self) -> Result<Option<Element>, ElementError> {
        match (self.notation, self.state) {
            (Notation::Lines, _) => {
                let line = self.partial.split().freeze();
                Ok(self.line(line))
            }
            // A call without a body has no messages.
            (Notation::Array, State::Unopened | State::Closed) => Ok(None),
            (Notation::Array, State::Inside(_)) => Err(self.syntax("the body ended inside an element".to_owned())),
            (Notation::Array, _) => Err(self.expected("the rest of the array, up to its `]`")),
        }
    }

    fn next_of_array(&mut self) -> Result<Option<Element>, ElementError> {
        if !self.has_begun()? {
            return Ok(None);
        }
        loop {
            if let State::Inside(inside) = self.state {
                return self.rest_of_element(inside);
            }
            self.skip_space();
            let Some(&byte) = self.chunk.first() else {
                return Ok(None);
            };
            self.state = match (self.state, byte) {
                (State::First | State::After, b']') => State::Closed,
                (State::After, b',') => State::Value,
                (State::After, _) => return Err(self.expected("`,` or `]`")),
                (State::Closed | State::Unopened, _) => return Err(self.expected("the end of the body")),
                (_, b',' | b']' | b'}' | b':') => return Err(self.expected("a JSON value")),
                _ => {
                    self.start = self.at;
                    self.state = State::Inside(Inside::default());
                    continue;
                }
            };
            self.advance(1);
        }
    }

    /// Goes on in an element that has begun.
    fn rest_of_element(&mut self, mut inside: Inside) -> Result<Option<Element>, ElementError> {
        let look = inside.look(&self.chunk);
        let (bytes, is_whole) = match look {
            Look::End(bytes) => (bytes, true),
            Look::More => (self.chunk.len(), false),
            Look::TooDeep(bytes) => {
                self.advance(bytes);
                return Err(self.syntax(format!("nested deeper than {DEPTH_MAX} levels")));
            }
        };
        let json = self.grown(bytes, is_whole)?;
        self.state = State::Inside(inside);
        let Some(json) = json else { return Ok(None) };
        self.state = State::After;
        Ok(Some(self.numbered(json)))
    }

    fn next_line(&mut self) -> Result<Option<Element>, ElementError> {
        loop {
            let end = self.chunk.iter().position(|byte| *byte == b'\n');
            let bytes = end.unwrap_or(self.chunk.len());
            let Some(line) = self.grown(bytes, end.is_some())? else {
                return Ok(None);
            };
            let element = self.line(line);
            self.advance(1);
            self.start = self.at;
            if element.is_some() {
                return Ok(element);
            }
        }
    }

    fn line(&mut self, line: Bytes) -> Option<Element> {
        let is_blank = line.iter().all(|byte| is_space(*byte));
        (!is_blank).then(|| self.numbered(line))
    }

    /// Moves bytes of the chunk to the element; returns it if it is whole with them.
    fn grown(&mut self, bytes: usize, is_whole: bool) -> Result<Option<Bytes>, ElementError> {
        if self.partial.len() + bytes > self.bytes_max {
            return Err(ElementError::TooLarge {
                number: self.number,
                bytes_max: self.bytes_max,
            });
        }
        let more = self.chunk.slice(..bytes);
        self.advance(bytes);
        if is_whole && self.partial.is_empty() {
            return Ok(Some(more));
        }
        self.partial.extend_from_slice(&more);
        Ok(is_whole.then(|| self.partial.split().freeze()))
    }

    fn numbered(&mut self, json: Bytes) -> Element {
        let number = self.number;
        self.number += 1;
        Element {
            json,
            number,
            start: self.start,
        }
    }

    fn skip_space(&mut self) {
        let bytes = self.chunk.iter().take_while(|byte| is_space(**byte)).count();
        self.advance(bytes);
    }

    /// Passes bytes of the chunk.
    fn advance(&mut self, bytes: usize) {
        let passed = &self.chunk[..bytes];
        match passed.iter().rposition(|byte| *byte == b'\n') {
            None => self.at.column += bytes,
            Some(last) => {
                self.at.line += passed.iter().filter(|byte| **byte == b'\n').count();
                self.at.column = bytes - last;
            }
        }
        self.at.offset += bytes;
        self.chunk.advance(bytes);
    }

    fn expected(&self, what: &str) -> ElementError {
        let found = match self.chunk.first() {
            None => "the end".to_owned(),
            Some(byte) if byte.is_ascii_graphic() => format!("'{}'", char::from(*byte)),
            Some(byte) => format!("byte {byte}"),
        };
        self.syntax(format!("expected {what}; found {found}"))
    }

    fn syntax(&self, problem: String) -> ElementError {
        ElementError::Syntax { problem, at: self.at }
    }
}

impl Inside {
    /// Looks for the end of an element. One that is no JSON ends somewhere too: the codec says what is wrong with it.
    fn look(&mut self, bytes: &[u8]) -> Look {
        for (index, byte) in bytes.iter().enumerate() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => {
                        self.in_string = false;
                        if self.depth == 0 {
                            return Look::End(index + 1);
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' if self.depth == DEPTH_MAX => return Look::TooDeep(index),
                b'{' | b'[' => self.depth += 1,
                // What ends a number or a name is no part of it.
                b'}' | b']' | b',' if self.depth == 0 => return Look::End(index),
                space if self.depth == 0 && is_space(*space) => return Look::End(index),
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Look::End(index + 1);
                    }
                }
                _ => {}
            }
        }
        Look::More
    }
}

/// White space as JSON has it.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests;
