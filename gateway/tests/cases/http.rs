//! HTTP/1.1 by hand: what is written is what is sent, so that no client tidies a path or a header on the way.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::recorder::{PATIENCE, Recorder, Seen};

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Body,
}

/// How a body is sent.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    None,
    /// With its length.
    Whole(Vec<u8>),
    /// In chunks, and between them, waits.
    Pieces(Vec<Piece>),
}

/// A part of a body in chunks.
#[derive(Debug, Clone)]
pub(crate) enum Piece {
    Bytes(Vec<u8>),
    /// Until so many messages have reached the upstream.
    Seen(usize),
    /// The client closes the connection here.
    HangUp,
}

/// An answer.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
    /// The connection ended before the body did.
    pub(crate) broken: bool,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        value(&self.headers, name)
    }

    pub(crate) fn trailer(&self, name: &str) -> Option<&str> {
        value(&self.trailers, name)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn value<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

impl Request {
    fn head(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nhost: localhost\r\n", self.method, self.target).into_bytes();
        for (name, value) in &self.headers {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        }
        let has_type = self.headers.iter().any(|(name, _)| name == "content-type");
        if !matches!(self.body, Body::None) && !has_type {
            head.extend_from_slice(b"content-type: application/json\r\n");
        }
        match &self.body {
            Body::None => {}
            Body::Whole(body) => head.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes()),
            Body::Pieces(_) => head.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

/// Sends a request on a connection of its own. `None` is the answer to a client that hung up.
pub(crate) async fn send(address: &str, request: &Request, upstream: &Recorder) -> Result<Option<Answer>, String> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        let mut bytes = request.head();
        match &request.body {
            Body::None => {}
            Body::Whole(body) => bytes.extend_from_slice(body),
            Body::Pieces(pieces) => {
                for piece in pieces {
                    match piece {
                        Piece::Bytes(piece) => {
                            bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                            bytes.extend_from_slice(piece);
                            bytes.extend_from_slice(b"\r\n");
                        }
                        Piece::Seen(count) => {
                            write(&mut stream, &mut bytes).await;
                            let have_come =
                                |calls: &Vec<Seen>| calls.first().is_some_and(|seen| seen.messages.len() >= *count);
                            tokio::select! {
                                come = upstream.wait_for(have_come) => come?,
                                // Answered already: there is nothing to wait for.
                                _ = stream.readable() => break,
                            }
                        }
                        Piece::HangUp => {
                            write(&mut stream, &mut bytes).await;
                            return Ok(None);
                        }
                    }
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
            }
        }
        write(&mut stream, &mut bytes).await;
        let answer = read(&mut BufReader::new(stream), request.method).await;
        answer.map(Some).map_err(|error| format!("no answer: {error}"))
    };
    let answered = tokio::time::timeout(PATIENCE, exchange).await;
    answered.unwrap_or_else(|_| Err("no answer in time".to_owned()))
}

/// Sends a request, and closes the connection when its call has reached the upstream.
pub(crate) async fn send_and_leave(address: &str, request: &Request, upstream: &Recorder) -> Result<(), String> {
    let mut stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    write(&mut stream, &mut request.head()).await;
    upstream.wait_for(|calls| !calls.is_empty()).await
}

async fn write(stream: &mut TcpStream, bytes: &mut Vec<u8>) {
    // A server that has answered already may not read the rest; its answer is what counts.
    let _ = stream.write_all(&std::mem::take(bytes)).await;
}

async fn read(reader: &mut BufReader<TcpStream>, method: &str) -> io::Result<Answer> {
    let mut answer = Answer::default();
    let status = line(reader).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let code = status.split(' ').nth(1).and_then(|code| code.parse().ok());
    answer.status = code.ok_or_else(|| io::Error::other(format!("not HTTP: {status:?}")))?;
    answer.headers = fields(reader).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
    if method == "HEAD" || matches!(answer.status, 204 | 304) {
        return Ok(answer);
    }
    if answer.header("transfer-encoding") == Some("chunked") {
        match chunks(reader, &mut answer.body).await {
            Ok(Some(trailers)) => answer.trailers = trailers,
            Ok(None) | Err(_) => answer.broken = true,
        }
    } else if let Some(length) = answer.header("content-length").and_then(|length| length.parse().ok()) {
        answer.body.resize(length, 0);
        reader.read_exact(&mut answer.body).await?;
    } else {
        reader.read_to_end(&mut answer.body).await?;
    }
    Ok(answer)
}

/// Reads chunks and the trailers after them; `None` if the connection ended before.
async fn chunks(reader: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> io::Result<Option<Vec<(String, String)>>> {
    loop {
        let Some(size) = line(reader).await? else {
            return Ok(None);
        };
        let size = usize::from_str_radix(&size, 16).map_err(io::Error::other)?;
        if size == 0 {
            return fields(reader).await;
        }
        let start = body.len();
        body.resize(start + size, 0);
        reader.read_exact(&mut body[start..]).await?;
        line(reader).await?;
    }
}

/// Header lines up to an empty one; `None` if the connection ended before.
async fn fields(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Vec<(String, String)>>> {
    let mut fields = Vec::new();
    loop {
        match line(reader).await? {
            None => return Ok(None),
            Some(line) if line.is_empty() => return Ok(Some(fields)),
            Some(line) => {
                let (name, value) = line.split_once(':').ok_or_else(|| io::Error::other(line.clone()))?;
                fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
    }
}

async fn line(reader: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    reader.read_until(b'\n', &mut bytes).await?;
    let Some(rest) = bytes.strip_suffix(b"\r\n") else {
        return Ok(None);
    };
    Ok(Some(String::from_utf8_lossy(rest).into_owned()))
}
