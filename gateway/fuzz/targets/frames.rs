//! Frames: an upstream that answers with any bytes, in any pieces, to every door; and a caller who sends them. Every
//! call ends, and a broken answer never looks like a success over REST.
#![no_main]

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use libfuzzer_sys::fuzz_target;
use millrace_fuzz::descriptors;
use millrace_gateway::edge::{CorsPolicy, Edge, HostPolicy, Metrics, NoBuiltin};
use millrace_gateway::{Gateway, GrpcService, HttpService, RequestBody};
use prometheus_client::registry::Registry;
use tokio::runtime::Runtime;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;

/// Method, path, content type, `Accept`; none of the bodies that REST takes.
const CALLS: [(&str, &str, &str, &str); 7] = [
    ("GET", "/v1/shelves/7", "", ""),
    ("GET", "/v1/shelves:watch", "", "application/x-ndjson"),
    ("GET", "/v1/shelves:watch", "", "text/event-stream"),
    ("GET", "/v1/shelves:watch", "", "application/json"),
    ("POST", "/shapes.v1.Library/GetShelf", "application/grpc-web", ""),
    (
        "POST",
        "/shapes.v1.Library/WatchShelves",
        "application/grpc-web-text",
        "",
    ),
    ("POST", "/v1/namedShelves", "application/json", ""),
];
/// Every call ends long before.
const TIME_MAX: Duration = Duration::from_secs(5);

fuzz_target!(|input: (u8, u8, bool, &[u8])| {
    let (call, piece, with_trailers, bytes) = input;
    let (method, path, content_type, accept) = CALLS[usize::from(call) % CALLS.len()];
    let answer = Answer {
        bytes: Bytes::copy_from_slice(bytes),
        piece: usize::from(piece).max(1),
        with_trailers,
    };
    let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
    for (name, value) in [("content-type", content_type), ("accept", accept)] {
        if !value.is_empty() {
            request = request.header(name, value);
        }
    }
    let body = if method == "GET" {
        Bytes::new()
    } else {
        answer.bytes.clone()
    };
    let mut request = request
        .body(RequestBody::new(Full::new(body)))
        .expect("the request is well-formed");
    request.extensions_mut().insert(answer);
    let ended = async {
        let Ok(response) = service().clone().oneshot(request).await;
        response.into_body().collect().await.is_ok()
    };
    let ended = runtime().block_on(async { tokio::time::timeout(TIME_MAX, ended).await });
    assert!(ended.is_ok(), "the call never ends");
});

/// What the upstream answers; travels in the request's extensions.
#[derive(Clone)]
struct Answer {
    bytes: Bytes,
    piece: usize,
    with_trailers: bool,
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let built = tokio::runtime::Builder::new_current_thread().enable_time().build();
        built.expect("a runtime starts")
    })
}

fn service() -> &'static HttpService {
    static SERVICE: OnceLock<HttpService> = OnceLock::new();
    SERVICE.get_or_init(|| {
        let gateway = Gateway::builder()
            .descriptors(descriptors())
            .build()
            .expect("the shapes load");
        let edge = Edge {
            request_id: Arc::new(|id| id.write_str("id")),
            metrics: Metrics::new(&mut Registry::default()),
            cors: CorsPolicy::Loopback,
            hosts: HostPolicy::Any,
            builtin: Arc::new(NoBuiltin),
        };
        gateway.serve(upstream(), edge)
    })
}

fn upstream() -> GrpcService {
    BoxCloneSyncService::new(tower::service_fn(|request: Request<tonic::body::Body>| async move {
        let answer = request.extensions().get::<Answer>().cloned();
        // What the caller sent is read, as a server would.
        let _ = request.into_body().collect().await;
        let answer = answer.expect("the request carries its answer");
        let mut frames: Vec<_> = answer
            .bytes
            .chunks(answer.piece)
            .map(|piece| Ok::<_, Infallible>(Frame::data(answer.bytes.slice_ref(piece))))
            .collect();
        if answer.with_trailers {
            let status = HeaderValue::from_static("0");
            frames.push(Ok(Frame::trailers(HeaderMap::from_iter([(
                http::HeaderName::from_static("grpc-status"),
                status,
            )]))));
        }
        let body = tonic::body::Body::new(StreamBody::new(stream::iter(frames)));
        let mut response = Response::new(body);
        let grpc = HeaderValue::from_static("application/grpc");
        response.headers_mut().insert(http::header::CONTENT_TYPE, grpc);
        Ok::<_, Infallible>(response)
    }))
}
