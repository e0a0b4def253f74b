//! The same over HTTP/2, for what only a gRPC client sends.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::http::{Answer, Body, Request};
use crate::recorder::PATIENCE;

/// Sends a request on a connection of its own.
pub(crate) async fn send(address: &str, request: &Request) -> Result<Answer, String> {
    let answered = tokio::time::timeout(PATIENCE, exchange(address, request)).await;
    let answered = answered.map_err(|_| "no answer in time".to_owned())?;
    answered.map_err(|error| format!("no answer: {error}"))
}

async fn exchange(address: &str, request: &Request) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TokioIo::new(TcpStream::connect(address).await?);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await?;
    let connection = tokio::spawn(connection);
    let mut sent = ::http::Request::builder()
        .method(request.method)
        .uri(format!("http://{address}{}", request.target));
    for (name, value) in &request.headers {
        sent = sent.header(name, value.as_slice());
    }
    let body = match &request.body {
        Body::Whole(body) => Bytes::from(body.clone()),
        Body::None | Body::Pieces(_) => Bytes::new(),
    };
    let (head, body) = sender.send_request(sent.body(Full::new(body))?).await?.into_parts();
    let collected = body.collect().await?;
    let trailers = collected.trailers().map(fields).unwrap_or_default();
    connection.abort();
    Ok(Answer {
        status: head.status.as_u16(),
        headers: fields(&head.headers),
        body: collected.to_bytes().into(),
        trailers,
        broken: false,
    })
}

fn fields(headers: &::http::HeaderMap) -> Vec<(String, String)> {
    let text = |value: &::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect()
}
