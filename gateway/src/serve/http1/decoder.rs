//! Where the body of a request ends, by its length or by its chunks (RFC 9112, 6 and 7.1).

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;

use super::head::{HEADERS_MAX, Length};

/// Bytes of the line before a chunk: its size, and extensions that nobody reads.
const LINE_BYTES_MAX: usize = 1 << 10;
/// Bytes of all extensions of a body.
const EXTENSION_BYTES_MAX: usize = 16 << 10;
/// Bytes of trailers.
const TRAILER_BYTES_MAX: usize = 16 << 10;

/// Takes a body apart.
#[derive(Debug)]
pub(super) struct Decoder {
    state: State,
    extension_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// So many bytes are still to come.
    Length(u64),
    /// The line before a chunk.
    Size,
    Chunk(u64),
    /// The end of a chunk's last line.
    ChunkEnd,
    Trailers,
    Ended,
    /// Its end cannot be known.
    Malformed,
}

/// What is there next.
#[derive(Debug)]
pub(super) enum Next {
    Frame(Frame<Bytes>),
    /// Not before more has come.
    Missing,
    End,
}

/// A body whose end nobody can know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the chunks of the body are malformed: {0}")]
pub(super) struct Malformed(&'static str);

impl Decoder {
    pub(super) fn new(length: Length) -> Self {
        Self {
            state: match length {
                Length::Bytes(0) => State::Ended,
                Length::Bytes(length) => State::Length(length),
                Length::Chunked => State::Size,
            },
            extension_bytes: 0,
        }
    }

    /// Of a request that could not be read.
    pub(super) fn without_end() -> Self {
        Self {
            state: State::Malformed,
            extension_bytes: 0,
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// How much is still to come, if that is known.
    pub(super) fn left(&self) -> Option<u64> {
        match self.state {
            State::Length(left) => Some(left),
            State::Ended => Some(0),
            _ => None,
        }
    }

    /// Takes what is next off the front of what came. After an error there is only that.
    pub(super) fn next(&mut self, input: &mut BytesMut) -> Result<Next, Malformed> {
        let next = self.step(input);
        if next.is_err() {
            self.state = State::Malformed;
        }
        next
    }

    fn step(&mut self, input: &mut BytesMut) -> Result<Next, Malformed> {
        loop {
            match self.state {
                State::Ended => return Ok(Next::End),
                State::Malformed => return Err(Malformed("their end is not known")),
                State::Length(_) | State::Chunk(_) if input.is_empty() => return Ok(Next::Missing),
                State::Length(left) => {
                    let data = up_to(input, left);
                    let left = left - data.len() as u64;
                    self.state = if left == 0 { State::Ended } else { State::Length(left) };
                    return Ok(Next::Frame(Frame::data(data)));
                }
                State::Chunk(left) => {
                    let data = up_to(input, left);
                    let left = left - data.len() as u64;
                    self.state = if left == 0 { State::ChunkEnd } else { State::Chunk(left) };
                    return Ok(Next::Frame(Frame::data(data)));
                }
                State::ChunkEnd => match &input[..] {
                    [b'\r', b'\n', ..] => {
                        input.advance(2);
                        self.state = State::Size;
                    }
                    [] | [b'\r'] => return Ok(Next::Missing),
                    _ => return Err(Malformed("a chunk is longer than it says")),
                },
                State::Size => {
                    let Some(line) = line(input, LINE_BYTES_MAX)? else {
                        return Ok(Next::Missing);
                    };
                    self.state = match self.size(&line)? {
                        0 => State::Trailers,
                        size => State::Chunk(size),
                    };
                }
                State::Trailers => {
                    let Some(block) = block(input)? else {
                        return Ok(Next::Missing);
                    };
                    self.state = State::Ended;
                    if block.len() > 2 {
                        return trailers(&block).map(|trailers| Next::Frame(Frame::trailers(trailers)));
                    }
                }
            }
        }
    }

    /// The size of a chunk, from the line before it without its end.
    fn size(&mut self, line: &[u8]) -> Result<u64, Malformed> {
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (digits, extension) = line.split_at(digits);
        self.extension_bytes += extension.len();
        if self.extension_bytes > EXTENSION_BYTES_MAX {
            return Err(Malformed("their extensions are longer than 16 KiB"));
        }
        let blank = extension.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        match extension[blank..] {
            [] | [b';', ..] if !extension.contains(&b'\r') => {}
            _ => return Err(Malformed("a size is no hexadecimal number")),
        }
        str::from_utf8(digits)
            .ok()
            .and_then(|digits| u64::from_str_radix(digits, 16).ok())
            .ok_or(Malformed("a size is no hexadecimal number, or too large"))
    }
}

/// As much of what came as belongs to what is `left`.
fn up_to(input: &mut BytesMut, left: u64) -> Bytes {
    let bytes = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
    input.split_to(bytes).freeze()
}

/// Takes a line, which has to end with CR and LF: whoever is in front may not take one alone for an end.
fn line(input: &mut BytesMut, bytes_max: usize) -> Result<Option<BytesMut>, Malformed> {
    let end = memchr::memchr(b'\n', &input[..input.len().min(bytes_max)]);
    match end {
        None if input.len() >= bytes_max => Err(Malformed("a line is longer than 1 KiB")),
        None => Ok(None),
        Some(end) => {
            let mut line = input.split_to(end + 1);
            if !line.ends_with(b"\r\n") {
                return Err(Malformed("a line ends without CR"));
            }
            line.truncate(end - 1);
            Ok(Some(line))
        }
    }
}

/// Takes the trailers with the empty line behind them.
fn block(input: &mut BytesMut) -> Result<Option<BytesMut>, Malformed> {
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', input) {
        match &input[start..=end] {
            [b'\r', b'\n'] => return Ok(Some(input.split_to(end + 1))),
            line if !line.ends_with(b"\r\n") => return Err(Malformed("a line ends without CR")),
            _ if end >= TRAILER_BYTES_MAX => break,
            _ => start = end + 1,
        }
    }
    match input.len() {
        TRAILER_BYTES_MAX.. => Err(Malformed("the trailers are longer than 16 KiB")),
        _ => Ok(None),
    }
}

fn trailers(block: &[u8]) -> Result<HeaderMap, Malformed> {
    let malformed = |_| Malformed("the trailers are no headers");
    let mut lines = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let parsed = match httparse::parse_headers(block, &mut lines) {
        Ok(httparse::Status::Complete((_, parsed))) => parsed,
        _ => return Err(malformed(())),
    };
    let mut trailers = HeaderMap::with_capacity(parsed.len());
    for line in parsed {
        let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(|_| malformed(()))?;
        let value = HeaderValue::from_bytes(line.value).map_err(|_| malformed(()))?;
        trailers.append(name, value);
    }
    Ok(trailers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Data, trailers, and what is left behind the body.
    type Decoded = (Vec<u8>, HeaderMap, Vec<u8>);

    /// Decodes what comes in two parts, cut at a place; `None` if the body has no end yet.
    fn decoded(length: Length, body: &[u8], cut: usize) -> Result<Option<Decoded>, Malformed> {
        let mut decoder = Decoder::new(length);
        let (mut data, mut trailers, mut input) = (Vec::new(), HeaderMap::new(), BytesMut::new());
        let (first, second) = body.split_at(cut.min(body.len()));
        for part in [first, second] {
            input.extend_from_slice(part);
            loop {
                match decoder.next(&mut input)? {
                    Next::Missing => break,
                    Next::End => break,
                    Next::Frame(frame) => match frame.into_data() {
                        Ok(bytes) => {
                            assert!(!bytes.is_empty());
                            data.extend_from_slice(&bytes);
                        }
                        Err(frame) => trailers = frame.into_trailers().unwrap(),
                    },
                }
            }
        }
        Ok(decoder.has_ended().then(|| (data, trailers, input.to_vec())))
    }

    #[test]
    fn a_body_ends_where_it_says() {
        let whole = [
            (Length::Bytes(0), "next", "", "next"),
            (Length::Bytes(3), "abcnext", "abc", "next"),
            (Length::Chunked, "0\r\n\r\nnext", "", "next"),
            (Length::Chunked, "3\r\nabc\r\n00\r\n\r\nnext", "abc", "next"),
            (
                Length::Chunked,
                "0A ; x=\"\t\"\r\n0123456789\r\n1;y\r\n.\r\n0\r\n\r\n",
                "0123456789.",
                "",
            ),
            (Length::Chunked, "1\r\na\r\n0\r\nx: 1\r\ny: 2\r\n\r\nnext", "a", "next"),
        ];
        for (length, body, data, rest) in whole {
            for cut in 0..=body.len() {
                let (got, trailers, left) = decoded(length, body.as_bytes(), cut).unwrap().unwrap();
                assert_eq!(
                    (got.as_slice(), left.as_slice()),
                    (data.as_bytes(), rest.as_bytes()),
                    "{body} {cut}"
                );
                assert_eq!(trailers.len(), if body.contains("y: 2") { 2 } else { 0 });
            }
        }
        for (length, body) in [
            (Length::Bytes(3), "ab"),
            (Length::Chunked, ""),
            (Length::Chunked, "3\r\nabc"),
            (Length::Chunked, "3\r\nabc\r\n0\r\n"),
            (Length::Chunked, "0\r\nx: 1\r\n"),
        ] {
            assert!(decoded(length, body.as_bytes(), 1).unwrap().is_none(), "{body}");
        }
    }

    #[test]
    fn chunks_that_two_readers_may_read_differently_are_refused() {
        let long = format!("1;{}\r\n", "x".repeat(LINE_BYTES_MAX));
        let much = format!("1;{}\r\na\r\n", "x".repeat(LINE_BYTES_MAX / 2)).repeat(40);
        let trailers = format!("0\r\na: {}\r\n\r\n", "x".repeat(TRAILER_BYTES_MAX));
        let many = format!("0\r\n{}\r\n", "a: b\r\n".repeat(HEADERS_MAX + 1));
        for body in [
            "x\r\n",
            "\r\n",
            "-1\r\n",
            "+1\r\n",
            " 1\r\na\r\n",
            "0x1\r\na\r\n",
            "1_0\r\n",
            "1 1\r\n",
            "1\na\n",
            "1\r\na\n0\r\n",
            "1\r\nab\r\n",
            "1;\rx\r\na\r\n",
            "10000000000000000\r\n",
            "0\r\nx: 1\n\r\n",
            "0\r\nx\r\n\r\n",
            "0\r\n x: 1\r\n\r\n",
            "0\r\nGET / HTTP/1.1\r\n\r\n",
            "1\x0c\r\na\r\n",
            "0\r\n\n",
            &long,
            &much,
            &trailers,
            &many,
        ] {
            for cut in [0, 1, body.len() - 1] {
                assert!(decoded(Length::Chunked, body.as_bytes(), cut).is_err(), "{body:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), text in "[0-9a-f;: \r\n]{0,60}", cut in 0_usize..60) {
            let _ = decoded(Length::Chunked, &bytes, cut);
            let _ = decoded(Length::Chunked, text.as_bytes(), cut);
        }
    }
}
