//! One call through any of the three doors, with one form of answer, so that a case is written once for all of them.

mod rest;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use prost_reflect::MethodDescriptor;
use serde_json::{Value, json};

use crate::{schema, wire};

/// A door of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// JSON over HTTP/1.1; streams as NDJSON.
    Rest,
    /// gRPC over HTTP/2 without TLS.
    Grpc,
    /// Binary gRPC-Web over HTTP/1.1.
    Web,
}

/// Every door.
pub const DOORS: [Door; 3] = [Door::Rest, Door::Grpc, Door::Web];

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rest => "REST",
            Self::Grpc => "gRPC",
            Self::Web => "gRPC-Web",
        })
    }
}

/// A call to be made.
#[derive(Debug, Clone)]
pub struct Call {
    method: MethodDescriptor,
    request: Value,
    headers: Vec<(String, String)>,
}

/// What came back, the same for every door.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The messages, as ProtoJSON: one of a unary call, any number of a stream.
    pub messages: Vec<Value>,
    /// The status as `google.rpc.Status` in JSON; its code is 0 after a success.
    pub status: Value,
    /// The HTTP status; 200 for gRPC and gRPC-Web.
    pub http: u16,
    /// The headers.
    pub headers: HeaderMap,
}

impl Answer {
    /// The gRPC code.
    pub fn code(&self) -> i64 {
        self.status["code"].as_i64().unwrap_or(-1)
    }

    /// The reason in the `ErrorInfo`, empty if there is none.
    pub fn reason(&self) -> String {
        wire::reason(&self.status)
    }

    /// The only message of a success.
    ///
    /// # Panics
    /// The call failed, or answered with another number of messages.
    pub fn message(&self) -> &Value {
        assert_eq!((self.code(), self.messages.len()), (0, 1), "{self:?}");
        &self.messages[0]
    }
}

impl Call {
    /// A call of a method named as in `millrace.ordering.v1.OrderingService/GetOrder`, with its request in ProtoJSON
    /// and lowerCamelCase.
    pub fn new(method: &str, request: Value) -> Self {
        Self {
            method: schema::method(method),
            request,
            headers: Vec::new(),
        }
    }

    /// With a key.
    #[must_use]
    pub fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    /// With a key, or without.
    #[must_use]
    pub fn maybe_key(self, key: Option<&str>) -> Self {
        match key {
            Some(key) => self.key(key),
            None => self,
        }
    }

    /// With a header, which is metadata on the gRPC doors.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a deadline that only the server knows of.
    #[must_use]
    pub fn deadline(self, after: Duration) -> Self {
        self.header("grpc-timeout", &format!("{}u", after.as_micros()))
    }

    /// Whether the method is offered over REST.
    pub fn is_rest(&self) -> bool {
        schema::http_rule(&self.method).is_some()
    }

    /// Makes the call through a door and waits for the end of its answer.
    ///
    /// # Panics
    /// The connection breaks, or the answer is none of this door.
    pub async fn through(&self, door: Door, address: SocketAddr) -> Answer {
        match door {
            Door::Rest => self.rest(address).await,
            Door::Grpc => self.grpc(address).await,
            Door::Web => self.web(address).await,
        }
    }

    async fn rest(&self, address: SocketAddr) -> Answer {
        let (method, path, body) = rest::request(&self.method, &self.request);
        let mut request = Request::builder().method(method).uri(format!("http://{address}{path}"));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        // The request id has a header of its own over REST.
        if let Some(request_id) = self.request["requestId"].as_str() {
            request = request.header("idempotency-key", request_id);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        if self.method.is_server_streaming() {
            request = request.header("accept", "application/x-ndjson");
        }
        let bytes = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let (parts, body, _) = exchange(&http1(), request.body(Full::new(bytes)).expect("a valid request")).await;

        let (mut messages, mut status) = (Vec::new(), json!({"code": 0}));
        for line in body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let value: Value = serde_json::from_slice(line)
                .unwrap_or_else(|error| panic!("{error} in {parts:?} {}", String::from_utf8_lossy(&body)));
            match value.get("error") {
                _ if !parts.status.is_success() => status = value,
                Some(error) => status = error.clone(),
                None => messages.push(value),
            }
        }
        wire::sort_details(&mut status);
        Answer {
            messages,
            status,
            http: parts.status.as_u16(),
            headers: parts.headers,
        }
    }

    async fn grpc(&self, address: SocketAddr) -> Answer {
        let request = self
            .framed(address, "application/grpc")
            .version(Version::HTTP_2)
            .header("te", "trailers");
        let (parts, body, trailers) = exchange(
            &http2(),
            request.body(Full::new(self.message())).expect("a valid request"),
        )
        .await;
        // A failure without a message has its status in the headers.
        let status = wire::status(&trailers).or_else(|| wire::status(&parts.headers));
        self.answer(parts, wire::frames(body), status)
    }

    async fn web(&self, address: SocketAddr) -> Answer {
        let request = self
            .framed(address, "application/grpc-web+proto")
            .header("x-grpc-web", "1");
        let (parts, body, _) = exchange(
            &http1(),
            request.body(Full::new(self.message())).expect("a valid request"),
        )
        .await;
        let mut frames = wire::frames(body);
        let trailers = frames
            .pop_if(|(flags, _)| *flags == 0x80)
            .map(|(_, payload)| wire::web_trailers(&payload));
        let status = trailers
            .as_ref()
            .and_then(wire::status)
            .or_else(|| wire::status(&parts.headers));
        self.answer(parts, frames, status)
    }

    fn framed(&self, address: SocketAddr, content_type: &str) -> http::request::Builder {
        let (service, method) = (self.method.parent_service().full_name(), self.method.name());
        let uri = format!("http://{address}/{service}/{method}");
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(uri)
            .header("content-type", content_type);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request
    }

    fn message(&self) -> Bytes {
        wire::frame(&wire::encode(&self.method.input(), &self.request))
    }

    fn answer(&self, parts: http::response::Parts, frames: Vec<(u8, Bytes)>, status: Option<Value>) -> Answer {
        let status = status.unwrap_or_else(|| panic!("an answer without a status: {parts:?} {frames:?}"));
        let messages = frames.iter().map(|(flags, payload)| {
            assert_eq!(*flags, 0, "a frame that is neither a message nor the last");
            wire::decode(&self.method.output(), payload)
        });
        Answer {
            messages: messages.collect(),
            status,
            http: parts.status.as_u16(),
            headers: parts.headers,
        }
    }
}

type HttpClient = Client<HttpConnector, Full<Bytes>>;

fn http1() -> HttpClient {
    Client::builder(TokioExecutor::new()).build_http()
}

fn http2() -> HttpClient {
    Client::builder(TokioExecutor::new()).http2_only(true).build_http()
}

/// Sends a request and reads the answer to its end: head, data, trailers.
async fn exchange(client: &HttpClient, request: Request<Full<Bytes>>) -> (http::response::Parts, Bytes, HeaderMap) {
    let uri = request.uri().clone();
    let response = client
        .request(request)
        .await
        .unwrap_or_else(|error| panic!("{uri}: {error}"));
    let (parts, body) = response.into_parts();
    let body = body
        .collect()
        .await
        .unwrap_or_else(|error| panic!("{uri}: {error} after {parts:?}"));
    let trailers = body.trailers().cloned().unwrap_or_default();
    (parts, body.to_bytes(), trailers)
}
