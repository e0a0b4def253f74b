//! What a call in process with its service allocates above one to a plain server on hyper, over a real socket.
//! The caller allocates nothing; caller, gateway and service share one thread.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use millrace_gateway::edge::{CorsPolicy, Edge, HostPolicy, Metrics, NoBuiltin, write_hex_id};
use millrace_gateway::serve::{ConnectionLimits, listen, serve};
use millrace_gateway::{Gateway, GrpcService};
use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::server::{Grpc, UnaryService};
use tonic::{Code, Status};
use tonic_prost::ProstCodec;
use tower::Service;

/// Calls before the count, after which every buffer has its size.
const WARM: usize = 20;
/// Calls that are counted.
const CALLS: u64 = 100;

/// Allocations of a call above the plain server's. Of these tonic takes 14 inside the service, and the transcoder
/// some to bind what the path says; to find the route takes none.
const GET_MAX: u64 = 24;
/// Of a creation, whose place is looked for besides.
const CREATE_MAX: u64 = 27;

const GET: &str = "GET /v1/items/7 HTTP/1.1\r\nhost: localhost\r\n\r\n";
const CREATE: &str = "POST /v1/items HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                      content-length: 29\r\n\r\n{\"name\":\"items/7\",\"seq\":\"12\"}";

#[test]
fn a_call_allocates_what_it_must() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (gateway, plain) = runtime.block_on(async { (gateway(), plain().await) });
    let mut beyond = Vec::new();
    for (name, request, bound) in [("get", GET, GET_MAX), ("create", CREATE, CREATE_MAX)] {
        let of_gateway = allocations(&runtime, gateway, request);
        let of_plain = allocations(&runtime, plain, request);
        println!("{name}: {of_gateway} allocations, {of_plain} of a plain server");
        if of_gateway > of_plain + bound {
            beyond.push(name);
        }
    }
    assert!(beyond.is_empty(), "{beyond:?}");
}

/// What one call allocates.
fn allocations(runtime: &Runtime, server: SocketAddr, request: &str) -> u64 {
    let mut stream = runtime.block_on(TcpStream::connect(server)).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut buffer = vec![0; 4 << 10];
    let mut call = || runtime.block_on(exchange(&mut stream, request, &mut buffer)).unwrap();
    for _ in 0..WARM {
        call();
    }
    let counted = allocation_counter::measure(|| (0..CALLS).for_each(|_| call()));
    counted.count_total / CALLS
}

/// One request, and its answer to the end.
async fn exchange(stream: &mut TcpStream, request: &str, buffer: &mut [u8]) -> io::Result<()> {
    stream.write_all(request.as_bytes()).await?;
    let mut filled = 0;
    loop {
        filled += stream.read(&mut buffer[filled..]).await?;
        let answer = std::str::from_utf8(&buffer[..filled]).unwrap();
        let Some((head, body)) = answer.split_once("\r\n\r\n") else {
            continue;
        };
        assert!(head.starts_with("HTTP/1.1 20"), "{answer}");
        let length = head
            .split("\r\n")
            .find_map(|line| line.strip_prefix("content-length: "));
        if body.len() == length.unwrap().parse::<usize>().unwrap() {
            return Ok(());
        }
    }
}

fn gateway() -> SocketAddr {
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doors");
    let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto");
    let mut compiler = protox::Compiler::new([here, protos]).unwrap();
    compiler.include_imports(true).open_files(["shop.proto"]).unwrap();
    let gateway = Gateway::builder()
        .descriptors(&compiler.encode_file_descriptor_set())
        .build()
        .unwrap();
    let count = AtomicU64::new(0);
    let edge = Edge {
        request_id: Arc::new(move |id| write_hex_id(count.fetch_add(1, Ordering::Relaxed).into(), id)),
        metrics: Metrics::new(&mut Registry::default()),
        cors: CorsPolicy::Loopback,
        hosts: HostPolicy::Loopback,
        builtin: Arc::new(NoBuiltin),
    };
    let service = gateway.serve(GrpcService::new(Shop), edge);
    let limits = ConnectionLimits {
        connections: 10,
        connections_per_ip: 10,
        streams: 10,
        first_request: Duration::from_secs(60),
        idle: Duration::from_secs(60),
        unread: Duration::from_secs(60),
    };
    let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (_running, draining) = watch::channel(false);
        serve(listener, service, limits, draining, Duration::ZERO).await;
    });
    address
}

/// A server that reads what it is sent, and answers what it has.
async fn plain() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(|request: Request<Incoming>| async {
                let _ = request.into_body().collect().await;
                let mut response = Response::new(Full::new(Bytes::from_static(b"{}")));
                let json = HeaderValue::from_static("application/json");
                response.headers_mut().insert(header::CONTENT_TYPE, json);
                Ok::<_, Infallible>(response)
            });
            let serving = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(serving);
        }
    });
    address
}

#[derive(Clone, PartialEq, prost::Message)]
struct Item {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int64, tag = "2")]
    seq: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct CreateItem {
    #[prost(message, optional, tag = "1")]
    item: Option<Item>,
}

/// The service, written as tonic generates one.
#[derive(Clone)]
struct Shop;

type Answering<T> = Pin<Box<dyn Future<Output = Result<T, Status>> + Send>>;

impl Service<Request<Body>> for Shop {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match request.uri().path() {
            "/test.v1.Shop/GetItem" => {
                Box::pin(async { Ok(Grpc::new(ProstCodec::default()).unary(GetItem, request).await) })
            }
            "/test.v1.Shop/CreateItem" => {
                Box::pin(async { Ok(Grpc::new(ProstCodec::default()).unary(Create, request).await) })
            }
            _ => Box::pin(async { Ok(Status::new(Code::Unimplemented, "").into_http()) }),
        }
    }
}

struct GetItem;

impl UnaryService<Item> for GetItem {
    type Response = Item;
    type Future = Answering<tonic::Response<Item>>;

    fn call(&mut self, request: tonic::Request<Item>) -> Self::Future {
        Box::pin(async move { Ok(tonic::Response::new(request.into_inner())) })
    }
}

struct Create;

impl UnaryService<CreateItem> for Create {
    type Response = Item;
    type Future = Answering<tonic::Response<Item>>;

    fn call(&mut self, request: tonic::Request<CreateItem>) -> Self::Future {
        Box::pin(async move { Ok(tonic::Response::new(request.into_inner().item.unwrap_or_default())) })
    }
}
