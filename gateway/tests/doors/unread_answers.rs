//! Callers who do not read what they asked for: all answers share one memory, from when they are made until their bytes
//! are gone, and what does not fit is refused.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use h2::client::SendRequest;
use http::{Request, Response};
use http_body_util::BodyExt;
use millrace_gateway::HttpResponse;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::sockets::{listening, text};
use crate::support::{Answer, Stage, builder, messages};

const MEMORY_BYTES: usize = 100_000;
/// Windows of HTTP/2 with which an answer stays in the body, and with which h2 has taken it.
const WINDOWS: [u32; 2] = [0, 10];

/// Answers a call for `items/N` with N bytes, and one for a stream with a message of 40,000.
fn stage() -> Stage {
    let gateway = builder().answer_memory_bytes(MEMORY_BYTES).build().unwrap();
    Stage::of(
        &gateway,
        |_| {},
        |seen| {
            if seen.path.ends_with("TailItems") {
                return messages(&[text(10), text(40_000)]);
            }
            if seen.path.ends_with("WatchItems") {
                return messages(&[text(40_000), text(10)]);
            }
            let digits = seen.body.split(|byte| *byte == b'/').next_back().unwrap();
            messages(&[text(std::str::from_utf8(digits).unwrap().parse().unwrap())])
        },
    )
}

/// A caller over HTTP/2 whose streams have a small window until it reads.
struct Reader {
    send: SendRequest<Bytes>,
    open: Option<oneshot::Sender<()>>,
    connection: JoinHandle<()>,
}

impl Reader {
    async fn connect(stage: &Stage, window: u32) -> Self {
        let address = listening(stage.service.clone()).await;
        let mut client = h2::client::Builder::new();
        client
            .initial_window_size(window)
            .initial_connection_window_size(1 << 20);
        let socket = TcpStream::connect(address).await.unwrap();
        let (send, mut connection) = client.handshake(socket).await.unwrap();
        let (open, mut opened) = oneshot::channel();
        let connection = tokio::spawn(std::future::poll_fn(move |cx| {
            if !opened.is_terminated() && pin!(&mut opened).poll(cx) == Poll::Ready(Ok(())) {
                connection.set_initial_window_size(1 << 20).unwrap();
            }
            pin!(&mut connection).poll(cx).map(|_| ())
        }));
        Self {
            send,
            open: Some(open),
            connection,
        }
    }

    async fn get(&mut self, path: &str) -> Response<RecvStream> {
        let request = Request::get(format!("http://localhost{path}")).body(()).unwrap();
        let (response, _) = self.send.send_request(request, true).unwrap();
        response.await.unwrap()
    }

    /// Opens the windows and reads the whole answers.
    async fn read(&mut self, answers: Vec<Response<RecvStream>>) -> Vec<usize> {
        self.open.take().unwrap().send(()).unwrap();
        let mut lengths = Vec::new();
        for answer in answers {
            let (mut body, mut length) = (answer.into_body(), 0);
            while let Some(chunk) = body.data().await {
                length += chunk.unwrap().len();
            }
            lengths.push(length);
        }
        lengths
    }

    async fn leave(self) {
        self.connection.abort();
        assert!(self.connection.await.unwrap_err().is_cancelled());
    }
}

/// Asks until there is memory again, which a connection may learn a moment after its peer has read.
async fn served_again(stage: &Stage) {
    let served = async {
        while stage.get("/v1/items/70000").await.status != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), served).await.unwrap();
}

fn is_refused(answer: &Answer, retry_after: &str) {
    assert_eq!((answer.status, answer.header("retry-after")), (429, retry_after));
    let said = answer.json();
    assert_eq!(
        (&said["code"], &said["details"][0]["reason"]),
        (&json!(8), &json!("OVERLOADED"))
    );
}

#[tokio::test]
async fn answers_that_are_not_read_share_one_memory_until_they_are() {
    for window in WINDOWS {
        let stage = stage();
        let mut reader = Reader::connect(&stage, window).await;
        let mut unread = Vec::new();
        for path in ["/v1/items/40000", "/v1/items/40000"] {
            let answer = reader.get(path).await;
            assert_eq!(answer.status(), 200);
            unread.push(answer);
        }
        // Another caller's: it does not fit, and may be done.
        is_refused(&stage.get("/v1/items/40000").await, "");
        assert_eq!(
            stage.get("/v1/items/10").await.status,
            200,
            "what is read is given back"
        );
        assert_eq!(stage.seen().len(), 4);
        // Now less than an eighth is left, and nothing is begun.
        unread.push(reader.get("/v1/items/15000").await);
        is_refused(&stage.get("/v1/items/10").await, "1");
        assert_eq!(reader.get("/v1/items/10").await.status(), 429);
        let created = Request::post("/v1/items").header("content-type", "application/json");
        is_refused(&stage.ask(created, "{}").await, "1");
        assert_eq!(stage.seen().len(), 5, "they did not reach the service");

        let lengths = reader.read(unread).await;
        assert!(lengths[0] > 40_000 && lengths[2] > 15_000, "{lengths:?}");
        served_again(&stage).await;
    }
}

#[tokio::test]
async fn a_reader_who_leaves_gives_the_memory_back() {
    for window in WINDOWS {
        for path in ["/v1/items/40000", "/v1/items:watch"] {
            let stage = stage();
            let mut reader = Reader::connect(&stage, window).await;
            let mut unread = Vec::new();
            for status in [200, 200, 429] {
                let answer = reader.get(path).await;
                assert_eq!(answer.status(), status, "{path}");
                unread.push(answer);
            }
            is_refused(&stage.get(path).await, "");
            reader.leave().await;
            served_again(&stage).await;
            drop(unread);
        }
    }
}

#[tokio::test]
async fn the_memory_is_held_by_the_bytes_and_not_by_the_body() {
    let stage = stage();
    let mut bytes = Vec::new();
    for _ in 0..2 {
        let mut answer: HttpResponse = stage.send(Request::get("/v1/items/40000"), "").await;
        bytes.push(answer.body_mut().frame().await.unwrap().unwrap().into_data().unwrap());
    }
    is_refused(&stage.get("/v1/items/40000").await, "");
    // A stream that has begun ends with the same failure, in its own words.
    let stream = Request::get("/v1/items:tail").header("accept", "application/x-ndjson");
    let stream = stage.ask(stream, "").await;
    assert_eq!(stream.status, 200);
    assert!(
        stream.text().contains("OVERLOADED") && !stream.text().contains("xxx"),
        "{stream:?}"
    );
    let array = Request::get("/v1/items:tail").header("accept", "application/json");
    assert!(stage.ask(array, "").await.broken);
    drop(bytes);
    assert_eq!(stage.get("/v1/items/70000").await.status, 200);
}
