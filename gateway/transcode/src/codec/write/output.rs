//! The buffer that JSON is written to. It is longer than what is written: behind that there is room, so that short
//! texts are put as whole words, without a loop over their bytes, and then count as long as they are.

use std::ops::Range;

use super::digits::{self, DECIMAL_BYTES};
use super::text;

/// Bytes of a word.
const WORD: usize = 16;
/// Room is filled with zeros step by step, not all at once: what is written next is then in the cache. The first step is as
/// large as the text will be, but for long ones. A further one is half of what was written here already; each at least so
/// many bytes, and no more than the buffer has room for.
const STEP: usize = 256;
const FIRST_STEP_MAX: usize = 1024;

/// A buffer and how much of it is written.
#[derive(Debug, Default)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    /// What was there before.
    start: usize,
    at: usize,
    /// The first step, until it is taken.
    first: usize,
}

/// A text that is put often: in words, the last filled up.
#[derive(Debug)]
pub(crate) struct Words {
    first: [u8; WORD],
    more: Box<[[u8; WORD]]>,
    length: usize,
}

/// A text of at most 32 bytes; behind it there is garbage.
#[derive(Debug)]
pub(crate) struct Short {
    pub(crate) bytes: [u8; 32],
    pub(crate) length: usize,
}

impl Words {
    pub(crate) fn new(text: &[u8]) -> Self {
        let word = |part: &[u8]| {
            let mut word = [0; WORD];
            word[..part.len()].copy_from_slice(part);
            word
        };
        let mut words = text.chunks(WORD).map(word);
        Self {
            first: words.next().unwrap_or_default(),
            more: words.collect(),
            length: text.len(),
        }
    }
}

impl Output {
    /// Goes on at the end of `bytes`, with room for about so many more.
    pub(crate) fn new(mut bytes: Vec<u8>, room: usize) -> Self {
        let at = bytes.len();
        bytes.reserve(room);
        let first = room.min(FIRST_STEP_MAX);
        Self {
            bytes,
            start: at,
            at,
            first,
        }
    }

    /// What is written, and what was there before.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.bytes.truncate(self.at);
        self.bytes
    }

    /// The end of what is written.
    #[inline]
    pub(crate) fn end(&self) -> usize {
        self.at
    }

    /// What is written from a place on.
    #[inline]
    pub(crate) fn since(&self, start: usize) -> &[u8] {
        &self.bytes[start..self.at]
    }

    /// A part of what is written.
    pub(crate) fn written(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    /// Takes back what is written from a place on.
    #[inline]
    pub(crate) fn cut(&mut self, end: usize) {
        self.at = end;
    }

    /// Writes a byte over one that is written.
    #[inline]
    pub(crate) fn set(&mut self, place: usize, byte: u8) {
        self.bytes[place] = byte;
    }

    /// The room behind what is written, at least so many bytes; [`Output::advance`] says how many were used.
    #[inline(always)]
    pub(crate) fn room(&mut self, count: usize) -> &mut [u8] {
        if self.bytes.len() - self.at < count {
            self.grow(count);
        }
        &mut self.bytes[self.at..]
    }

    #[inline]
    pub(crate) fn advance(&mut self, count: usize) {
        self.at += count;
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, count: usize) {
        let needed = self.at + count;
        let spare = self.bytes.capacity().saturating_sub(needed);
        let written = self.at.saturating_sub(self.start);
        let step = (written / 2).max(std::mem::take(&mut self.first)).max(STEP).min(spare);
        self.bytes.resize(needed + step, 0);
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, byte: u8) {
        self.room(1)[0] = byte;
        self.at += 1;
    }

    #[inline(always)]
    pub(crate) fn put(&mut self, text: &[u8]) {
        self.room(text.len())[..text.len()].copy_from_slice(text);
        self.at += text.len();
    }

    #[inline(always)]
    pub(crate) fn put_words(&mut self, text: &Words) {
        self.room(WORD)[..WORD].copy_from_slice(&text.first);
        if text.length > WORD {
            self.put_more(text);
        }
        self.at += text.length;
    }

    fn put_more(&mut self, text: &Words) {
        let room = self.room(WORD + text.more.len() * WORD);
        let room = room[WORD..].as_chunks_mut().0;
        for (to, word) in room.iter_mut().zip(&text.more) {
            *to = *word;
        }
    }

    #[inline]
    pub(crate) fn put_short(&mut self, text: &Short) {
        self.room(text.bytes.len())[..text.bytes.len()].copy_from_slice(&text.bytes);
        self.at += text.length;
    }

    #[inline]
    pub(crate) fn put_unsigned(&mut self, number: u64) {
        let room = self.room(DECIMAL_BYTES);
        self.at += digits::decimal(number, &mut room.as_chunks_mut().0[0]);
    }

    #[inline]
    pub(crate) fn put_signed(&mut self, number: i64) {
        if number < 0 {
            self.push(b'-');
        }
        self.put_unsigned(number.unsigned_abs());
    }

    /// Puts a number in quotes.
    #[inline]
    pub(crate) fn put_quoted(&mut self, is_negative: bool, magnitude: u64) {
        let room = self.room(3 + DECIMAL_BYTES);
        room[..2].copy_from_slice(b"\"-");
        let start = 1 + usize::from(is_negative);
        let digits = &mut room[start..start + DECIMAL_BYTES + 1];
        let length = digits::decimal(magnitude, &mut digits.as_chunks_mut().0[0]);
        digits[length] = b'"';
        self.at += start + length + 1;
    }

    /// Puts a string in quotes. The bytes are not checked to be UTF-8.
    #[inline(never)]
    pub(crate) fn put_string(&mut self, string: &[u8]) {
        let room = self.room(string.len() + 2 + text::SLACK);
        room[0] = b'"';
        if text::copy_plain(string, &mut room[1..]) {
            room[string.len() + 1] = b'"';
            self.at += string.len() + 2;
        } else {
            text::put_escaped(self, string);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(put: impl FnOnce(&mut Output)) -> Vec<u8> {
        let mut out = Output::new(b"x".to_vec(), 0);
        put(&mut out);
        out.finish()
    }

    #[test]
    fn words_count_as_long_as_their_text() {
        let text = b"0123456789abcdefghijklmnopqrstuvwxyz";
        for length in 0..=text.len() {
            let words = Words::new(&text[..length]);
            let twice = written(|out| {
                out.put_words(&words);
                out.put_words(&words);
            });
            assert_eq!(twice, [b"x", &text[..length], &text[..length]].concat());
        }
    }

    #[test]
    fn numbers() {
        for number in [0, 1, -1, 99_999_999, 100_000_000, i64::MAX, i64::MIN] {
            let text = written(|out| out.put_signed(number));
            assert_eq!(text, format!("x{number}").as_bytes());
            let text = written(|out| out.put_quoted(number < 0, number.unsigned_abs()));
            assert_eq!(text, format!("x\"{number}\"").as_bytes());
        }
    }

    #[test]
    fn strings_of_every_length_with_an_escape_at_every_place() {
        for length in 0..40 {
            let plain = vec![b'a'; length];
            let expected = format!("x\"{}\"", "a".repeat(length));
            assert_eq!(written(|out| out.put_string(&plain)), expected.as_bytes());
            for place in 0..length {
                let mut text = plain.clone();
                text[place] = b'"';
                let expected = format!("x\"{}\\\"{}\"", "a".repeat(place), "a".repeat(length - place - 1));
                assert_eq!(written(|out| out.put_string(&text)), expected.as_bytes());
            }
        }
    }
}
