//! A connection, seen by a peer that writes bytes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;
use crate::body::{BoxError, HttpRequest, ResponseBody};

/// Longer than any test should wait for what has to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// The other end of a connection whose calls a function answers.
struct Peer {
    socket: DuplexStream,
    serving: JoinHandle<io::Result<()>>,
    drain: watch::Sender<bool>,
}

fn peer<F, A>(answer: F) -> Peer
where
    F: Fn(HttpRequest) -> A + Send + Sync + 'static,
    A: Future<Output = HttpResponse> + Send + 'static,
{
    // Less than an answer with a large body.
    let (socket, io) = tokio::io::duplex(8 << 10);
    let (drain, draining) = watch::channel(false);
    let activity = Arc::new(Activity::start());
    let caller = Caller {
        service: HttpService::from_fn(answer),
        remote: RemoteAddress::new(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1)),
        activity: activity.clone(),
        draining,
    };
    let serving = tokio::spawn(Connection::new(Transport::new(Box::new(io), activity), caller));
    Peer { socket, serving, drain }
}

impl Peer {
    async fn say(&mut self, text: &str) {
        self.socket.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads until it has come.
    async fn hears(&mut self, end: &str) -> String {
        let mut heard = Vec::new();
        let read = async {
            while !String::from_utf8_lossy(&heard).ends_with(end) {
                assert!(self.socket.read_buf(&mut heard).await.unwrap() > 0, "{heard:?}");
            }
        };
        let came = tokio::time::timeout(PATIENCE, read).await;
        assert!(came.is_ok(), "{:?}", String::from_utf8_lossy(&heard));
        String::from_utf8(heard).unwrap()
    }

    /// Reads to the end of the connection.
    async fn hears_all(&mut self) -> String {
        let mut heard = Vec::new();
        let read = self.socket.read_to_end(&mut heard);
        tokio::time::timeout(PATIENCE, read).await.expect("it ends").unwrap();
        String::from_utf8(heard).unwrap()
    }
}

/// Says something to a connection, and reads to its end.
async fn said<F, A>(answer: F, text: &str) -> String
where
    F: Fn(HttpRequest) -> A + Send + Sync + 'static,
    A: Future<Output = HttpResponse> + Send + 'static,
{
    let mut peer = peer(answer);
    peer.say(text).await;
    peer.hears_all().await
}

/// Answers with what it was asked: method, target, body and trailers.
async fn echo(request: HttpRequest) -> HttpResponse {
    let (head, body) = request.into_parts();
    let text = match body.collect().await {
        Ok(collected) => {
            let trailers = collected.trailers().cloned().unwrap_or_default();
            let body = String::from_utf8(collected.to_bytes().to_vec()).unwrap();
            let trailers: Vec<_> = trailers
                .iter()
                .map(|(name, value)| format!("{name}={value:?}"))
                .collect();
            format!("[{} {} {body} {}]", head.method, head.uri, trailers.join(","))
        }
        Err(error) => format!("[{error:?}]"),
    };
    Response::new(ResponseBody::full(text))
}

/// Answers without a look at the body.
async fn refuse(_: HttpRequest) -> HttpResponse {
    let mut response = Response::new(ResponseBody::full("no"));
    *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    response
}

/// A body of these frames, which then fails if it is not `whole`.
fn frames(frames: Vec<Frame<Bytes>>, whole: bool) -> ResponseBody {
    let broken = (!whole).then(|| Err(BoxError::from("broken")));
    ResponseBody::stream(StreamBody::new(futures_util::stream::iter(
        frames.into_iter().map(Ok).chain(broken),
    )))
}

fn data(text: &'static str) -> Frame<Bytes> {
    Frame::data(Bytes::from_static(text.as_bytes()))
}

const CLOSING: &str = "connection: close\r\n";

#[tokio::test]
async fn requests_are_answered_one_after_the_other() {
    let requests = "GET /a HTTP/1.1\r\nhost: a\r\n\r\n\r\nPOST /b HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc\
                    POST /c HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1;x\r\nc\r\n0\r\nx: y\r\n\r\n\
                    GET /d HTTP/1.1\r\nconnection: close\r\n\r\nGET /e HTTP/1.1\r\n\r\n";
    let expected = ["[GET /a  ]", "[POST /b abc ]", "[POST /c abc x=\"y\"]", "[GET /d  ]"];
    let end = requests.find("GET /e").unwrap();
    for cut in (0..end).step_by(3) {
        let mut peer = peer(echo);
        peer.say(&requests[..cut]).await;
        tokio::task::yield_now().await;
        peer.say(&requests[cut..]).await;
        let heard = peer.hears_all().await;
        let answers: Vec<_> = heard.split("HTTP/1.1 200 OK\r\n").skip(1).collect();
        assert_eq!(answers.len(), expected.len(), "{heard}");
        for (answer, expected) in answers.iter().zip(expected) {
            let length = format!("content-length: {}\r\n", expected.len());
            assert!(answer.contains(&length) && answer.ends_with(expected), "{cut}: {heard}");
            assert!(answer.contains("date: ") && answer.contains(" GMT\r\n\r\n["), "{heard}");
            assert_eq!(answer.contains(CLOSING), expected.contains("/d"), "{heard}");
        }
    }
}

#[tokio::test]
async fn a_head_that_cannot_be_read_is_answered_and_ends_the_connection() {
    for (head, status, code) in [
        ("GET /\r\n\r\n", "400 Bad Request", 3),
        ("GET / HTTP/1.1\r\na b: c\r\n\r\n", "400 Bad Request", 3),
        ("GET / HTTP/3.0\r\n\r\n", "505 HTTP Version Not Supported", 3),
        ("\u{1}\u{2}\r\n\r\n", "400 Bad Request", 3),
        (
            &format!("GET / HTTP/1.1\r\n{}", "a: b\r\n".repeat(20_000)),
            "431 Request Header Fields Too Large",
            8,
        ),
        (&"a".repeat(100_000), "414 URI Too Long", 3),
    ] {
        let mut peer = peer(echo);
        let mut rest = head.as_bytes();
        // It goes on sending while it is answered.
        while !rest.is_empty() {
            let Ok(written) = peer.socket.write(&rest[..rest.len().min(4_096)]).await else {
                break;
            };
            rest = &rest[written..];
        }
        let heard = peer.hears_all().await;
        assert!(heard.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{heard}");
        assert!(
            heard.contains(CLOSING) && heard.contains("content-type: application/json\r\n"),
            "{heard}"
        );
        assert!(heard.contains(&format!("{{\"code\":{code},\"message\":\"")), "{heard}");
    }
}

#[tokio::test]
async fn the_end_of_an_answer_is_told_as_its_version_method_and_status_ask() {
    let with = |status: u16, body: fn() -> ResponseBody, name: &'static str, value: &'static str| {
        move |_: HttpRequest| async move {
            let mut response = Response::new(body());
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            response
        }
    };
    let full: fn() -> ResponseBody = || ResponseBody::full("12345");
    let stream: fn() -> ResponseBody = || frames(vec![data("123"), data(""), data("45")], true);
    let (get, head, old) = ("GET / HTTP/1.1\r\n", "HEAD / HTTP/1.1\r\n", "GET / HTTP/1.0\r\n");
    let table = [
        (get, 200, full, "content-length", "9", "content-length: 5\r\n", "12345"),
        (
            get,
            200,
            full,
            "transfer-encoding",
            "gzip",
            "content-length: 5\r\n",
            "12345",
        ),
        (get, 200, ResponseBody::empty, "x", "y", "content-length: 0\r\n", ""),
        (
            get,
            200,
            stream,
            "x",
            "y",
            "transfer-encoding: chunked\r\n",
            "3\r\n123\r\n2\r\n45\r\n0\r\n\r\n",
        ),
        (old, 200, stream, "x", "y", CLOSING, "12345"),
        (old, 200, full, "x", "y", "content-length: 5\r\n", "12345"),
        (head, 200, full, "content-length", "9", "content-length: 9\r\n", ""),
        (head, 200, full, "x", "y", "content-length: 5\r\n", ""),
        (head, 200, stream, "x", "y", "x: y\r\n", ""),
        (get, 204, full, "content-length", "9", CLOSING, ""),
        (get, 304, full, "etag", "a", "etag: a\r\n", ""),
        (get, 200, full, "connection", "close", CLOSING, "12345"),
        (get, 599, full, "date", "now", "date: now\r\n", "12345"),
    ];
    for (request, status, body, name, value, line, expected) in table {
        let answer = with(status, body, name, value);
        let heard = said(answer, &format!("{request}connection: close\r\n\r\n")).await;
        let (head, body) = heard.split_once("\r\n\r\n").unwrap();
        let head = format!("{head}\r\n");
        let version = &request[request.len() - 10..request.len() - 2];
        assert!(head.starts_with(&format!("{version} {status} ")), "{heard}");
        assert!(
            head.contains(line) && body == expected,
            "{request} {status} {name}: {heard}"
        );
        for name in ["content-length", "transfer-encoding", "connection", "date"] {
            let lines = head.matches(&format!("\r\n{name}: ")).count();
            assert!(lines <= 1, "{heard}");
        }
        let has_length = head.contains("content-length") || head.contains("chunked");
        assert!(!(matches!(status, 204 | 304) && has_length), "{heard}");
    }
    // Who keeps the connection of HTTP/1.0 is told so.
    let mut peer = peer(echo);
    peer.say("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n").await;
    let heard = peer.hears("[GET /  ]").await;
    assert!(heard.contains("connection: keep-alive\r\n"), "{heard}");
    peer.say("GET / HTTP/1.0\r\n\r\n").await;
    assert!(peer.hears_all().await.contains(CLOSING));
}

#[tokio::test]
async fn a_body_that_fails_never_looks_whole() {
    let broken = |_: HttpRequest| async { Response::new(frames(vec![data("123"), data("45")], false)) };
    let heard = said(broken, "GET / HTTP/1.1\r\n\r\n").await;
    assert!(
        heard.ends_with("\r\n\r\n3\r\n123\r\n2\r\n45\r\n"),
        "what there was of it goes out: {heard}"
    );
    // Bodies that are shorter and longer than they say.
    for (says, is) in [(3, 2), (2, 3)] {
        let heard = said(
            move |_: HttpRequest| async move {
                let bytes = Bytes::from_static(&b"123"[..is]);
                let body = OfLength(Some(bytes), says);
                Response::new(ResponseBody::stream(body))
            },
            "GET / HTTP/1.1\r\n\r\n",
        )
        .await;
        let (head, body) = heard.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("content-length: {says}")) && body.len() < says as usize,
            "{heard}"
        );
    }
}

/// A body, and how long it says that it is.
struct OfLength(Option<Bytes>, u64);

impl http_body::Body for OfLength {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.1)
    }
}

#[tokio::test]
async fn trailers_go_to_who_takes_them_if_they_were_announced() {
    let answer = |_: HttpRequest| async {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-a", HeaderValue::from_static("1"));
        trailers.insert("x-b", HeaderValue::from_static("2"));
        trailers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("3"));
        let mut response = Response::new(frames(vec![data("123"), Frame::trailers(trailers)], true));
        response
            .headers_mut()
            .insert(header::TRAILER, HeaderValue::from_static("x-a, x-c, Content-Length"));
        response
    };
    let heard = said(answer, "GET / HTTP/1.1\r\nte: trailers\r\nconnection: close\r\n\r\n").await;
    assert!(heard.ends_with("3\r\n123\r\n0\r\nx-a: 1\r\n\r\n"), "{heard}");
    let heard = said(answer, "GET / HTTP/1.1\r\nconnection: close\r\n\r\n").await;
    assert!(
        heard.ends_with("3\r\n123\r\n0\r\n\r\n") && !heard.contains("trailer"),
        "{heard}"
    );
}

#[tokio::test]
async fn a_short_body_that_is_there_is_one_piece_and_one_that_is_not_is_waited_for() {
    let pieces = |request: HttpRequest| async move {
        let mut body = request.into_body();
        let mut pieces = Vec::new();
        while let Some(frame) = body.frame().await {
            pieces.push(frame.unwrap().into_data().unwrap().len());
        }
        Response::new(ResponseBody::full(Bytes::from(format!("{pieces:?}"))))
    };
    let (bytes, last) = (INPUT_BYTES + 1000, "connection: close\r\n");
    let head = format!("POST / HTTP/1.1\r\n{last}content-length: {bytes}\r\n\r\n");
    let body = "x".repeat(bytes);
    // Longer than what is read at first, and all of it there.
    let heard = said(pieces, &format!("{head}{body}")).await;
    assert!(heard.ends_with(&format!("[{bytes}]")), "{heard}");

    let mut peer = peer(pieces);
    let (now, later) = body.split_at(100);
    peer.say(&format!("{head}{now}")).await;
    tokio::task::yield_now().await;
    peer.say(later).await;
    let heard = peer.hears_all().await;
    assert!(heard.ends_with(&format!("[100, {}]", later.len())), "{heard}");
}

#[tokio::test]
async fn a_peer_is_told_to_go_on_when_its_body_is_asked_for() {
    let head = "POST /a HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n";
    let mut asked = peer(echo);
    asked.say(head).await;
    assert_eq!(asked.hears("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    asked.say("abc").await;
    let heard = asked.hears("[POST /a abc ]").await;
    assert!(heard.starts_with("HTTP/1.1 200") && !heard.contains(CLOSING), "{heard}");
    // It was not waited for.
    let heard = said(echo, &format!("{head}abcGET /b HTTP/1.1\r\nconnection: close\r\n\r\n")).await;
    assert!(
        !heard.contains("100 Continue") && heard.ends_with("[GET /b  ]"),
        "{heard}"
    );
    let heard = said(refuse, head).await;
    assert!(heard.starts_with("HTTP/1.1 413") && heard.contains(CLOSING), "{heard}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_answered_before_it_has_sent_all_gets_its_answer() {
    let head = "POST /a HTTP/1.1\r\ncontent-length: 100000\r\n\r\n";
    let mut sends = peer(refuse);
    sends.say(head).await;
    let begun = Instant::now();
    for _ in 0..10 {
        sends.say(&"x".repeat(8 << 10)).await;
    }
    let heard = sends.hears_all().await;
    assert!(
        heard.starts_with("HTTP/1.1 413") && heard.contains(CLOSING) && heard.ends_with("no"),
        "{heard}"
    );
    // Nor is it waited for without end.
    sends.serving.await.unwrap().unwrap();
    assert_eq!(begun.elapsed(), GOODBYE);
    // What is there already is passed over.
    let mut whole = peer(refuse);
    whole
        .say(&format!(
            "POST /a HTTP/1.1\r\ncontent-length: 1000\r\n\r\n{}",
            "x".repeat(1_000)
        ))
        .await;
    assert!(!whole.hears("no").await.contains(CLOSING));
    whole.say("GET / HTTP/1.1\r\nconnection: close\r\n\r\n").await;
    assert!(whole.hears_all().await.ends_with("no"));
}

#[tokio::test]
async fn a_body_without_end_is_an_error_to_who_reads_it() {
    for (request, error) in [
        ("POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nabc", "Closed"),
        ("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\na", "Closed"),
        (
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab",
            "Malformed",
        ),
    ] {
        let mut peer = peer(echo);
        peer.say(request).await;
        peer.socket.shutdown().await.unwrap();
        let heard = peer.hears_all().await;
        assert!(
            heard.contains(error) && heard.contains("HTTP/1.1 200"),
            "{request}: {heard}"
        );
        assert!(peer.serving.await.unwrap().is_ok());
    }
}

#[tokio::test]
async fn a_body_may_be_read_by_another_task_while_the_answer_goes_out() {
    // Bytes of the body come back as they come.
    let answer = |request: HttpRequest| async {
        let (back, body) = mpsc::channel(1);
        tokio::spawn(async move {
            let mut body = request.into_body();
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|error| BoxError::from(error.to_string()));
                if back.send(frame).await.is_err() {
                    break;
                }
            }
        });
        let body =
            futures_util::stream::unfold(body, |mut body| async { body.recv().await.map(|frame| (frame, body)) });
        Response::new(ResponseBody::stream(StreamBody::new(body)))
    };
    let mut peer = peer(answer);
    peer.say("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n").await;
    assert!(peer.hears("\r\n\r\n").await.contains("transfer-encoding: chunked"));
    for text in ["one", "two", "three"] {
        let chunk = format!("{:x}\r\n{text}\r\n", text.len());
        peer.say(&chunk).await;
        assert_eq!(peer.hears(&chunk).await, chunk);
    }
    peer.say("0\r\n\r\nGET / HTTP/1.1\r\nconnection: close\r\n\r\n").await;
    let heard = peer.hears_all().await;
    assert!(
        heard.starts_with("0\r\n\r\nHTTP/1.1 200") && heard.ends_with("0\r\n\r\n"),
        "{heard}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_peer_leaves_is_dropped() {
    for request in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\nG",
        "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc",
    ] {
        let held = Arc::new(Semaphore::new(0));
        let seen = held.clone();
        let mut peer = peer(move |_: HttpRequest| {
            let held = seen.clone();
            async move {
                held.add_permits(1);
                std::future::pending().await
            }
        });
        peer.say(request).await;
        held.acquire().await.unwrap().forget();
        drop(peer.socket);
        // Its own time is in the transport's tests.
        tokio::time::timeout(PATIENCE, peer.serving)
            .await
            .expect("it ends")
            .unwrap()
            .unwrap_err();
        assert_eq!(Arc::strong_count(&held), 1, "the call is dropped");
    }
}

#[tokio::test]
async fn a_peer_that_reads_nothing_before_it_has_sent_everything_gets_on() {
    const BYTES: usize = 200_000;
    let answer = |request: HttpRequest| async {
        tokio::spawn(async move {
            let body = request.into_body().collect().await.unwrap();
            assert_eq!(body.to_bytes().len(), BYTES);
        });
        Response::new(ResponseBody::full("x".repeat(BYTES)))
    };
    let mut peer = peer(answer);
    let sent = async {
        peer.say(&format!(
            "POST / HTTP/1.1\r\nconnection: close\r\ncontent-length: {BYTES}\r\n\r\n"
        ))
        .await;
        peer.say(&"y".repeat(BYTES)).await;
    };
    tokio::time::timeout(PATIENCE, sent).await.expect("it is read");
    assert!(peer.hears_all().await.ends_with(&"x".repeat(BYTES)));
}

#[tokio::test]
async fn behind_a_body_without_end_nothing_is_read() {
    let next = "GET / HTTP/1.1\r\nconnection: close\r\n\r\n";
    for body in ["0\r\nGET / HTTP/1.1\r\n\r\n", "x\r\n\r\n", "1\r\nab\r\n0\r\n\r\n"] {
        let heard = said(
            refuse,
            &format!("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{body}{next}"),
        )
        .await;
        assert_eq!(heard.matches("HTTP/1.1 ").count(), 1, "{body}: {heard}");
    }
}

#[tokio::test]
async fn what_is_no_answer_is_an_error() {
    let answer = |_: HttpRequest| async {
        let mut response = Response::new(ResponseBody::full("x"));
        *response.status_mut() = StatusCode::EARLY_HINTS;
        response
    };
    let heard = said(answer, "GET / HTTP/1.1\r\nconnection: close\r\n\r\n").await;
    assert!(
        heard.starts_with("HTTP/1.1 500 ") && heard.ends_with("\r\n\r\n"),
        "{heard}"
    );
}

#[tokio::test]
async fn a_large_answer_is_written_as_the_peer_reads() {
    let text = "0123456789".repeat(10_000);
    let sent = Bytes::from(text.clone());
    let mut peer = peer(move |_: HttpRequest| {
        let body = vec![Frame::data(sent.clone()), Frame::data(sent.clone())];
        async { Response::new(frames(body, true)) }
    });
    peer.say("GET / HTTP/1.1\r\nconnection: close\r\n\r\n").await;
    let heard = peer.hears_all().await;
    let (_, body) = heard.split_once("\r\n\r\n").unwrap();
    assert!(body == format!("186a0\r\n{text}\r\n186a0\r\n{text}\r\n0\r\n\r\n"));
}

#[tokio::test]
async fn a_drain_is_told_with_the_answer() {
    let mut peer = peer(echo);
    peer.say("GET /a HTTP/1.1\r\n\r\n").await;
    assert!(!peer.hears("[GET /a  ]").await.contains(CLOSING));
    peer.drain.send(true).unwrap();
    peer.say("GET /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\n\r\n").await;
    let heard = peer.hears_all().await;
    assert!(heard.contains(CLOSING) && heard.ends_with("[GET /b  ]"), "{heard}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However a request is cut, whatever is sent, the connection answers or ends.
    #[test]
    fn every_connection_ends(text in "(GET|POST) /[a-z ]{0,4} HTTP/1[.][01]\r\n(content-length: [0-9]{1,2}\r\n|transfer-encoding: chunked\r\n|expect: 100-continue\r\n|x\r\n){0,2}\r\n[0-3a\r\n]{0,20}", cut in 0_usize..200) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut peer = peer(echo);
            let cut = cut.min(text.len());
            peer.say(&text[..cut]).await;
            tokio::task::yield_now().await;
            let _ = peer.socket.write_all(&text.as_bytes()[cut..]).await;
            let _ = peer.socket.shutdown().await;
            peer.hears_all().await;
            let _ = peer.serving.await.unwrap();
        });
    }
}
