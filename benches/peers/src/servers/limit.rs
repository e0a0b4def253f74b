//! The limit of a gateway on hyper: HTTP/1.1 in, HTTP/2 out, bodies handed on as they come, and nothing transcoded.
//!
//! One thread, and two connections to the upstream, as many as our gateway keeps.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::header::{CONNECTION, HOST};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{Either, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self as upstream, SendRequest};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

/// Connections to the upstream.
const CONNECTIONS: usize = 2;

/// Serves until the process ends. The upstream has to be there.
pub(crate) async fn run(address: SocketAddr, upstream: SocketAddr) -> io::Result<()> {
    let authority = Authority::try_from(upstream.to_string()).map_err(io::Error::other)?;
    let mut senders = Vec::new();
    for _ in 0..CONNECTIONS {
        senders.push(connect(upstream).await?);
    }
    let proxy = Arc::new(Proxy {
        authority,
        senders,
        turn: AtomicUsize::new(0),
    });
    super::accept(address, move |stream| {
        let proxy = Arc::clone(&proxy);
        async move {
            let service = service_fn(|request| proxy.forward(request));
            // A peer that goes away ends its connection, and nothing else.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        }
    })
    .await
}

async fn connect(upstream: SocketAddr) -> io::Result<SendRequest<Incoming>> {
    let stream = TcpStream::connect(upstream).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = upstream::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    // Its failure is that of the calls.
    drop(tokio::spawn(connection));
    Ok(sender)
}

struct Proxy {
    authority: Authority,
    senders: Vec<SendRequest<Incoming>>,
    /// Calls so far: they take the connections in turn.
    turn: AtomicUsize,
}

impl Proxy {
    async fn forward(
        &self,
        mut request: Request<Incoming>,
    ) -> Result<Response<Either<Incoming, Empty<Bytes>>>, hyper::Error> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(
            request
                .uri()
                .path_and_query()
                .cloned()
                .unwrap_or_else(|| PathAndQuery::from_static("/")),
        );
        let Ok(uri) = Uri::from_parts(parts) else {
            let mut refused = Response::new(Either::Right(Empty::new()));
            *refused.status_mut() = StatusCode::BAD_REQUEST;
            return Ok(refused);
        };
        *request.uri_mut() = uri;
        *request.version_mut() = http::Version::HTTP_2;
        request.headers_mut().remove(HOST);
        request.headers_mut().remove(CONNECTION);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut sender = self.senders[turn % CONNECTIONS].clone();
        sender.ready().await?;
        let mut response = sender.send_request(request).await?;
        *response.version_mut() = http::Version::HTTP_11;
        Ok(response.map(Either::Left))
    }
}
