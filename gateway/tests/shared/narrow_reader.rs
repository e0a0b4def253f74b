//! A reader of an event stream over a pipe that holds nearly nothing: a socket holds more than such a stream has.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use millrace_gateway::HttpService;
use millrace_gateway::serve::{ConnectionLimits, serve_connection};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::watch;

const LONG: Duration = Duration::from_secs(600);
const LIMITS: ConnectionLimits = ConnectionLimits {
    connections: 1,
    connections_per_ip: 1,
    streams: 1,
    first_request: LONG,
    idle: LONG,
    unread: LONG,
};

/// Asks for a stream and reads the status alone.
pub(crate) async fn begin(service: HttpService, target: &str) -> DuplexStream {
    let (mut reader, server) = tokio::io::duplex(1 << 10);
    let (drain, draining) = watch::channel(false);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    tokio::spawn(async move {
        serve_connection(server, address, service, LIMITS, draining).await;
        drop(drain);
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
