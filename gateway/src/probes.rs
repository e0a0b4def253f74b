//! `/health` and `/readiness`, which a public port and the admin listener answer alike.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Map, Value};

use crate::heartbeat::Heartbeat;

/// What the probes ask; cheap to clone.
#[derive(Clone)]
pub struct Probes {
    heartbeat: Heartbeat,
    readiness: Arc<dyn Fn() -> Result<(), &'static str> + Send + Sync>,
    details: Arc<dyn Fn() -> Map<String, Value> + Send + Sync>,
}

impl Probes {
    /// Probes of a runtime's heartbeat and of readiness; a server that is not ready says why in one word, `draining`.
    pub fn new(heartbeat: Heartbeat, readiness: impl Fn() -> Result<(), &'static str> + Send + Sync + 'static) -> Self {
        Self {
            heartbeat,
            readiness: Arc::new(readiness),
            details: Arc::new(Map::new),
        }
    }

    /// Adds members to what `/readiness` answers, ready or not: what a person wants to know besides.
    #[must_use]
    pub fn with_details(mut self, details: impl Fn() -> Map<String, Value> + Send + Sync + 'static) -> Self {
        self.details = Arc::new(details);
        self
    }

    /// Answers a probe, `None` for other paths.
    pub fn answer(&self, path: &str) -> Option<Response<Bytes>> {
        let (ok, status) = match path {
            // Liveness asks only whether the process works, never a dependency, or a restart would be the answer to
            // a database that is gone.
            "/health" if self.heartbeat.is_alive() => (true, "alive"),
            "/health" => (false, "stuck"),
            "/readiness" => match (self.readiness)() {
                Ok(()) => (true, "ready"),
                Err(why) => (false, why),
            },
            _ => return None,
        };
        let code = if ok {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        let mut body = Map::from_iter([("status".to_owned(), Value::from(status))]);
        if path == "/readiness" {
            body.extend((self.details)());
        }
        Some(json(code, format!("{}\n", Value::Object(body))))
    }
}

/// A small JSON answer that nobody may keep.
pub(crate) fn json(status: StatusCode, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
