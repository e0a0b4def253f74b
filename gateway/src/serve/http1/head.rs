//! The head of a request (RFC 9112, 2 to 6): httparse reads its lines, and what HTTP/1.1 itself is told by them is here.

use std::mem::MaybeUninit;

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version, header};

/// Bytes of a head.
pub(super) const HEAD_BYTES_MAX: usize = 64 << 10;
/// Lines of headers, and of trailers.
pub(super) const HEADERS_MAX: usize = 100;

/// A head, read.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) request: Request<()>,
    pub(super) body: Length,
    /// Whether the peer may send another request behind this one.
    pub(super) keeps_alive: bool,
    /// Whether the peer waits with its body until it is told to go on.
    pub(super) expects_continue: bool,
    /// Whether the peer reads trailers.
    pub(super) takes_trailers: bool,
}

/// How long the body of a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Bytes(u64),
    /// Its chunks say.
    Chunked,
}

/// Why a head is refused, and the connection with it: where the next request begins is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) message: &'static str,
}

impl Refusal {
    const fn malformed(message: &'static str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            message,
        }
    }

    const fn too_large(message: &'static str) -> Self {
        Self {
            status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            message,
        }
    }
}

/// How far a head that is not all there was looked at.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// For its end.
    end: usize,
    /// For what makes it none.
    sense: usize,
}

/// Takes a head off the front of what came, if it is all there. What can be none is refused as soon as that is seen.
/// `headers` is empty, and used for its memory.
pub(super) fn take(
    input: &mut BytesMut,
    looked: &mut Looked,
    headers: &mut HeaderMap,
) -> Result<Option<Head>, Refusal> {
    // Empty lines before a request are passed over (RFC 9112, 2.2).
    while let [b'\n', ..] | [b'\r', b'\n', ..] = input[..] {
        input.advance(if input[0] == b'\n' { 1 } else { 2 });
        *looked = Looked::default();
    }
    let Some(end) = end(input, looked.end) else {
        looked.end = input.len();
        // By twice as much each time: a head that comes by single bytes costs no more than twice one that comes at once.
        if input.len() > 2 * looked.sense {
            looked.sense = input.len();
            parse(input, &mut [const { MaybeUninit::uninit() }; HEADERS_MAX])?;
        }
        return match input.len() {
            HEAD_BYTES_MAX.. if memchr::memchr(b'\n', input).is_none() => Err(Refusal {
                status: StatusCode::URI_TOO_LONG,
                message: "the request line is longer than 64 KiB",
            }),
            HEAD_BYTES_MAX.. => Err(Refusal::too_large("the headers are longer than 64 KiB")),
            _ => Ok(None),
        };
    };
    *looked = Looked::default();
    if end > HEAD_BYTES_MAX {
        return Err(Refusal::too_large("the headers are longer than 64 KiB"));
    }
    read(input.split_to(end).freeze(), std::mem::take(headers)).map(Some)
}

/// Where a head ends: behind the first empty line. A line may end without its CR (RFC 9112, 2.2).
fn end(bytes: &[u8], looked: usize) -> Option<usize> {
    // A line's end may have been there, and the next line's not yet.
    let from = looked.saturating_sub(2);
    memchr::memchr_iter(b'\n', &bytes[from..]).find_map(|at| {
        let next = from + at + 1;
        match bytes[next..] {
            [b'\n', ..] => Some(next + 1),
            [b'\r', b'\n', ..] => Some(next + 2),
            _ => None,
        }
    })
}

fn read(bytes: Bytes, mut headers: HeaderMap) -> Result<Head, Refusal> {
    let mut lines = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let (parsed, length) = parse(&bytes, &mut lines)?;
    // The empty line was found where it ends.
    if length != Some(bytes.len()) {
        return Err(Refusal::malformed("the request's head is malformed"));
    }
    let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version) else {
        return Err(Refusal::malformed("the request line is malformed"));
    };
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| Refusal::malformed("the method is malformed"))?;
    let uri = Uri::from_maybe_shared(bytes.slice_ref(target.as_bytes()))
        .map_err(|_| Refusal::malformed("the request target is malformed"))?;
    let version = if minor == 0 { Version::HTTP_10 } else { Version::HTTP_11 };
    headers.reserve(parsed.headers.len());
    let mut said = Said {
        is_http11: version == Version::HTTP_11,
        ..Said::default()
    };
    for line in parsed.headers.iter() {
        let name = HeaderName::from_bytes(line.name.as_bytes())
            .map_err(|_| Refusal::malformed("the name of a header is malformed"))?;
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(line.value))
            .map_err(|_| Refusal::malformed("the value of a header has a control character"))?;
        if said.take(&name, &value)? {
            headers.append(name, value);
        }
    }
    if said.is_chunked.is_some() && said.length.is_some() {
        // Beside a coding it says nothing.
        headers.remove(header::CONTENT_LENGTH);
    }
    let body = said.body()?;
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.version_mut() = version;
    *request.headers_mut() = headers;
    Ok(Head {
        request,
        body,
        keeps_alive: said.keeps_alive(),
        expects_continue: said.expects_continue,
        takes_trailers: said.takes_trailers,
    })
}

/// What is there of a head, and its length if that is all.
fn parse<'h, 'b>(
    bytes: &'b [u8],
    lines: &'h mut [MaybeUninit<httparse::Header<'b>>],
) -> Result<(httparse::Request<'h, 'b>, Option<usize>), Refusal> {
    let mut parsed = httparse::Request::new(&mut []);
    match parsed.parse_with_uninit_headers(bytes, lines) {
        Ok(httparse::Status::Complete(length)) => Ok((parsed, Some(length))),
        Ok(httparse::Status::Partial) => Ok((parsed, None)),
        Err(error) => Err(of_parser(error, bytes)),
    }
}

fn of_parser(error: httparse::Error, head: &[u8]) -> Refusal {
    let is_another_version = || {
        let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let mut parts = line.trim_ascii_end().split(|byte| *byte == b' ');
        let version = parts.nth(2).and_then(|version| version.strip_prefix(b"HTTP/"));
        let is_version =
            matches!(version, Some([major, b'.', minor]) if major.is_ascii_digit() && minor.is_ascii_digit());
        is_version && parts.next().is_none()
    };
    match error {
        httparse::Error::TooManyHeaders => Refusal::too_large("there are more than 100 headers"),
        httparse::Error::Version if is_another_version() => Refusal {
            status: StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            message: "the version is neither HTTP/1.1 nor HTTP/1.0",
        },
        httparse::Error::HeaderName => Refusal::malformed("the name of a header is malformed"),
        httparse::Error::HeaderValue => Refusal::malformed("the value of a header has a control character"),
        httparse::Error::NewLine => Refusal::malformed("a line ends with CR without LF"),
        _ => Refusal::malformed("the request line is malformed"),
    }
}

/// What headers say of the connection and of the body.
#[derive(Default)]
struct Said {
    is_http11: bool,
    closes: bool,
    asks_to_stay: bool,
    length: Option<u64>,
    /// Whether the last coding of the body is `chunked`, if it has codings.
    is_chunked: Option<bool>,
    expects_continue: bool,
    takes_trailers: bool,
}

impl Said {
    /// Takes a header in; whether it is kept.
    fn take(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<bool, Refusal> {
        match *name {
            header::CONNECTION => {
                self.closes |= has_token(value, "close");
                self.asks_to_stay |= has_token(value, "keep-alive");
            }
            header::CONTENT_LENGTH => return self.take_length(value),
            header::TRANSFER_ENCODING => {
                if !self.is_http11 {
                    return Err(Refusal::malformed("HTTP/1.0 has no header `transfer-encoding`"));
                }
                let last = value.as_bytes().rsplit(|byte| *byte == b',').next().unwrap_or_default();
                self.is_chunked = Some(last.trim_ascii().eq_ignore_ascii_case(b"chunked"));
            }
            header::EXPECT => {
                self.expects_continue = self.is_http11 && value.as_bytes().eq_ignore_ascii_case(b"100-continue");
            }
            header::TE => self.takes_trailers |= has_token(value, "trailers"),
            _ => {}
        }
        Ok(true)
    }

    fn take_length(&mut self, value: &HeaderValue) -> Result<bool, Refusal> {
        let malformed = Refusal::malformed("header `content-length` is no number");
        // Digits alone: `parse` takes a sign.
        let digits = Some(value.as_bytes()).filter(|digits| digits.iter().all(u8::is_ascii_digit));
        let length: u64 = digits
            .and_then(|digits| str::from_utf8(digits).ok()?.parse().ok())
            .ok_or(malformed)?;
        match self.length.replace(length) {
            Some(before) if before != length => {
                Err(Refusal::malformed("headers `content-length` contradict each other"))
            }
            before => Ok(before.is_none()),
        }
    }

    /// How long the body is (RFC 9112, 6.3). Where it is chunked, whoever is in front may have read the length instead:
    /// the connection ends then.
    fn body(&self) -> Result<Length, Refusal> {
        match (self.is_chunked, self.length) {
            (Some(true), _) => Ok(Length::Chunked),
            (Some(false), _) => Err(Refusal::malformed(
                "the last coding of header `transfer-encoding` is not `chunked`",
            )),
            (None, length) => Ok(Length::Bytes(length.unwrap_or(0))),
        }
    }

    fn keeps_alive(&self) -> bool {
        let is_ambiguous = self.is_chunked.is_some() && self.length.is_some();
        (self.is_http11 || self.asks_to_stay) && !self.closes && !is_ambiguous
    }
}

/// Whether a list has a token, in any case.
pub(super) fn has_token(list: &HeaderValue, token: &str) -> bool {
    let mut tokens = list.as_bytes().split(|byte| *byte == b',');
    tokens.any(|one| one.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn take_all(text: &str) -> Result<Option<Head>, Refusal> {
        take(&mut BytesMut::from(text), &mut Looked::default(), &mut HeaderMap::new())
    }

    fn with(headers: &str) -> Result<Head, Refusal> {
        take_all(&format!("POST /a HTTP/1.1\r\nhost: a\r\n{headers}\r\n")).map(Option::unwrap)
    }

    #[test]
    fn a_head_is_read_and_what_is_behind_it_stays() {
        let mut input = BytesMut::from("\r\n\r\nGET /a?b=%20 HTTP/1.1\r\nHost: a\r\nX-Y:  1 2\t\r\nx-y:\r\n\r\nGET /b");
        let head = take(&mut input, &mut Looked::default(), &mut HeaderMap::new())
            .unwrap()
            .unwrap();
        assert_eq!(&input[..], b"GET /b");
        assert_eq!(
            (head.request.method(), head.request.uri()),
            (&Method::GET, &"/a?b=%20".parse::<Uri>().unwrap())
        );
        assert_eq!(head.request.version(), Version::HTTP_11);
        assert_eq!(head.request.headers().get("host").unwrap(), "a");
        let values: Vec<_> = head.request.headers().get_all("x-y").iter().collect();
        assert_eq!(values, ["1 2", ""]);
        assert_eq!((head.body, head.keeps_alive), (Length::Bytes(0), true));
        assert!(!head.expects_continue && !head.takes_trailers);
    }

    #[test]
    fn headers_say_how_long_the_body_is_or_the_head_is_refused() {
        for (headers, body) in [
            ("content-length: 5\r\n", Length::Bytes(5)),
            ("content-length: 5\r\ncontent-length: 5\r\n", Length::Bytes(5)),
            ("content-length: 18446744073709551615\r\n", Length::Bytes(u64::MAX)),
            ("transfer-encoding: Chunked\r\n", Length::Chunked),
            ("transfer-encoding: gzip, chunked\r\n", Length::Chunked),
            (
                "transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n",
                Length::Chunked,
            ),
        ] {
            let head = with(headers).unwrap();
            assert_eq!((head.body, head.keeps_alive), (body, true), "{headers}");
        }
        for headers in [
            "content-length: 5\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        ] {
            let head = with(headers).unwrap();
            assert_eq!((head.body, head.keeps_alive), (Length::Chunked, false), "{headers}");
            assert!(!head.request.headers().contains_key("content-length"), "{headers}");
        }
        for headers in [
            "content-length:\r\n",
            "content-length: +5\r\n",
            "content-length: -5\r\n",
            "content-length: 5, 5\r\n",
            "content-length: 0x5\r\n",
            "content-length: 18446744073709551616\r\n",
            "content-length: 5\r\ncontent-length: 6\r\n",
            "content-length: x\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: chunked\r\ncontent-length: x\r\n",
            "transfer-encoding: gzip\r\n",
            "transfer-encoding: chunked, gzip\r\n",
            "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
            "transfer-encoding: xchunked\r\n",
            "transfer-encoding:\r\n",
            " folded: 1\r\n",
            "a b: 1\r\n",
            "a : 1\r\n",
            ": 1\r\n",
            "a\r\n",
            "a: \0\r\n",
            "a: 1\rb: 2\r\n",
            "a: \x7f\r\n",
        ] {
            assert_eq!(with(headers).unwrap_err().status, 400, "{headers:?}");
        }
    }

    #[test]
    fn a_connection_is_kept_where_both_may() {
        for (version, connection, keeps_alive) in [
            ("1.1", "", true),
            ("1.1", "connection: Close\r\n", false),
            ("1.1", "connection: x, close\r\nconnection: keep-alive\r\n", false),
            ("1.1", "connection: closed\r\n", true),
            ("1.0", "", false),
            ("1.0", "connection: upgrade, Keep-Alive\r\n", true),
            ("1.0", "connection: keep-alive, close\r\n", false),
        ] {
            let head = take_all(&format!("GET / HTTP/{version}\r\n{connection}\r\n"))
                .unwrap()
                .unwrap();
            assert_eq!(head.keeps_alive, keeps_alive, "{version} {connection}");
        }
        assert!(with("expect: 100-Continue\r\n").unwrap().expects_continue);
        assert!(
            !take_all("GET / HTTP/1.0\r\nexpect: 100-continue\r\n\r\n")
                .unwrap()
                .unwrap()
                .expects_continue
        );
        assert!(with("te: gzip, trailers\r\n").unwrap().takes_trailers);
        assert!(take_all("GET / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }

    #[test]
    fn what_is_no_request_line_and_what_is_too_long_is_refused() {
        for (line, status) in [
            ("GET", 400),
            ("GET /", 400),
            ("GET  / HTTP/1.1", 400),
            ("G\u{e4}T / HTTP/1.1", 400),
            ("GET / HTTP/1.1 ", 400),
            ("\r\rGET / HTTP/1.1", 400),
            ("GET / http/1.1", 400),
            ("GET / HTTP/2.0", 505),
            ("GET / HTTP/1.2", 505),
            ("GET / HTTP/11", 400),
            ("GET a b HTTP/1.1", 400),
            ("\0", 400),
        ] {
            let refused = take_all(&format!("{line}\r\nhost: a\r\n\r\n")).unwrap_err();
            assert_eq!(refused.status, status, "{line:?}");
        }
        let line = |bytes: usize| format!("GET /{} HTTP/1.1", "a".repeat(bytes));
        assert_eq!(take_all(&line(HEAD_BYTES_MAX)).unwrap_err().status, 414);
        let long = format!("{}\r\na: {}", line(9), "b".repeat(HEAD_BYTES_MAX));
        assert_eq!(take_all(&long).unwrap_err().status, 431);
        assert_eq!(take_all(&format!("{long}\r\n\r\n")).unwrap_err().status, 431);
        let many = |lines: usize| format!("{}\r\n{}\r\n", line(9), "a: b\r\n".repeat(lines));
        assert!(take_all(&many(HEADERS_MAX)).unwrap().is_some());
        assert_eq!(take_all(&many(HEADERS_MAX + 1)).unwrap_err().status, 431);
    }

    #[test]
    fn what_can_be_no_head_is_refused_before_its_end() {
        for (start, status) in [
            ("\x16\x03\x01", 400),
            ("EHLO x\r\n", 400),
            ("\r\r", 400),
            ("GET /\r\n", 400),
            ("GET / HTTP/2.0\r\n", 505),
            ("GET / HTTP/1.1\r\na b: c\r\n", 400),
            (
                &format!("GET / HTTP/1.1\r\n{}", "a: b\r\n".repeat(HEADERS_MAX + 1)),
                431,
            ),
        ] {
            assert_eq!(take_all(start).unwrap_err().status, status, "{start:?}");
        }
    }

    proptest! {
        /// However it is cut, and with whatever line ends, a head is the same one, found at its last byte.
        #[test]
        fn a_head_that_comes_in_parts_is_the_same(cuts in prop::collection::vec(1_usize..9, 0..40), bare in any::<[bool; 4]>()) {
            let lines = ["GET /a HTTP/1.1", "host: a", "x: y", ""];
            let text: String = lines.iter().zip(bare).map(|(line, bare)| format!("{line}{}", if bare { "\n" } else { "\r\n" })).collect();
            let (mut input, mut looked, mut headers) = (BytesMut::new(), Looked::default(), HeaderMap::new());
            let mut cuts = cuts.into_iter();
            let mut rest = text.as_bytes();
            while !rest.is_empty() {
                prop_assert!(take(&mut input, &mut looked, &mut headers).unwrap().is_none());
                let (part, left) = rest.split_at(cuts.next().unwrap_or(1).min(rest.len()));
                input.extend_from_slice(part);
                rest = left;
            }
            let head = take(&mut input, &mut looked, &mut headers).unwrap().unwrap();
            prop_assert!(input.is_empty());
            prop_assert_eq!(head.request.headers().len(), 2);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[ -~\r\n]{0,200}") {
            for bytes in [bytes.as_slice(), text.as_bytes(), format!("GET / HTTP/1.1\r\n{text}\r\n\r\n").as_bytes()] {
                let _ = take(&mut BytesMut::from(bytes), &mut Looked::default(), &mut HeaderMap::new());
            }
        }
    }
}
