//! The gateway on a port, and what calls it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use millrace_gateway::edge::{CorsPolicy, Edge, HostPolicy, Metrics, NoBuiltin};
use millrace_gateway::serve::{ConnectionLimits, listen, serve};
use millrace_gateway::upstream::{Health, Settings, Upstream};
use millrace_gateway::{Gateway, GrpcService, RequestBody};
use prometheus_client::registry::Registry;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// A gateway that serves.
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    pub(crate) upstream: Upstream,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) running: JoinHandle<()>,
}

/// Settings for a server on this machine, with waits that suit tests.
pub(crate) fn settings(address: SocketAddr) -> Settings {
    Settings {
        reconnect_first: Duration::from_millis(5),
        reconnect_max: Duration::from_millis(20),
        ..Settings::new(format!("http://{address}"), 1)
    }
}

impl Front {
    /// Before a server on this machine, which is connected.
    pub(crate) async fn before(address: SocketAddr) -> Self {
        let front = Self::start(settings(address));
        front.connected().await;
        front
    }

    pub(crate) fn start(settings: Settings) -> Self {
        let upstream = Upstream::new(settings).unwrap();
        let (stop, stopping) = watch::channel(false);
        let kept = upstream.clone();
        let running = tokio::spawn(async move { kept.run(stopping).await });
        Self {
            address: serve_on_a_port(upstream.service()),
            upstream,
            stop,
            running,
        }
    }

    /// Waits until the server can be called.
    pub(crate) async fn connected(&self) {
        self.is(|health| *health == Health::Up).await;
    }

    pub(crate) async fn is(&self, state: impl FnMut(&Health) -> bool) -> Health {
        self.upstream.health().wait_for(state).await.unwrap().clone()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Request::get(path), "").await
    }

    /// One request on a connection of its own, over HTTP/1.1.
    pub(crate) async fn ask(&self, request: http::request::Builder, body: impl Into<Bytes>) -> Answer {
        Answer::of(self.open(request, body).await).await
    }

    /// The same, up to the head of the answer.
    pub(crate) async fn open(&self, request: http::request::Builder, body: impl Into<Bytes>) -> Response<Incoming> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        request_over(stream, request, body).await
    }

    /// The same without a body, over a connection that takes little before somebody reads.
    pub(crate) async fn open_narrow(&self, request: http::request::Builder) -> Response<Incoming> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4 << 10).unwrap();
        request_over(socket.connect(self.address).await.unwrap(), request, "").await
    }

    /// A connection over HTTP/2.
    pub(crate) async fn http2(&self) -> hyper::client::conn::http2::SendRequest<RequestBody> {
        self.http2_over_a_wire().await.0
    }

    /// The same, and what cuts it.
    pub(crate) async fn http2_over_a_wire(
        &self,
    ) -> (
        hyper::client::conn::http2::SendRequest<RequestBody>,
        oneshot::Sender<()>,
    ) {
        let (near, mut wire) = tokio::io::duplex(64 << 10);
        let mut far = TcpStream::connect(self.address).await.unwrap();
        let (cut, is_cut) = oneshot::channel();
        tokio::spawn(async move {
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut wire, &mut far) => {}
                Ok(()) = is_cut => {}
            }
        });
        let io = TokioIo::new(near);
        let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
            .await
            .unwrap();
        tokio::spawn(connection);
        (sender, cut)
    }

    /// A gRPC call of an RPC of the shop.
    pub(crate) fn grpc(&self, rpc: &str, body: RequestBody) -> Request<RequestBody> {
        Request::post(format!("http://{}/test.v1.Shop/{rpc}", self.address))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(body)
            .unwrap()
    }
}

async fn request_over(
    stream: TcpStream,
    request: http::request::Builder,
    body: impl Into<Bytes>,
) -> Response<Incoming> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = request
        .header("host", "localhost")
        .body(Full::new(body.into()))
        .unwrap();
    sender.send_request(request).await.unwrap()
}

/// Serves the shop's gateway over an inner service.
pub(crate) fn serve_on_a_port(inner: GrpcService) -> SocketAddr {
    let mut registry = Registry::default();
    let edge = Edge {
        request_id: Arc::new(|id| id.write_str("an-id")),
        metrics: Metrics::new(&mut registry),
        cors: CorsPolicy::Loopback,
        hosts: HostPolicy::Any,
        builtin: Arc::new(NoBuiltin),
    };
    let service = gateway().serve(inner, edge);
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let limits = ConnectionLimits {
        connections: 2_000,
        connections_per_ip: 2_000,
        streams: 200,
        first_request: Duration::from_secs(60),
        idle: Duration::from_secs(60),
        unread: Duration::from_secs(600),
    };
    // Serves until the test's runtime ends.
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(async move {
        serve(listener, service, limits, stopping, Duration::from_secs(1)).await;
        drop(stop);
    });
    address
}

/// A gateway for the shop.
pub(crate) fn gateway() -> Gateway {
    let doors = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doors");
    let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto");
    let mut compiler = protox::Compiler::new([doors, protos]).unwrap();
    compiler.include_imports(true);
    compiler
        .open_files(["shop.proto", "google/rpc/error_details.proto"])
        .unwrap();
    let descriptors = compiler.encode_file_descriptor_set();
    Gateway::builder().descriptors(&descriptors).build().unwrap()
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: HeaderMap,
    /// The body broke off.
    pub(crate) broken: bool,
}

impl Answer {
    pub(crate) async fn of(response: Response<Incoming>) -> Self {
        let (head, mut body) = response.into_parts();
        let (mut data, mut trailers, mut broken) = (Vec::new(), HeaderMap::new(), false);
        while let Some(frame) = body.frame().await {
            match frame.map(http_body::Frame::into_data) {
                Ok(Ok(chunk)) => data.extend_from_slice(&chunk),
                Ok(Err(frame)) => trailers = frame.into_trailers().unwrap_or_default(),
                Err(_) => {
                    broken = true;
                    break;
                }
            }
        }
        Self {
            status: head.status.as_u16(),
            headers: head.headers,
            body: data.into(),
            trailers,
            broken,
        }
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// HTTP status and gRPC code of a refusal. None says where the server is.
    pub(crate) fn refusal(&self) -> (u16, i64) {
        let text = self.text();
        for secret in ["127.0.0.1", "localhost", "h2", "hyper", "os error"] {
            assert!(!text.contains(secret), "{text}");
        }
        (self.status, self.json()["code"].as_i64().unwrap())
    }

    /// `grpc-status`, of the trailers or of the head.
    pub(crate) fn grpc_status(&self) -> &str {
        let status = self.trailers.get("grpc-status").or(self.headers.get("grpc-status"));
        status.map_or("none", |status| status.to_str().unwrap())
    }
}
