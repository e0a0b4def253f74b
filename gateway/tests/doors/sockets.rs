//! A gateway on a socket, before a service of streams whose doings the test hears of.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use millrace_gateway::serve::{ConnectionLimits, listen, serve};
use millrace_gateway::{Builder, Gateway, GrpcService, HttpService};
use prometheus_client::registry::Registry;
use tokio::sync::{mpsc, watch};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::util::BoxCloneSyncService;
use tower::{ServiceBuilder, ServiceExt};

use crate::support::{edge, framed, grpc};

/// What happens to a call inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Called(String),
    Message(Bytes),
    /// The caller has sent all.
    Ended,
    /// The body broke off.
    Broken,
    /// Nobody holds the call any more.
    Over,
}

/// What is heard of the calls inside, in order.
pub(crate) type Events = mpsc::UnboundedReceiver<Event>;

struct Heard(mpsc::UnboundedSender<Event>);

impl Heard {
    fn say(&self, event: Event) {
        let _ = self.0.send(event);
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        self.say(Event::Over);
    }
}

/// A gateway for the services of `streams.proto`.
pub(crate) fn builder() -> Builder {
    static DESCRIPTORS: OnceLock<Vec<u8>> = OnceLock::new();
    let descriptors = DESCRIPTORS.get_or_init(|| {
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doors");
        let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto");
        let mut compiler = protox::Compiler::new([here, protos]).unwrap();
        compiler.include_imports(true);
        compiler.open_files(["streams.proto"]).unwrap();
        compiler.encode_file_descriptor_set()
    });
    Gateway::builder().descriptors(descriptors)
}

pub(crate) fn service(gateway: &Gateway, inner: GrpcService) -> HttpService {
    gateway.serve(inner, edge(&mut Registry::default()))
}

/// Serves on a port of its own for as long as the test runs.
pub(crate) async fn listening(service: HttpService) -> SocketAddr {
    let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    let limits = ConnectionLimits {
        connections: 2_000,
        connections_per_ip: 2_000,
        streams: 1_000,
        first_request: Duration::from_secs(60),
        idle: Duration::from_secs(60),
        unread: Duration::from_secs(60),
    };
    let (keep, draining) = watch::channel(false);
    tokio::spawn(async move {
        serve(listener, service, limits, draining, Duration::ZERO).await;
        drop(keep);
    });
    address
}

/// Of each stream; the connection's window is HTTP/2's largest.
const STREAM_WINDOW_BYTES: u32 = 16 << 10;

/// A service over one connection of HTTP/2.
pub(crate) async fn behind_http2(inner: GrpcService) -> GrpcService {
    let inner = ServiceBuilder::new()
        .map_request(|request: Request<hyper::body::Incoming>| request.map(Body::new))
        .service(inner);
    let (client, server) = tokio::io::duplex(64 << 10);
    let mut http2 = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    http2.max_concurrent_streams(1_000);
    tokio::spawn(http2.serve_connection(TokioIo::new(server), TowerToHyperService::new(inner.boxed_clone())));
    let (send, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_connection_window_size(i32::MAX.cast_unsigned())
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .handshake(TokioIo::new(client))
        .await
        .unwrap();
    tokio::spawn(connection);
    BoxCloneSyncService::new(tower::service_fn(move |mut request: Request<Body>| {
        let mut send = send.clone();
        let path = request.uri().path();
        *request.uri_mut() = format!("http://upstream{path}").parse().unwrap();
        async move {
            Ok::<_, Infallible>(match send.send_request(request).await {
                Ok(response) => response.map(Body::new),
                Err(error) => Status::unavailable(error.to_string()).into_http(),
            })
        }
    }))
}

/// The service of `streams.proto`, in process.
pub(crate) fn streams() -> (GrpcService, Events) {
    let (heard, events) = mpsc::unbounded_channel();
    let service = tower::service_fn(move |request: Request<Body>| {
        let heard = Heard(heard.clone());
        heard.say(Event::Called(request.uri().path().to_owned()));
        async move { Ok::<_, Infallible>(answer(request, heard).await) }
    });
    (BoxCloneSyncService::new(service), events)
}

async fn answer(request: Request<Body>, heard: Heard) -> Response<Body> {
    let method = request.uri().path().rsplit('/').next().unwrap().to_owned();
    let mut messages = Sent::of(request.into_body(), heard);
    match method.as_str() {
        "Chat" => {
            let replies = futures_util::stream::unfold(Some(messages), |messages| async move {
                let mut messages = messages?;
                match messages.next().await {
                    Some(Ok(message)) => Some((Ok::<_, Status>(Frame::data(framed(&message))), Some(messages))),
                    Some(Err(status)) => Some((Ok(trailers(&status)), None)),
                    None => Some((Ok(trailers(&Status::ok(""))), None)),
                }
            });
            grpc(Body::new(StreamBody::new(Box::pin(replies))))
        }
        "Flood" => {
            let request = messages.next().await.unwrap().unwrap();
            let [count, bytes] = numbers(&request);
            grpc(Body::new(Flood {
                left: count,
                message: text(bytes),
                _heard: messages.heard,
            }))
        }
        _ => {
            let mut count = 0_usize;
            while let Some(message) = messages.next().await {
                match message {
                    Ok(_) => count += 1,
                    Err(status) => return status.into_http(),
                }
            }
            // As a varint of three bytes, which may be longer than it has to be.
            let (low, middle, high) = (count % 128, count / 128 % 128, count / (128 * 128));
            let summary = [
                8,
                u8::try_from(low).unwrap() | 0x80,
                u8::try_from(middle).unwrap() | 0x80,
                u8::try_from(high).unwrap(),
            ];
            crate::support::messages(&[Bytes::copy_from_slice(&summary)])
        }
    }
}

/// The first two fields of a message, which are numbers.
fn numbers(mut message: &[u8]) -> [u64; 2] {
    let mut numbers = [0; 2];
    while message.has_remaining() {
        let field = usize::from(message.get_u8() >> 3);
        let mut shift = 0;
        loop {
            let byte = message.get_u8();
            numbers[field - 1] |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
    }
    numbers
}

/// `Texts` with a text of so many bytes.
pub(crate) fn text(bytes: u64) -> Bytes {
    let mut message = vec![0x0a];
    let mut rest = bytes;
    while rest >= 0x80 {
        message.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
        rest >>= 7;
    }
    message.push(u8::try_from(rest).unwrap());
    message.resize(message.len() + usize::try_from(bytes).unwrap(), b'x');
    message.into()
}

/// As many messages as are wanted, each in a frame and a chunk of its own.
struct Flood {
    left: u64,
    message: Bytes,
    _heard: Heard,
}

impl http_body::Body for Flood {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(left) = self.left.checked_sub(1) else {
            // The end comes once.
            self.left = u64::MAX;
            return Poll::Ready(Some(Ok(trailers(&Status::ok("")))));
        };
        if left == u64::MAX - 1 {
            return Poll::Ready(None);
        }
        self.left = left;
        Poll::Ready(Some(Ok(Frame::data(framed(&self.message)))))
    }
}

pub(crate) fn trailers(status: &Status) -> Frame<Bytes> {
    let mut trailers = HeaderMap::new();
    status.add_header(&mut trailers).unwrap();
    Frame::trailers(trailers)
}

/// The messages that a caller sends.
struct Sent {
    body: Body,
    bytes: BytesMut,
    heard: Heard,
}

impl Sent {
    fn of(body: Body, heard: Heard) -> Self {
        Self {
            body,
            bytes: BytesMut::new(),
            heard,
        }
    }

    async fn next(&mut self) -> Option<Result<Bytes, Status>> {
        loop {
            if self.bytes.len() >= 5 {
                let length = u32::from_be_bytes(self.bytes[1..5].try_into().unwrap()) as usize;
                if self.bytes.len() >= 5 + length {
                    self.bytes.advance(5);
                    let message = self.bytes.split_to(length).freeze();
                    self.heard.say(Event::Message(message.clone()));
                    return Some(Ok(message));
                }
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self.bytes.put(frame.into_data().unwrap_or_default()),
                Some(Err(_)) => {
                    self.heard.say(Event::Broken);
                    return Some(Err(Status::new(Code::Unknown, "the body broke off")));
                }
                None => {
                    self.heard.say(Event::Ended);
                    return None;
                }
            }
        }
    }
}
