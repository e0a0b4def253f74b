//! A gateway over a scripted inner service: no network, the tower service is called directly.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes};
use http::{HeaderMap, Request, Response, Version};
use http_body::Frame;
use http_body_util::BodyExt;
use millrace_gateway::edge::{CorsPolicy, Edge, HostPolicy, Metrics, NoBuiltin};
use millrace_gateway::{Gateway, GrpcService, HttpResponse, HttpService, RequestBody};
use prometheus_client::registry::Registry;
use tonic::body::Body;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;

pub(crate) const GET: &str = "test.v1.Shop/GetItem";

/// What the inner service saw of one call.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) extensions: http::Extensions,
}

/// The answer of the inner service.
pub(crate) type Script = Arc<dyn Fn(&Seen) -> Response<Body> + Send + Sync>;

/// Everything a test looks at.
pub(crate) struct Stage {
    pub(crate) service: HttpService,
    pub(crate) registry: Registry,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// The edge of a stage; tests change what they are about.
pub(crate) fn edge(registry: &mut Registry) -> Edge {
    Edge {
        request_id: Arc::new(|id| id.write_str("new-id")),
        metrics: Metrics::new(registry),
        cors: CorsPolicy::Loopback,
        hosts: HostPolicy::Any,
        builtin: Arc::new(NoBuiltin),
    }
}

impl Stage {
    pub(crate) fn new(script: impl Fn(&Seen) -> Response<Body> + Send + Sync + 'static) -> Self {
        Self::with(|_| {}, script)
    }

    pub(crate) fn with(
        change: impl FnOnce(&mut Edge),
        script: impl Fn(&Seen) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        Self::of(gateway(), change, script)
    }

    /// Over a gateway with other limits.
    pub(crate) fn of(
        gateway: &Gateway,
        change: impl FnOnce(&mut Edge),
        script: impl Fn(&Seen) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        crate::logs::start();
        let mut registry = Registry::default();
        let mut edge = edge(&mut registry);
        change(&mut edge);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let service = gateway.serve(inner(Arc::new(script), seen.clone()), edge);
        Self {
            service,
            registry,
            seen,
        }
    }

    pub(crate) async fn send(&self, request: http::request::Builder, body: impl Into<Bytes>) -> HttpResponse {
        let body = RequestBody::new(http_body_util::Full::new(body.into()));
        self.upload(request, body).await
    }

    /// Sends a body that is on its way.
    pub(crate) async fn upload(&self, request: http::request::Builder, body: RequestBody) -> HttpResponse {
        let mut request = request.body(body).unwrap();
        // As every client of HTTP/1.1 does; what is sent without one is in `wire.rs`.
        if request.version() == Version::HTTP_11 {
            let host = request.headers_mut().entry("host");
            host.or_insert(http::HeaderValue::from_static("localhost"));
        }
        self.service.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn get(&self, uri: &str) -> Answer {
        Answer::of(self.send(Request::get(uri), "").await).await
    }

    pub(crate) async fn ask(&self, request: http::request::Builder, body: impl Into<Bytes>) -> Answer {
        Answer::of(self.send(request, body).await).await
    }

    /// The calls that reached the inner service.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }
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
    pub(crate) async fn of(response: HttpResponse) -> Self {
        let (head, mut body) = response.into_parts();
        let (mut data, mut trailers, mut broken) = (Vec::new(), HeaderMap::new(), false);
        while let Some(frame) = body.frame().await {
            match frame.map(Frame::into_data) {
                Ok(Ok(chunk)) => data.extend_from_slice(&chunk),
                Ok(Err(frame)) => trailers = frame.into_trailers().unwrap_or_default(),
                Err(_) => broken = true,
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

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }
}

pub(crate) fn gateway() -> &'static Gateway {
    static GATEWAY: OnceLock<Gateway> = OnceLock::new();
    GATEWAY.get_or_init(|| builder().build().unwrap())
}

/// A gateway for the shop; tests set the limits that they are about.
pub(crate) fn builder() -> millrace_gateway::Builder {
    static DESCRIPTORS: OnceLock<Vec<u8>> = OnceLock::new();
    let descriptors = DESCRIPTORS.get_or_init(|| {
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doors");
        let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto");
        let mut compiler = protox::Compiler::new([here, protos]).unwrap();
        compiler.include_imports(true);
        compiler
            .open_files(["shop.proto", "google/rpc/error_details.proto"])
            .unwrap();
        compiler.encode_file_descriptor_set()
    });
    Gateway::builder()
        .descriptors(descriptors)
        .request_headers(["x-api-key", "x-millrace-consistency", "data-bin"])
}

fn inner(script: Script, seen: Arc<Mutex<Vec<Seen>>>) -> GrpcService {
    BoxCloneSyncService::new(tower::service_fn(move |request: Request<Body>| {
        let (script, seen) = (script.clone(), seen.clone());
        async move {
            let (head, body) = request.into_parts();
            let body = match body.collect().await {
                Ok(body) => body.to_bytes(),
                Err(status) => return Ok(status.into_http()),
            };
            let call = Seen {
                path: head.uri.path().to_owned(),
                version: head.version,
                headers: head.headers,
                body,
                extensions: head.extensions,
            };
            seen.lock().unwrap().push(call.clone());
            Ok::<_, Infallible>(script(&call))
        }
    }))
}

/// The head of a gRPC answer.
pub(crate) fn grpc(body: Body) -> Response<Body> {
    Response::builder()
        .header("content-type", "application/grpc")
        .body(body)
        .unwrap()
}

/// Messages, then OK.
pub(crate) fn messages(messages: &[Bytes]) -> Response<Body> {
    grpc(Body::new(Scripted::new(
        messages,
        Ending::Status(tonic::Status::ok("")),
    )))
}

/// Messages, then an error.
pub(crate) fn messages_then(messages: &[Bytes], status: tonic::Status) -> Response<Body> {
    grpc(Body::new(Scripted::new(messages, Ending::Status(status))))
}

/// An error at once, in the headers.
pub(crate) fn error(status: &tonic::Status) -> Response<Body> {
    status.clone().into_http()
}

/// A body of single bytes, one each second, that would take an hour.
pub(crate) fn trickle() -> RequestBody {
    let bytes = futures_util::stream::unfold(3_600, |left: u32| async move {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let frame = Frame::data(Bytes::from_static(b" "));
        Some((Ok::<_, Infallible>(frame), left.checked_sub(1)?))
    });
    RequestBody::new(http_body_util::StreamBody::new(bytes))
}

/// The encoded `google.rpc.Status` of one detail.
pub(crate) fn details(code: u8, type_name: &str, value: &[u8]) -> Bytes {
    let type_url = format!("type.googleapis.com/{type_name}");
    let mut any = vec![0x0a, u8::try_from(type_url.len()).unwrap()];
    any.extend_from_slice(type_url.as_bytes());
    any.extend_from_slice(&[0x12, u8::try_from(value.len()).unwrap()]);
    any.extend_from_slice(value);
    let mut status = vec![0x08, code, 0x1a, u8::try_from(any.len()).unwrap()];
    status.extend_from_slice(&any);
    status.into()
}

/// One `Item` on the wire.
pub(crate) fn item(name: &str, seq: u8) -> Bytes {
    let mut message = vec![0x0a, u8::try_from(name.len()).unwrap()];
    message.extend_from_slice(name.as_bytes());
    if seq > 0 {
        message.extend_from_slice(&[0x10, seq]);
    }
    message.into()
}

/// A message in its frame.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(message.len() + 5);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.put_slice(message);
    frame.into()
}

/// How a scripted body goes on after its messages.
pub(crate) enum Ending {
    Status(tonic::Status),
    /// No trailers at all.
    Nothing,
    /// Waits for ever.
    Never,
    /// The handler of the stream panics.
    Panic,
}

/// A body by script. It holds a witness of its life.
pub(crate) struct Scripted {
    chunks: VecDeque<Bytes>,
    ending: Option<Ending>,
    pub(crate) witness: Arc<()>,
}

impl Scripted {
    pub(crate) fn new(messages: &[Bytes], ending: Ending) -> Self {
        Self::raw(messages.iter().map(|message| framed(message)).collect(), ending)
    }

    pub(crate) fn raw(chunks: Vec<Bytes>, ending: Ending) -> Self {
        Self {
            chunks: chunks.into(),
            ending: Some(ending),
            witness: Arc::default(),
        }
    }
}

impl http_body::Body for Scripted {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
        if let Some(chunk) = self.chunks.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        match self.ending.take() {
            None | Some(Ending::Nothing) => Poll::Ready(None),
            Some(Ending::Never) => {
                self.ending = Some(Ending::Never);
                Poll::Pending
            }
            Some(Ending::Panic) => panic!("the stream's handler fails, as this test wants"),
            Some(Ending::Status(status)) => {
                let mut trailers = HeaderMap::new();
                status.add_header(&mut trailers).unwrap();
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
        }
    }
}
