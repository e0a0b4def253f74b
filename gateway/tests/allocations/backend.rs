//! The server behind both proxies, in a thread of its own: it answers each call with the same order, as a gRPC message
//! to the gateway, as JSON to the plain proxy.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::mpsc;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use crate::proxied::ORDER;

/// A request that holds an order, of which only the bytes are of interest.
#[derive(Clone, PartialEq, prost::Message)]
struct CreateOrder {
    #[prost(bytes = "vec", tag = "2")]
    order: Vec<u8>,
}

/// The order in a request on the wire.
pub(crate) fn order_of(request: &[u8]) -> Vec<u8> {
    CreateOrder::decode(request).unwrap().order
}

/// Starts the server; it ends with the process.
pub(crate) fn start(order: Vec<u8>) -> SocketAddr {
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(order.len()).unwrap());
    framed.put_slice(&order);
    let framed = framed.freeze();
    let (say, said) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            say.send(listener.local_addr().unwrap()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let framed = framed.clone();
                let service = service_fn(move |request| answer(request, framed.clone()));
                tokio::spawn(http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service));
            }
        });
    });
    said.recv().unwrap()
}

type Frames = StreamBody<futures_util::stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>;

async fn answer(request: Request<Incoming>, framed: Bytes) -> Result<Response<Frames>, Infallible> {
    let (head, body) = request.into_parts();
    body.collect().await.unwrap();
    let grpc = HeaderValue::from_static("application/grpc");
    let is_grpc = head.headers.get(header::CONTENT_TYPE) == Some(&grpc);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let (content_type, frames) = match is_grpc {
        true => (grpc, vec![Ok(Frame::data(framed)), Ok(Frame::trailers(trailers))]),
        false => (
            HeaderValue::from_static("application/json"),
            vec![Ok(Frame::data(Bytes::from_static(ORDER.as_bytes())))],
        ),
    };
    let mut response = Response::new(StreamBody::new(futures_util::stream::iter(frames)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    if !is_grpc {
        headers.insert(header::CONTENT_LENGTH, ORDER.len().into());
    }
    Ok(response)
}
