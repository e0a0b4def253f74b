//! The head of an answer and the framing of its body (RFC 9112, 4 to 7).

use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header};
use http_body::Body as _;

use super::head::{Refusal, has_token};
use super::output::Output;
use crate::body::ResponseBody;

/// What a request says of its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) version: Version,
    pub(super) is_head: bool,
    pub(super) takes_trailers: bool,
}

impl Asked {
    /// Of a request that could not be read.
    pub(super) const NOTHING: Self = Self {
        version: Version::HTTP_11,
        is_head: false,
        takes_trailers: false,
    };
}

/// How the end of an answer is told.
#[derive(Debug)]
pub(super) enum Framing {
    /// It has no body, whatever the service gives.
    None,
    /// So many bytes are still to come.
    Length(u64),
    /// By chunks; these trailers may follow, since they were announced.
    Chunked { trailers: Vec<HeaderName> },
    /// By the end of the connection.
    Close,
}

/// What was put of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    Piece,
    /// The end: it is whole.
    End,
    /// It goes no further, and is not whole.
    Broken,
}

impl Framing {
    /// Puts what is next of a body, with its end where that is known with it.
    pub(super) fn poll_put(&mut self, body: &mut ResponseBody, output: &mut Output, cx: &mut Context<'_>) -> Poll<Put> {
        if matches!(self, Self::None) || body.is_end_stream() {
            return Poll::Ready(self.put_end(None, output));
        }
        let Some(frame) = ready!(Pin::new(&mut *body).poll_frame(cx)) else {
            return Poll::Ready(self.put_end(None, output));
        };
        let Ok(frame) = frame else {
            return Poll::Ready(Put::Broken);
        };
        Poll::Ready(match frame.into_data() {
            Ok(data) => match self.put_data(data, output) {
                Put::Piece if body.is_end_stream() && output.has_room() => self.put_end(None, output),
                put => put,
            },
            Err(frame) => self.put_end(frame.trailers_ref(), output),
        })
    }

    fn put_data(&mut self, data: Bytes, output: &mut Output) -> Put {
        match self {
            // An empty chunk would be the last.
            _ if data.is_empty() => {}
            Self::None => {}
            Self::Close => output.put(data, b""),
            Self::Length(left) => match left.checked_sub(data.len() as u64) {
                Some(rest) => {
                    *left = rest;
                    output.put(data, b"");
                }
                None => return Self::other_length(),
            },
            Self::Chunked { .. } => {
                // Into a vector nothing fails.
                let _ = write!(output.bytes, "{:x}\r\n", data.len());
                output.put(data, b"\r\n");
            }
        }
        Put::Piece
    }

    fn put_end(&mut self, trailers: Option<&HeaderMap>, output: &mut Output) -> Put {
        match self {
            Self::None | Self::Close | Self::Length(0) => {}
            Self::Length(_) => return Self::other_length(),
            Self::Chunked { trailers: announced } => {
                let out = &mut output.bytes;
                out.extend_from_slice(b"0\r\n");
                for (name, value) in trailers.into_iter().flatten() {
                    if announced.contains(name) {
                        put_line(out, name.as_str(), value.as_bytes());
                    }
                }
                out.extend_from_slice(b"\r\n");
            }
        }
        Put::End
    }

    fn other_length() -> Put {
        tracing::error!("the body of an answer is not as long as it said");
        Put::Broken
    }
}

/// Puts the head of an answer to what was asked. `length` is that of the body, if it is known; `closes` says that the
/// connection ends with the answer, as the service may have said too.
pub(super) fn put_head(
    out: &mut Vec<u8>,
    asked: Asked,
    status: StatusCode,
    headers: &HeaderMap,
    length: Option<u64>,
    closes: &mut bool,
    date: &mut Date,
) -> Framing {
    put_status(out, asked.version, status);
    let given = put_given(out, asked, headers, closes);
    let framing = match length {
        _ if status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) => {
            Framing::None
        }
        _ if asked.is_head => {
            // As the answer to GET would have it, if the service knows.
            match (given.length, length) {
                (Some(given), _) => put_line(out, "content-length", given.as_bytes()),
                (None, Some(length @ 1..)) => put_length(out, length),
                (None, _) => {}
            }
            Framing::None
        }
        Some(length) => {
            put_length(out, length);
            Framing::Length(length)
        }
        None if asked.version == Version::HTTP_10 => {
            *closes = true;
            Framing::Close
        }
        None => {
            out.extend_from_slice(b"transfer-encoding: chunked\r\n");
            let announced = headers.get_all(header::TRAILER).iter().filter(|_| given.has_trailers);
            Framing::Chunked {
                trailers: announced
                    .inspect(|names| put_line(out, "trailer", names.as_bytes()))
                    .flat_map(listed)
                    .collect(),
            }
        }
    };
    match (*closes, asked.version) {
        (true, _) => out.extend_from_slice(b"connection: close\r\n"),
        (false, Version::HTTP_10) => out.extend_from_slice(b"connection: keep-alive\r\n"),
        (false, _) => {}
    }
    if !given.has_date {
        out.extend_from_slice(b"date: ");
        out.extend_from_slice(date.now());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    framing
}

/// What the headers that a service gave say of what is not theirs to say, or not alone.
struct Given<'h> {
    length: Option<&'h HeaderValue>,
    has_date: bool,
    has_trailers: bool,
}

/// Puts the headers that a service gave, but for those of the connection and of the body's framing.
fn put_given<'h>(out: &mut Vec<u8>, asked: Asked, headers: &'h HeaderMap, closes: &mut bool) -> Given<'h> {
    let mut given = Given {
        length: None,
        has_date: false,
        has_trailers: false,
    };
    for (name, value) in headers {
        match *name {
            header::TRANSFER_ENCODING => continue,
            header::CONTENT_LENGTH => {
                given.length = Some(value);
                continue;
            }
            header::CONNECTION => {
                *closes |= has_token(value, "close");
                continue;
            }
            header::TRAILER => {
                given.has_trailers = asked.takes_trailers;
                continue;
            }
            header::DATE => given.has_date = true,
            _ => {}
        }
        put_line(out, name.as_str(), value.as_bytes());
    }
    given
}

/// Puts the answer to a request that could not be read. It is of no call: no door, no log line and no id are its own.
pub(super) fn put_refusal(out: &mut Vec<u8>, refusal: Refusal, date: &mut Date) {
    // google.rpc.Code's INVALID_ARGUMENT, or RESOURCE_EXHAUSTED for what is too large.
    let code = match refusal.status {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => 8,
        _ => 3,
    };
    let body = format!("{{\"code\":{code},\"message\":\"{}\",\"details\":[]}}", refusal.message);
    let mut headers = HeaderMap::with_capacity(2);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    put_head(
        out,
        Asked::NOTHING,
        refusal.status,
        &headers,
        Some(body.len() as u64),
        &mut true,
        date,
    );
    out.extend_from_slice(body.as_bytes());
}

fn put_length(out: &mut Vec<u8>, length: u64) {
    // Into a vector nothing fails.
    let _ = write!(out, "content-length: {length}\r\n");
}

fn put_status(out: &mut Vec<u8>, version: Version, status: StatusCode) {
    if version == Version::HTTP_11 && status == StatusCode::OK {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        return;
    }
    out.extend_from_slice(if version == Version::HTTP_10 {
        b"HTTP/1.0 "
    } else {
        b"HTTP/1.1 "
    });
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn put_line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn listed(names: &HeaderValue) -> impl Iterator<Item = HeaderName> {
    let names = names.as_bytes().split(|byte| *byte == b',');
    let names = names.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok());
    names.filter(|name| !is_of_the_head(name))
}

/// Whether a header has to come before the body, so that it is no trailer (RFC 9110, 6.5.1).
fn is_of_the_head(name: &HeaderName) -> bool {
    matches!(
        *name,
        header::AUTHORIZATION
            | header::CACHE_CONTROL
            | header::CONNECTION
            | header::CONTENT_ENCODING
            | header::CONTENT_LENGTH
            | header::CONTENT_RANGE
            | header::CONTENT_TYPE
            | header::HOST
            | header::SET_COOKIE
            | header::TE
            | header::TRAILER
            | header::TRANSFER_ENCODING
    )
}

/// The date as HTTP says it, written once a second.
#[derive(Default)]
pub(super) struct Date {
    second: u64,
    text: Vec<u8>,
}

impl Date {
    fn now(&mut self) -> &[u8] {
        #[expect(clippy::disallowed_methods, reason = "what HTTP asks for is this machine's time")]
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if since.as_secs() != self.second || self.text.is_empty() {
            self.second = since.as_secs();
            self.text.clear();
            let time = httpdate::HttpDate::from(UNIX_EPOCH + Duration::from_secs(self.second));
            // Into a vector nothing fails.
            let _ = write!(self.text, "{time}");
        }
        &self.text
    }
}
