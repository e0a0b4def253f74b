//! REST, streams of the client's, over real sockets: what becomes a message, when, and what is refused.

use bytes::Bytes;
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use millrace_gateway::RequestBody;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tower::ServiceExt;

use crate::sockets::{Event, Events, behind_http2, builder, listening, service, streams};

const NDJSON: &str = "application/x-ndjson";
const ARRAY: &str = "application/json";

/// A connection to a gateway before the service of streams.
struct Caller {
    socket: TcpStream,
    events: Events,
}

impl Caller {
    async fn new() -> Self {
        let (inner, events) = streams();
        let address = listening(service(&builder().build().unwrap(), inner)).await;
        Self {
            socket: TcpStream::connect(address).await.unwrap(),
            events,
        }
    }

    async fn head(&mut self, path: &str, content_type: &str, accept: &str) {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {content_type}\r\naccept: {accept}\r\n\
             connection: close\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        self.socket.write_all(head.as_bytes()).await.unwrap();
    }

    async fn chunk(&mut self, bytes: &str) {
        let chunk = format!("{:x}\r\n{bytes}\r\n", bytes.len());
        self.socket.write_all(chunk.as_bytes()).await.unwrap();
    }

    async fn end(&mut self) {
        self.socket.write_all(b"0\r\n\r\n").await.unwrap();
    }

    /// The rest of the answer.
    async fn answer(&mut self) -> String {
        let mut answer = Vec::new();
        self.socket.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    }

    /// Reads on until the answer so far ends like this.
    async fn until(&mut self, end: &str) -> String {
        let mut answer = String::new();
        while !answer.ends_with(end) {
            let mut byte = [0];
            self.socket.read_exact(&mut byte).await.unwrap();
            answer.push(char::from(byte[0]));
        }
        answer
    }

    async fn event(&mut self) -> Event {
        self.events.recv().await.unwrap()
    }

    /// The messages that arrived, once the call is over.
    async fn messages(&mut self) -> Vec<Bytes> {
        let mut messages = Vec::new();
        loop {
            match self.event().await {
                Event::Over => return messages,
                Event::Message(message) => messages.push(message),
                _ => {}
            }
        }
    }
}

/// Sends a whole body and returns status, body and the messages inside.
async fn exchange(path: &str, content_type: &str, body: &str) -> (u16, String, Vec<Bytes>) {
    let mut caller = Caller::new().await;
    caller.head(path, content_type, "*/*").await;
    if !body.is_empty() {
        caller.chunk(body).await;
    }
    caller.end().await;
    let answer = caller.answer().await;
    let status = answer[9..12].parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    let messages = match caller.events.try_recv() {
        Ok(_) => caller.messages().await,
        Err(_) => Vec::new(),
    };
    (status, body, messages)
}

/// `PutRequest` on the wire: the book that the element is, then the shelf of the path.
fn put(theme: &str) -> Bytes {
    let mut message = if theme.is_empty() {
        vec![0x12, 0]
    } else {
        let length = u8::try_from(theme.len()).unwrap();
        [&[0x12, length + 2, 0x0a, length], theme.as_bytes()].concat()
    };
    message.extend_from_slice(&[8, 7]);
    message.into()
}

#[tokio::test]
async fn f01_each_element_goes_inwards_as_soon_as_it_is_complete() {
    for (content_type, parts) in [
        (ARRAY, ["[{\"theme\":", "\"A\"}", ", {\"theme\":\"B\"} ", "]"]),
        (NDJSON, ["{\"theme\":", "\"A\"}\n", "\n{\"theme\":\"B\"}\r\n", ""]),
    ] {
        let mut caller = Caller::new().await;
        caller.head("/v1/shelves/7/books:put", content_type, "*/*").await;
        caller.chunk(parts[0]).await;
        assert_eq!(caller.event().await, Event::Called("/test.v1.Streams/Put".to_owned()));
        caller.chunk(parts[1]).await;
        assert_eq!(caller.event().await, Event::Message(put("A")), "{content_type}");
        caller.chunk(parts[2]).await;
        assert_eq!(caller.event().await, Event::Message(put("B")), "{content_type}");
        if !parts[3].is_empty() {
            caller.chunk(parts[3]).await;
        }
        caller.end().await;
        assert_eq!(caller.event().await, Event::Ended);
        let answer = caller.answer().await;
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n{\"count\":\"2\"}"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn f03_f06_f07_f09_what_an_element_becomes() {
    let (status, body, messages) = exchange("/v1/shelves/7/books:put", ARRAY, r#"[{},{"theme":"C"},{}]"#).await;
    assert_eq!((status, body.as_str()), (200, "{\"count\":\"3\"}"));
    assert_eq!(messages, [put(""), put("C"), put("")]);

    let (_, _, messages) = exchange("/v1/texts", ARRAY, r#"["Classic","Fiction"]"#).await;
    assert_eq!(messages, ["\x0a\x07Classic", "\x0a\x07Fiction"]);

    let lists = r#"[[{"theme":"a"},{}],[{"theme":"b"}]]"#;
    let (_, _, messages) = exchange("/v1/lists", ARRAY, lists).await;
    assert_eq!(messages, ["\x12\x03\x0a\x01a\x12\x00", "\x12\x03\x0a\x01b"]);

    let (_, _, messages) = exchange("/v1/whole", NDJSON, "{\"text\":\"a\"}\n{}").await;
    assert_eq!(messages, ["\x0a\x01a", ""]);

    let many = format!("[{}{{}}]", r#"{"text":"x"},"#.repeat(999));
    assert_eq!(exchange("/v1/whole", ARRAY, &many).await.2.len(), 1_000);

    for (content_type, nothing) in [
        (ARRAY, "[]"),
        (ARRAY, " [ ] "),
        (ARRAY, ""),
        (NDJSON, ""),
        (NDJSON, "\n"),
    ] {
        let (status, _, messages) = exchange("/v1/whole", content_type, nothing).await;
        assert_eq!((status, messages.len()), (200, 0), "{content_type} {nothing:?}");
    }
    let (status, _, messages) = exchange("/v1/shelves/7/books:put?note=n", ARRAY, "[{},{}]").await;
    assert_eq!(status, 200);
    assert_eq!(
        messages,
        ["\x12\x00\x08\x07\x1a\x01n", "\x12\x00\x08\x07\x1a\x01n"],
        "in each message"
    );
}

#[tokio::test]
async fn a_route_without_a_body_sends_the_one_message_of_its_path() {
    let mut caller = Caller::new().await;
    let request = b"GET /v1/texts/abc HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    caller.socket.write_all(request).await.unwrap();
    assert!(caller.answer().await.ends_with("{\"count\":\"1\"}"));
    assert_eq!(caller.messages().await, ["\x0a\x03abc"]);
}

#[tokio::test]
async fn f04_f13_what_is_no_stream_is_refused_before_the_service_is_called() {
    let put = "/v1/shelves/7/books:put";
    let table = [
        (put, ARRAY, r#"{"theme":"x"}"#, 400, "expected `[`"),
        (put, ARRAY, "null", 400, "expected `[`"),
        (put, "text/csv", "a", 415, "application/x-ndjson"),
        (put, "application/json; charset=latin1", "[]", 415, "UTF-8"),
        ("/v1/shelves/x/books:put", ARRAY, "[]", 400, "shelf"),
        ("/v1/shelves/7/books:put?nope=1", ARRAY, "[]", 400, "nope"),
        ("/v1/one", ARRAY, "[{},{}]", 400, "expected an object, found an array"),
        ("/v1/one", NDJSON, "{}", 415, "application/json"),
    ];
    for (path, content_type, body, expected, said) in table {
        let mut caller = Caller::new().await;
        caller.head(path, content_type, "*/*").await;
        caller.chunk(body).await;
        caller.end().await;
        let answer = caller.answer().await;
        assert_eq!(answer[9..12], expected.to_string(), "{path} {body}: {answer}");
        assert!(answer.contains(said), "{path} {body}: {answer}");
        assert!(caller.events.try_recv().is_err(), "{path} {body} called the service");
    }
}

#[tokio::test]
async fn f10_a_bad_element_cancels_the_call_and_says_where_it_stands() {
    let table = [
        (
            ARRAY,
            "[{},\n {\"theme\":\"B\"},\n {\"theme\":3}, {}]",
            "element 2: book.theme: expected a string, found a number at line 3, column 11 (byte 31)",
        ),
        (
            NDJSON,
            "{}\n{\"theme\":\"B\"}\n{\"theme\":3}\n{}",
            "element 2: book.theme: expected a string, found a number at line 3, column 10 (byte 26)",
        ),
        (
            ARRAY,
            "[{},{\"theme\":\"B\"} {}]",
            "expected `,` or `]`; found '{' at line 1, column 19 (byte 18)",
        ),
        (ARRAY, "[{},{\"theme\":\"B\"}", "expected the rest of the array"),
        (
            ARRAY,
            "[{},{\"theme\":\"B\"},{\"theme",
            "the body ended inside an element",
        ),
        (ARRAY, "[{},{\"theme\":\"B\"}][", "expected the end of the body"),
    ];
    for (content_type, body, said) in table {
        let (status, answer, messages) = exchange("/v1/shelves/7/books:put", content_type, body).await;
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        assert_eq!((status, &answer["code"]), (400, &json!(3)), "{body}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(said), "{body}: {answer}");
        assert_eq!(messages, [put(""), put("B")], "{body}");
    }
    let large = format!("[{{}},\"{}\"]", "x".repeat(1 << 20));
    let (status, answer, messages) = exchange("/v1/shelves/7/books:put", ARRAY, &large).await;
    assert_eq!((status, messages.len()), (413, 1), "{answer}");
    assert!(answer.contains("element 1 of the body is larger"), "{answer}");
}

#[tokio::test]
async fn f10_what_came_before_a_bad_element_reaches_an_upstream_too() {
    let (inner, mut events) = streams();
    let service = service(&builder().build().unwrap(), behind_http2(inner).await);
    for body in ["{}\n{\"theme\":\"B\"}\n3\n{}\n", "{}\n{\"theme\":\"B\"}\n3"] {
        let request = Request::post("/v1/shelves/7/books:put")
            .header("host", "h")
            .header("content-type", NDJSON);
        let body = RequestBody::new(http_body_util::Full::new(Bytes::from(body)));
        let answer = service.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        assert_eq!(answer.status(), 400);
        let mut seen = Vec::new();
        while seen.last() != Some(&Event::Over) {
            seen.push(events.recv().await.unwrap());
        }
        assert_eq!(
            seen[1..3],
            [Event::Message(put("")), Event::Message(put("B"))],
            "{seen:?}"
        );
        assert!(!seen.contains(&Event::Ended), "it must not look complete: {seen:?}");
    }
}

#[tokio::test]
async fn a_caller_who_is_still_sending_reads_why_it_is_refused() {
    let rest = format!("{{\"theme\":\"{}\"}}\n", "x".repeat(1_000)).repeat(4_000);
    // In the body, and in its head.
    for (content_type, start, status) in [(NDJSON, "3\n", "400"), ("text/csv", "a,b\n", "415")] {
        let mut caller = Caller::new().await;
        let head = format!(
            "POST /v1/shelves/7/books:put HTTP/1.1\r\nhost: h\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
            start.len() + rest.len()
        );
        caller.socket.write_all(head.as_bytes()).await.unwrap();
        caller.socket.write_all(start.as_bytes()).await.unwrap();
        caller.socket.write_all(rest.as_bytes()).await.unwrap();
        let answer = caller.until("\r\n\r\n").await;
        assert_eq!(&answer[9..12], status, "{answer}");
    }
}

#[tokio::test]
async fn f12_a_caller_who_goes_away_cancels_the_call() {
    for version in ["a caller over HTTP/1.1", "one over HTTP/2"] {
        let mut caller = Caller::new().await;
        let address = caller.socket.peer_addr().unwrap();
        let path = "/v1/shelves/7/books:put";
        if version.ends_with('2') {
            let (body, _answer) = over_http2(address, path, "*/*").await;
            body.send(Bytes::from_static(b"[{},")).unwrap();
            assert_eq!(caller.event().await, Event::Called("/test.v1.Streams/Put".to_owned()));
            assert_eq!(caller.event().await, Event::Message(put("")));
            _answer.abort();
            let _ = _answer.await;
        } else {
            caller.head(path, ARRAY, "*/*").await;
            caller.chunk("[{},").await;
            assert_eq!(caller.event().await, Event::Called("/test.v1.Streams/Put".to_owned()));
            assert_eq!(caller.event().await, Event::Message(put("")));
            caller.socket.shutdown().await.unwrap();
        }
        let end = caller.event().await;
        assert!(matches!(end, Event::Broken | Event::Over), "{version}: {end:?}");
    }
}

type Upload = mpsc::UnboundedSender<Bytes>;
type Download = tokio::task::JoinHandle<http::Response<hyper::body::Incoming>>;

/// A call over a connection of HTTP/2 of its own, whose body is sent through the channel.
async fn over_http2(address: std::net::SocketAddr, path: &str, accept: &str) -> (Upload, Download) {
    let socket = TcpStream::connect(address).await.unwrap();
    let (mut send, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
        .await
        .unwrap();
    tokio::spawn(connection);
    let (upload, chunks) = mpsc::unbounded_channel();
    let chunks = futures_util::stream::unfold(chunks, |mut chunks: mpsc::UnboundedReceiver<Bytes>| async move {
        let chunk = chunks.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(Frame::data(chunk)), chunks))
    });
    let request = Request::post(format!("http://{address}{path}"))
        .header("content-type", if accept == NDJSON { NDJSON } else { ARRAY })
        .header("accept", accept)
        .body(StreamBody::new(Box::pin(chunks)))
        .unwrap();
    let answer = tokio::spawn(async move { send.send_request(request).await.unwrap() });
    (upload, answer)
}

#[tokio::test]
async fn a_conversation_goes_both_ways_at_once() {
    // Over HTTP/2, as lines.
    let caller = Caller::new().await;
    let address = caller.socket.peer_addr().unwrap();
    let (upload, answer) = over_http2(address, "/v1/shelves/7/books:chat", NDJSON).await;
    upload.send(Bytes::from_static(b"{\"theme\":\"A\"}\n")).unwrap();
    let mut answer = answer.await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut next = async || answer.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(
        next().await,
        "{\"shelf\":\"7\",\"book\":{\"theme\":\"A\"},\"note\":\"\"}\n"
    );
    upload.send(Bytes::from_static(b"{\"theme\":\"B\"}\n")).unwrap();
    assert_eq!(
        next().await,
        "{\"shelf\":\"7\",\"book\":{\"theme\":\"B\"},\"note\":\"\"}\n"
    );
    upload.send(Bytes::from_static(b"{\"theme\":3}\n")).unwrap();
    let last = String::from_utf8(next().await.to_vec()).unwrap();
    assert!(
        last.starts_with("{\"error\":{\"code\":3,\"message\":\"element 2: book.theme:"),
        "{last}"
    );
    assert!(answer.frame().await.is_none());

    // Over HTTP/1.1, as an array.
    let mut caller = Caller::new().await;
    caller.head("/v1/shelves/7/books:chat", ARRAY, ARRAY).await;
    caller.chunk("[{\"theme\":\"A\"}").await;
    let so_far = caller.until("\"note\":\"\"}\r\n").await;
    assert!(
        so_far.starts_with("HTTP/1.1 200 OK\r\n") && so_far.contains("\r\n[{\"shelf\""),
        "{so_far}"
    );
    caller.chunk(",{}]").await;
    caller
        .until(",{\"shelf\":\"7\",\"book\":{\"theme\":\"\"},\"note\":\"\"}\r\n")
        .await;
    caller.end().await;
    assert!(caller.answer().await.ends_with("]\r\n0\r\n\r\n"));

    // A wrong element after the answer has begun: the array is never closed.
    let mut caller = Caller::new().await;
    caller.head("/v1/shelves/7/books:chat", ARRAY, ARRAY).await;
    caller.chunk("[{}").await;
    caller.until("\"note\":\"\"}\r\n").await;
    caller.chunk(",1]").await;
    let rest = caller.answer().await;
    assert!(!rest.contains(']') && !rest.ends_with("0\r\n\r\n"), "{rest}");

    // The same before: a real status.
    let (status, body, _) = exchange("/v1/shelves/7/books:chat", NDJSON, "1\n{}").await;
    assert_eq!(status, 400, "{body}");
}
