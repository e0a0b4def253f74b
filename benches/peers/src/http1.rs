//! Reads answers over HTTP/1.1 from bytes that come in pieces: pure, without a socket.
//!
//! It knows what answers of gateways look like: a length or chunks, and no body without either.

use bytes::{Buf, BytesMut};

/// Longest head that is waited for.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// An answer that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// How far an answer is read.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) status: u16,
    pub(crate) body_bytes: u64,
    /// The peer closes the connection afterwards.
    pub(crate) close: bool,
    state: State,
}

#[derive(Debug, Default, Clone, Copy)]
enum State {
    #[default]
    Head,
    Sized(usize),
    ChunkSize,
    Chunk(usize),
    ChunkEnd,
    Trailers,
    Done,
}

impl Reading {
    /// Takes what is there from the input; true when the answer is whole. What follows it stays.
    pub(crate) fn advance(&mut self, input: &mut BytesMut, mut body: Option<&mut Vec<u8>>) -> Result<bool, Malformed> {
        loop {
            self.state = match self.state {
                State::Head => match find(input, b"\r\n\r\n") {
                    Some(end) => {
                        let head = input.split_to(end + 4);
                        self.head(&head[..end])?
                    }
                    None if input.len() > HEAD_BYTES_MAX => return Err(Malformed("a head without an end")),
                    None => return Ok(false),
                },
                State::Sized(0) | State::Done => return Ok(true),
                State::Sized(left) => match self.take(input, left, &mut body) {
                    0 => return Ok(false),
                    taken => State::Sized(left - taken),
                },
                State::ChunkSize => match line(input) {
                    Some(line) => chunk_size(&line)?,
                    None => return Ok(false),
                },
                State::Chunk(0) => State::ChunkEnd,
                State::Chunk(left) => match self.take(input, left, &mut body) {
                    0 => return Ok(false),
                    taken => State::Chunk(left - taken),
                },
                State::ChunkEnd => match line(input) {
                    Some(line) if line.is_empty() => State::ChunkSize,
                    Some(_) => return Err(Malformed("a chunk longer than it says")),
                    None => return Ok(false),
                },
                State::Trailers => match line(input) {
                    Some(line) if line.is_empty() => State::Done,
                    Some(_) => State::Trailers,
                    None => return Ok(false),
                },
            };
        }
    }

    fn head(&mut self, head: &[u8]) -> Result<State, Malformed> {
        let head = std::str::from_utf8(head).map_err(|_| Malformed("a head that is not text"))?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 "));
        let status = status.and_then(|line| line.get(..3)?.parse().ok());
        self.status = status.ok_or(Malformed("no status line"))?;
        let mut state = State::Sized(0);
        for line in lines {
            let (name, value) = line.split_once(':').ok_or(Malformed("a header without a colon"))?;
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                state = State::Sized(value.parse().map_err(|_| Malformed("a length that is no number"))?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") && value.eq_ignore_ascii_case("chunked") {
                state = State::ChunkSize;
            } else if name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close") {
                self.close = true;
            }
        }
        // An interim answer: the real one follows.
        Ok(if self.status < 200 { State::Head } else { state })
    }

    fn take(&mut self, input: &mut BytesMut, left: usize, body: &mut Option<&mut Vec<u8>>) -> usize {
        let taken = left.min(input.len());
        if let Some(body) = body {
            body.extend_from_slice(&input[..taken]);
        }
        input.advance(taken);
        self.body_bytes += taken as u64;
        taken
    }
}

fn chunk_size(line: &[u8]) -> Result<State, Malformed> {
    let size = std::str::from_utf8(line).ok().and_then(|line| {
        let digits = line.split(';').next()?.trim();
        usize::from_str_radix(digits, 16).ok()
    });
    match size.ok_or(Malformed("a chunk without a size"))? {
        0 => Ok(State::Trailers),
        size => Ok(State::Chunk(size)),
    }
}

fn line(input: &mut BytesMut) -> Option<BytesMut> {
    let end = find(input, b"\r\n")?;
    let line = input.split_to(end);
    input.advance(2);
    Some(line)
}

fn find(input: &[u8], wanted: &[u8]) -> Option<usize> {
    input.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads the text in pieces of that many bytes: status, body, and what is left.
    fn read(text: &str, piece: usize) -> Result<(u16, String, String), Malformed> {
        let (mut reading, mut input, mut body) = (Reading::default(), BytesMut::new(), Vec::new());
        let mut pieces = text.as_bytes().chunks(piece);
        while !reading.advance(&mut input, Some(&mut body))? {
            input.extend_from_slice(pieces.next().expect("the answer ends"));
        }
        for piece in pieces {
            input.extend_from_slice(piece);
        }
        let left = String::from_utf8(input.to_vec()).unwrap();
        Ok((reading.status, String::from_utf8(body).unwrap(), left))
    }

    #[test]
    fn an_answer_ends_where_it_says() {
        for piece in [1, 3, 1_000] {
            for (text, status, body) in [
                ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello"),
                ("HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
                (
                    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nt: 1\r\n\r\n",
                    200,
                    "abcde",
                ),
                (
                    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n",
                    503,
                    "",
                ),
            ] {
                let next = format!("{text}HTTP/1.1 ");
                assert_eq!(
                    read(&next, piece),
                    Ok((status, body.to_owned(), "HTTP/1.1 ".to_owned())),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn what_is_not_http_is_said() {
        for text in [
            "HTTP/2 200\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc\r\n",
        ] {
            assert!(read(text, 7).is_err(), "{text}");
        }
    }
}
