//! What really goes over an HTTP/1.1 connection: hyper over a pipe in memory, and a client that writes bytes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use millrace_gateway::{HttpService, RequestBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tonic::{Code, Status};
use tower::{ServiceBuilder, ServiceExt};

use crate::support::{Ending, Scripted, Stage, grpc, item, messages, messages_then};

/// Serves one connection and returns its other end.
fn connect(service: HttpService) -> DuplexStream {
    let (client, server) = tokio::io::duplex(64 * 1024);
    let service = ServiceBuilder::new()
        .map_request(|request: http::Request<hyper::body::Incoming>| request.map(RequestBody::new))
        .service(service);
    let connection = hyper::server::conn::http1::Builder::new();
    tokio::spawn(async move {
        connection
            .serve_connection(TokioIo::new(server), TowerToHyperService::new(service.boxed_clone()))
            .await
    });
    client
}

/// Sends a request and reads until the server closes.
async fn exchange(service: HttpService, request: &str) -> String {
    let mut client = connect(service);
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

fn get(path: &str, accept: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: {accept}\r\nconnection: close\r\n\r\n")
}

#[tokio::test]
async fn a_unary_answer_has_a_length_and_head_the_same() {
    let stage = Stage::new(|_| messages(&[item("items/7", 3)]));
    let answer = exchange(stage.service.clone(), &get("/v1/items/7", "*/*")).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("content-length: 29\r\n") && !answer.contains("chunked"),
        "{answer}"
    );
    assert!(
        answer.ends_with("\r\n\r\n{\"name\":\"items/7\",\"seq\":\"3\"}\n"),
        "{answer}"
    );
    let head = exchange(
        stage.service.clone(),
        &get("/v1/items/7", "*/*").replacen("GET", "HEAD", 1),
    )
    .await;
    assert!(
        head.contains("content-length: 29\r\n") && head.ends_with("\r\n\r\n"),
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
    let mut client = connect(stage.service.clone());
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
    for _ in 0..200 {
        if Arc::strong_count(&witness) == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the inner stream goes on without a caller");
}
