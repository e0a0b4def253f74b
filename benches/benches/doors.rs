//! One unary call, `GetProduct`, through each door of a platform that runs in this process: native gRPC over HTTP/2,
//! gRPC-Web and REST over HTTP/1.1, all on one port of loopback.
//!
//! Question: what does each door cost a caller that waits for its answer? Every call goes through the whole stack and
//! reads one row of SQLite. Expected: a socket round trip, HTTP and the row are 100 to 200 us and the same for all;
//! HTTP/2 adds its frames and tasks (10 to 20 us), gRPC-Web a frame (1 us), REST the JSON of a small message (5 us); so
//! REST is about as fast as native gRPC, not a multiple of it.
//!
//! The three callers are hyper's own connections, kept open, one call at a time, and they decode nothing: the doors are
//! compared, not client libraries. `cargo bench -p millrace-benches --bench doors`

use std::net::SocketAddr;

use bytes::{BufMut, Bytes};
use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderMap, Request, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use millrace_proto::catalog::v1::{GetProductRequest, ListProductsRequest, ListProductsResponse, Product};
use millrace_server::dev::{self, Dev, DevOptions};
use prost::Message;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Call = Request<Full<Bytes>>;

const SERVICE: &str = "/millrace.catalog.v1.CatalogService";

/// One whole answer.
struct Reply {
    status: StatusCode,
    body: Bytes,
    trailers: HeaderMap,
}

/// A connection that is kept open.
enum Connection {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    async fn open(address: SocketAddr, version: Version) -> Result<Self, Failure> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let socket = TokioIo::new(socket);
        if version == Version::HTTP_2 {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), socket).await?;
            tokio::spawn(connection);
            return Ok(Self::Http2(sender));
        }
        let (sender, connection) = http1::handshake(socket).await?;
        tokio::spawn(connection);
        Ok(Self::Http1(sender))
    }

    async fn send(&mut self, mut request: Call) -> Result<Reply, Failure> {
        let response = match self {
            Self::Http1(sender) => {
                // HTTP/1.1 sends the path alone to a server that is no proxy; the host is a header.
                let path = request.uri().path().parse()?;
                *request.uri_mut() = path;
                // The connection is free again only after the last answer's end was seen: a request sent before that
                // fails at once, unsent.
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Self::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        let status = response.status();
        let body = response.into_body().collect().await?;
        let trailers = body.trailers().cloned().unwrap_or_default();
        Ok(Reply {
            status,
            body: body.to_bytes(),
            trailers,
        })
    }
}

/// A door: how it is called, and how its answer is read.
struct Door {
    name: &'static str,
    version: Version,
    request: fn(&SocketAddr, &str) -> http::Result<Call>,
    product: fn(&Reply) -> Option<String>,
}

const DOORS: [Door; 3] = [
    Door {
        name: "grpc_h2",
        version: Version::HTTP_2,
        request: |address, name| grpc(address, "GetProduct", "application/grpc", &get(name)),
        product: |reply| {
            Product::decode(message(&reply.body)?)
                .ok()
                .map(|product| product.display_name)
        },
    },
    Door {
        name: "grpc_web_h1",
        version: Version::HTTP_11,
        request: |address, name| grpc(address, "GetProduct", "application/grpc-web+proto", &get(name)),
        product: |reply| {
            Product::decode(message(&reply.body)?)
                .ok()
                .map(|product| product.display_name)
        },
    },
    Door {
        name: "rest_h1",
        version: Version::HTTP_11,
        request: |address, name| {
            Request::get(format!("/v1/{name}"))
                .header("host", address.to_string())
                .body(Full::default())
        },
        product: |reply| {
            let product: serde_json::Value = serde_json::from_slice(&reply.body).ok()?;
            Some(product["displayName"].as_str()?.to_owned())
        },
    },
];

fn get(name: &str) -> GetProductRequest {
    GetProductRequest { name: name.to_owned() }
}

/// A request of gRPC or gRPC-Web, which differ in the content type alone.
fn grpc(address: &SocketAddr, method: &str, content_type: &str, message: &impl Message) -> http::Result<Call> {
    let mut frame = vec![0];
    frame.put_u32(u32::try_from(message.encoded_len()).unwrap_or(u32::MAX));
    frame.extend(message.encode_to_vec());
    Request::post(format!("http://{address}{SERVICE}/{method}"))
        .header("host", address.to_string())
        .header("content-type", content_type)
        .header("te", "trailers")
        .body(Full::from(frame))
}

/// The message in the first frame.
fn message(body: &[u8]) -> Option<&[u8]> {
    let length = u32::from_be_bytes(body.get(1..5)?.try_into().ok()?);
    body.get(5..)?.get(..usize::try_from(length).ok()?)
}

/// A platform with sample data, and the name of one of its products.
async fn start(folder: &std::path::Path) -> Result<(Dev, Product), Failure> {
    let dev = dev::start(DevOptions {
        sample_seed: Some(1),
        ..DevOptions::for_test(folder)
    })
    .await?;
    let address = dev.running.public_addr;
    let list = grpc(
        &address,
        "ListProducts",
        "application/grpc",
        &ListProductsRequest::default(),
    )?;
    let reply = Connection::open(address, Version::HTTP_2).await?.send(list).await?;
    let page = ListProductsResponse::decode(message(&reply.body).unwrap_or_default())?;
    let product = page
        .products
        .into_iter()
        .next()
        .ok_or("the sample data has no product")?;
    Ok((dev, product))
}

fn doors(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("threads can be made");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (dev, product) = runtime
        .block_on(start(folder.path()))
        .expect("a platform starts on an empty folder");
    let address = dev.running.public_addr;
    let mut group = criterion.benchmark_group("doors/get_product");
    for door in &DOORS {
        let opening = Connection::open(address, door.version);
        let mut connection = runtime.block_on(opening).expect("the platform accepts");
        let request = (door.request)(&address, &product.name).expect("the parts are valid");
        let mut call = || {
            let reply = runtime.block_on(connection.send(request.clone()));
            let reply = reply.unwrap_or_else(|error| panic!("{}: {error}", door.name));
            // A refusal is quick; it must not be what is measured. (gRPC says its own in the trailers.)
            assert_eq!(reply.status, StatusCode::OK, "{}: {:?}", door.name, reply.body);
            assert!(
                reply.body.len() > product.display_name.len(),
                "{}: {:?}",
                door.name,
                reply.trailers
            );
            reply
        };
        let reply = call();
        assert_eq!(
            (door.product)(&reply),
            Some(product.display_name.clone()),
            "{}: {:?}",
            door.name,
            reply.trailers
        );
        group.bench_function(door.name, |bencher| bencher.iter(&mut call));
    }
    group.finish();
}

criterion_group!(benches, doors);
criterion_main!(benches);
