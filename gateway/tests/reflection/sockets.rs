//! gRPC over a loopback socket: any service as a server, and a client of it.

use std::convert::Infallible;
use std::net::SocketAddr;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use millrace_gateway::GrpcService;
use tokio::net::{TcpListener, TcpStream};
use tonic::body::Body;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;

/// Serves until the test's runtime ends.
pub(crate) async fn serve(service: GrpcService) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = service.clone();
            let answer = hyper::service::service_fn(move |request: Request<Incoming>| {
                service.clone().oneshot(request.map(Body::new))
            });
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(connection.serve_connection(TokioIo::new(socket), answer));
        }
    });
    address
}

/// One connection to a server.
pub(crate) async fn connect(address: SocketAddr) -> GrpcService {
    let socket = TcpStream::connect(address).await.unwrap();
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket));
    let (sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    BoxCloneSyncService::new(tower::service_fn(move |request: Request<Body>| {
        let (mut sender, path) = (sender.clone(), request.uri().path().to_owned());
        async move {
            let (mut head, body) = request.into_parts();
            head.uri = format!("http://test{path}").parse().unwrap();
            let sent = sender.send_request(Request::from_parts(head, body)).await;
            let response = match sent {
                Ok(response) => response.map(Body::new),
                Err(error) => tonic::Status::unavailable(error.to_string()).into_http(),
            };
            Ok::<Response<Body>, Infallible>(response)
        }
    }))
}

/// A server and a connection to it.
pub(crate) async fn over_socket(service: GrpcService) -> GrpcService {
    connect(serve(service).await).await
}
