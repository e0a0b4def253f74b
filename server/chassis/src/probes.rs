//! `/health` and `/readiness`, which the public port and the admin listener answer alike.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};

use crate::health::Readiness;
use crate::heartbeat::Heartbeat;

/// What the probes ask.
#[derive(Clone)]
pub(crate) struct Probes {
    pub(crate) heartbeat: Heartbeat,
    pub(crate) readiness: Readiness,
}

impl Probes {
    /// Answers a probe, `None` for other paths.
    pub(crate) fn answer(&self, path: &str) -> Option<Response<Bytes>> {
        let (ok, body) = match path {
            // Liveness asks only whether the process works, never a dependency, or a restart would be the answer to
            // a database that is gone.
            "/health" if self.heartbeat.is_alive() => (true, r#"{"status":"alive"}"#),
            "/health" => (false, r#"{"status":"stuck"}"#),
            "/readiness" if self.readiness.is_ready() => (true, r#"{"status":"ready"}"#),
            "/readiness" if self.readiness.is_draining() => (false, r#"{"status":"draining"}"#),
            "/readiness" => (false, r#"{"status":"no_shard"}"#),
            _ => return None,
        };
        let status = if ok {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        Some(json(status, format!("{body}\n")))
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
