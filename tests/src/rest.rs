//! The REST door as a browser or curl uses it: HTTP/1.1, JSON, server-sent events.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// A client of one address, with or without a key.
#[derive(Clone)]
pub struct Rest {
    client: Client<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
    key: Option<String>,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// The body as JSON.
    ///
    /// # Panics
    /// It is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// A header's text, empty if it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The reason of the error that the body is, empty if it has none.
    pub fn reason(&self) -> String {
        crate::wire::reason(&self.json())
    }

    /// The JSON body of an answer that must have this status.
    ///
    /// # Panics
    /// It has another.
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }

    /// Checks the status and reason of an error.
    ///
    /// # Panics
    /// One of them is another.
    pub fn refuses(&self, status: u16, reason: &str) {
        let body = self.expect(status);
        assert_eq!(crate::wire::reason(&body), reason, "{body}");
        assert!(
            !self.header("x-request-id").is_empty(),
            "an error without x-request-id: {:?}",
            self.headers
        );
    }
}

impl Rest {
    /// A client without a key.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            address,
            key: None,
        }
    }

    /// The same connections with a key.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self {
            key: Some(key.to_owned()),
            ..self.clone()
        }
    }

    /// Whether the platform says that it is ready.
    pub async fn ready(&self) -> bool {
        let request = self.request(Method::GET, "/readiness", &[], Bytes::new());
        matches!(self.client.request(request).await, Ok(response) if response.status().is_success())
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, &[], Bytes::new()).await
    }

    /// POST of a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::POST, path, &[], body.to_string()).await
    }

    /// POST of a JSON body with an idempotency key.
    pub async fn post_keyed(&self, path: &str, key: &str, body: &Value) -> Reply {
        self.send(Method::POST, path, &[("idempotency-key", key)], body.to_string())
            .await
    }

    /// PATCH of a JSON body.
    pub async fn patch(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::PATCH, path, &[], body.to_string()).await
    }

    /// Any request, to the end of its answer. A body is JSON unless the headers say otherwise.
    ///
    /// # Panics
    /// The connection breaks.
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
        self.try_send(method, path, headers, body)
            .await
            .unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The same, for tests in which the connection may break.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Reply, Box<dyn std::error::Error + Send + Sync>> {
        let response = self
            .client
            .request(self.request(method, path, headers, body.into()))
            .await?;
        let (parts, body) = response.into_parts();
        Ok(Reply {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await?.to_bytes(),
        })
    }

    /// Opens a stream with this `Accept`.
    ///
    /// # Panics
    /// The connection breaks before the headers.
    pub async fn open(&self, path: &str, accept: &str, headers: &[(&str, &str)]) -> Lines {
        let mut headers = headers.to_vec();
        headers.push(("accept", accept));
        let request = self.request(Method::GET, path, &headers, Bytes::new());
        let response = self
            .client
            .request(request)
            .await
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        Lines {
            response,
            buffer: Vec::new(),
        }
    }

    fn request(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        if !body.is_empty() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Full::new(body)).expect("the tests send valid requests")
    }
}

/// An open stream, read by lines.
pub struct Lines {
    response: Response<Incoming>,
    buffer: Vec<u8>,
}

impl Lines {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The next line without its end, `None` at the end of the stream or where the connection broke.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.drain(..=end).collect::<Vec<_>>();
                return Some(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            let frame = self.response.body_mut().frame().await?.ok()?;
            if let Ok(data) = frame.into_data() {
                self.buffer.extend_from_slice(&data);
            }
        }
    }

    /// The next event of a stream of server-sent events, comments left out.
    pub async fn next_event(&mut self) -> Option<Event> {
        let mut event = Event::default();
        loop {
            let line = self.next().await?;
            match line
                .split_once(':')
                .map(|(name, value)| (name, value.trim_start_matches(' ')))
            {
                None if line.is_empty() && event != Event::default() => return Some(event),
                Some(("event", value)) => event.event = value.to_owned(),
                Some(("id", value)) => event.id = value.to_owned(),
                Some(("data", value)) => event.data += value,
                _ => {} // A comment, `retry`, or an empty line between them.
            }
        }
    }
}

/// One server-sent event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// Its type, empty for a message.
    pub event: String,
    /// Its id, empty if it has none.
    pub id: String,
    /// Its data, lines joined.
    pub data: String,
}
