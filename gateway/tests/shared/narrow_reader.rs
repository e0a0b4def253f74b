//! A reader of an event stream over a pipe that holds nearly nothing: a socket holds more than such a stream has.

use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use millrace_gateway::{HttpService, RequestBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tower::{ServiceBuilder, ServiceExt};

/// Asks for a stream and reads the status alone.
pub(crate) async fn begin(service: HttpService, target: &str) -> DuplexStream {
    let (mut reader, server) = tokio::io::duplex(1 << 10);
    let service = ServiceBuilder::new()
        .map_request(|request: Request<Incoming>| request.map(RequestBody::new))
        .service(service);
    let mut connection = hyper::server::conn::http1::Builder::new();
    connection.max_buf_size(8 << 10);
    tokio::spawn(async move {
        let service = TowerToHyperService::new(service.boxed_clone());
        connection.serve_connection(TokioIo::new(server), service).await
    });
    let request = format!("GET {target} HTTP/1.1\r\nhost: h\r\naccept: text/event-stream\r\nconnection: close\r\n\r\n");
    reader.write_all(request.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    reader.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
    reader
}

/// Reads the rest: all messages are there, and it ends well.
pub(crate) async fn finish(mut reader: DuplexStream, messages: usize) {
    let mut rest = String::new();
    reader.read_to_string(&mut rest).await.unwrap();
    assert!(!rest.contains("event: error"), "{}", &rest[rest.len() - 400..]);
    assert_eq!(rest.matches("data: {\"text\"").count(), messages);
    assert!(rest.contains("event: end\n") && rest.ends_with("\r\n0\r\n\r\n"));
}
