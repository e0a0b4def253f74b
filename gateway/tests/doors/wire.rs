//! What really goes over an HTTP/1.1 connection: a client that writes bytes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use millrace_gateway::HttpService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::{Code, Status};

use crate::sockets::listening;
use crate::support::{Ending, Scripted, Stage, grpc, item, messages, messages_then};

/// A connection to a server.
async fn connect(service: HttpService) -> TcpStream {
    TcpStream::connect(listening(service).await).await.unwrap()
}

/// Sends a request and reads until the server closes.
pub(crate) async fn exchange(service: HttpService, request: &str) -> String {
    let mut client = connect(service).await;
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

fn get(path: &str, accept: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: {accept}\r\nconnection: close\r\n\r\n")
}

/// Longer than what has to come can take.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_unary_answer_has_a_length_and_head_the_same() {
    let stage = Stage::new(|_| messages(&[item("items/7", 3)]));
    let answer = exchange(stage.service.clone(), &get("/v1/items/7", "*/*")).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("content-length: 28\r\n") && !answer.contains("chunked"),
        "{answer}"
    );
    assert!(
        answer.ends_with("\r\n\r\n{\"name\":\"items/7\",\"seq\":\"3\"}"),
        "{answer}"
    );
    let head = exchange(
        stage.service.clone(),
        &get("/v1/items/7", "*/*").replacen("GET", "HEAD", 1),
    )
    .await;
    assert!(
        head.contains("content-length: 28\r\n") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    let created = "POST /v1/items HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: 19\r\n\
                   connection: close\r\n\r\n{\"name\":\"items/1\"}\n";
    let created = exchange(stage.service.clone(), created).await;
    assert!(created.starts_with("HTTP/1.1 201 Created\r\n"), "{created}");
}

#[tokio::test]
async fn a_whole_stream_ends_its_chunks_and_a_broken_array_does_not() {
    let whole = Stage::new(|_| messages(&[item("a", 1)]));
    let answer = exchange(whole.service.clone(), &get("/v1/items:watch", "application/json")).await;
    assert!(answer.ends_with("\r\n0\r\n\r\n"), "{answer}");
    let broken = Stage::new(|_| messages_then(&[item("a", 1)], Status::new(Code::Aborted, "")));
    let answer = exchange(broken.service.clone(), &get("/v1/items:watch", "application/json")).await;
    assert!(answer.contains("[{\"name\":\"a\",\"seq\":\"1\"}"), "{answer}");
    assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn a_connection_that_is_closed_ends_the_inner_stream() {
    let witness = Arc::new(Mutex::new(None));
    let kept = witness.clone();
    let stage = Stage::new(move |_| {
        let body = Scripted::new(&[item("a", 1)], Ending::Never);
        *kept.lock().unwrap() = Some(body.witness.clone());
        grpc(tonic::body::Body::new(body))
    });
    let mut client = connect(stage.service.clone()).await;
    client
        .write_all(get("/v1/items:watch", "text/event-stream").as_bytes())
        .await
        .unwrap();
    let mut first = [0; 16];
    client.read_exact(&mut first).await.unwrap();
    let witness = witness.lock().unwrap().take().unwrap();
    assert_eq!(Arc::strong_count(&witness), 2);
    drop(client);
    // The server sees the end of the connection when it is polled next.
    let ended = async {
        while Arc::strong_count(&witness) > 1 {
            tokio::task::yield_now().await;
        }
    };
    let ended = tokio::time::timeout(PATIENCE, ended).await;
    assert!(ended.is_ok(), "the inner stream goes on without a caller");
}

#[tokio::test]
async fn a_chunked_body_with_a_length_ends_with_its_chunks_and_ends_the_connection() {
    let stage = Stage::new(|_| messages(&[item("items/7", 3)]));
    let head = "host: h\r\ncontent-type: application/json\r\n";
    let next = "GET /v1/items/7 HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
    // Whoever read the length would take the next request for a part of the body, or the reverse.
    for length in ["content-length: 0\r\n", "content-length: 80\r\n"] {
        for (before, after) in [(length, ""), ("", length)] {
            let chunked = format!(
                "POST /v1/items HTTP/1.1\r\n{head}{before}transfer-encoding: chunked\r\n{after}\r\n2\r\n{{}}\r\n0\r\n\r\n{next}"
            );
            let answer = exchange(stage.service.clone(), &chunked).await;
            assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
            // What follows is not read: whoever is in front may have seen another end of the body.
            assert!(answer.contains("connection: close\r\n"), "{answer}");
            assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        }
    }
    let calls = stage.seen().len();
    for bad in [
        "content-length: 2\r\ncontent-length: 3\r\n",
        "content-length: -1\r\n",
        "transfer-encoding: chunked, identity\r\n",
    ] {
        let request = format!("POST /v1/items HTTP/1.1\r\n{head}{bad}\r\n{{}}");
        let answer = exchange(stage.service.clone(), &request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{bad}: {answer}");
    }
    assert_eq!(stage.seen().len(), calls);
}

#[tokio::test]
async fn a_body_in_a_coding_that_nobody_undoes_is_not_read() {
    let stage = Stage::new(|_| messages(&[item("items/7", 3)]));
    // What would be read is fine in itself; a request behind it would be too.
    let rest = "\r\n2\r\n{}\r\n0\r\n\r\nGET /v1/items/7 HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
    let post = "POST /v1/items HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\n";
    let web = "POST /test.v1.Shop/GetItem HTTP/1.1\r\nhost: h\r\ncontent-type: application/grpc-web\r\n";
    for head in [post, web] {
        for codings in [
            "transfer-encoding: gzip, chunked\r\n",
            "transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n",
            "Transfer-Encoding: identity, chunked\r\n",
            "transfer-encoding: chunked, chunked\r\n",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: x, chunked\r\ncontent-length: 2\r\n",
        ] {
            let answer = exchange(stage.service.clone(), &format!("{head}{codings}{rest}")).await;
            assert!(
                answer.starts_with("HTTP/1.1 501 Not Implemented\r\n"),
                "{codings}: {answer}"
            );
            assert!(
                answer.contains("connection: close\r\n") && answer.contains("transfer coding"),
                "{answer}"
            );
            assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{codings}: {answer}");
        }
        // Of what does not end in `chunked` nobody knows the end.
        for codings in ["transfer-encoding: gzip\r\n", "transfer-encoding: chunked, gzip\r\n"] {
            let answer = exchange(stage.service.clone(), &format!("{head}{codings}{rest}")).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{codings}: {answer}");
        }
    }
    assert!(stage.seen().is_empty());
    // `TE` says what the answer may be in.
    let te = format!("{post}TE: gzip, chunked\r\ntransfer-encoding: Chunked\r\n{rest}");
    let te = exchange(stage.service.clone(), &te).await;
    assert!(te.starts_with("HTTP/1.1 201 Created\r\n"), "{te}");
    assert_eq!(te.matches("HTTP/1.1 ").count(), 2, "{te}");
}

#[tokio::test]
async fn a_request_has_one_host_on_every_door() {
    use millrace_gateway::edge::HostPolicy;
    for policy in [HostPolicy::Any, HostPolicy::Loopback] {
        let stage = Stage::with(|edge| edge.hosts = policy, |_| messages(&[item("items/7", 3)]));
        let two = "host: localhost\r\nhost: localhost\r\n";
        let table = [
            ("GET /v1/items/7 HTTP/1.1", "", "400 Bad Request"),
            ("GET http://localhost/v1/items/7 HTTP/1.1", "", "400 Bad Request"),
            ("GET /v1/items/7 HTTP/1.1", two, "400 Bad Request"),
            ("GET /health HTTP/1.1", two, "400 Bad Request"),
            ("OPTIONS /v1/items/7 HTTP/1.1", two, "400 Bad Request"),
            (
                "POST /test.v1.Shop/GetItem HTTP/1.1\r\ncontent-type: application/grpc-web\r\ncontent-length: 0",
                two,
                "400 Bad Request",
            ),
            ("GET /v1/items/7 HTTP/1.0", two, "400 Bad Request"),
            ("GET /v1/items/7 HTTP/1.1", "Host: localhost\r\n", "200 OK"),
        ];
        for (head, hosts, status) in table {
            let request = format!("{head}\r\n{hosts}connection: close\r\n\r\n");
            let answer = exchange(stage.service.clone(), &request).await;
            assert_eq!(
                answer[9..].lines().next(),
                Some(status),
                "{policy:?} {request}\n{answer}"
            );
        }
        // Whose names are checked has none for a request without one.
        let nameless = exchange(stage.service.clone(), "GET /v1/items/7 HTTP/1.0\r\n\r\n").await;
        let status = if policy == HostPolicy::Any { "200 " } else { "421 " };
        assert!(nameless[9..].starts_with(status), "{nameless}");
    }
}

#[tokio::test]
async fn a_refused_upload_reads_its_answer_and_the_connection_closes() {
    let stage = Stage::of(
        &crate::support::builder()
            .body_time_max(Duration::from_millis(50))
            .build()
            .unwrap(),
        |_| {},
        |_| messages(&[item("items/7", 3)]),
    );
    let begun =
        "POST /v1/items HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: 19\r\n\r\n{\"na";
    // `exchange` returns because the server closes: the client asked for nothing of the kind.
    let answer = exchange(stage.service.clone(), begun).await;
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    assert!(
        answer.contains("connection: close\r\n") && answer.contains("DEADLINE_EXCEEDED"),
        "{answer}"
    );
    assert!(stage.seen().is_empty());
}
