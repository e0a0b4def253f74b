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
        let (ok, status) = match path {
            // Liveness asks only whether the process works, never a dependency, or a restart would be the answer to
            // a database that is gone.
            "/health" if self.heartbeat.is_alive() => (true, "alive"),
            "/health" => (false, "stuck"),
            "/readiness" if self.readiness.is_ready() => (true, "ready"),
            "/readiness" if self.readiness.is_draining() => (false, "draining"),
            "/readiness" => (false, "no_shard"),
            _ => return None,
        };
        let mut body = serde_json::json!({ "status": status });
        let unreachable = self.readiness.unreachable();
        // Who watches a platform that is ready still wants to know whose users are not served, and why.
        if path == "/readiness" && !unreachable.is_empty() {
            body["unreachable"] = serde_json::json!(unreachable);
        }
        let code = if ok {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        Some(json(code, format!("{body}\n")))
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
