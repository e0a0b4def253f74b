//! The plain proxy: HTTP/1.1 in, HTTP/2 out, bodies handed on as they come. `benches/peers` measures the same one.

use std::net::SocketAddr;

use http::uri::{Authority, Parts, Scheme};
use http::{Request, Response, Uri, header};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};

/// Serves it before a server.
pub(crate) async fn start(server: SocketAddr) -> SocketAddr {
    let stream = TcpStream::connect(server).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let authority = Authority::try_from(server.to_string()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (sender, authority) = (sender.clone(), authority.clone());
            let service = service_fn(move |request| forward(sender.clone(), authority.clone(), request));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

async fn forward(
    mut sender: SendRequest<Incoming>,
    authority: Authority,
    mut request: Request<Incoming>,
) -> Result<Response<Incoming>, hyper::Error> {
    let mut parts = Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(authority);
    parts.path_and_query = request.uri().path_and_query().cloned();
    *request.uri_mut() = Uri::from_parts(parts).unwrap();
    *request.version_mut() = http::Version::HTTP_2;
    request.headers_mut().remove(header::HOST);
    sender.ready().await?;
    let mut response = sender.send_request(request).await?;
    *response.version_mut() = http::Version::HTTP_11;
    Ok(response)
}
