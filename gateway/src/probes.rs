//! `/health` and `/readiness`, which a public port and the admin listener answer alike.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Map, Value};

use crate::heartbeat::Heartbeat;
#[cfg(feature = "standalone")]
use crate::upstream::Health;

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

    /// Adds upstreams: `/readiness` lists each with its state, and one that is down with what failed, without addresses
    /// beyond the name. The server is ready while at least one can be called: to take it out of service because of
    /// another would take the routes of those that work with it. With none it is `upstreams_down`.
    #[cfg(feature = "standalone")]
    #[must_use]
    pub fn with_upstreams(self, upstreams: Vec<crate::upstream::Upstream>) -> Self {
        let watched: Vec<_> = upstreams
            .iter()
            .map(|upstream| (upstream.name().to_owned(), upstream.health()))
            .collect();
        let watched = Arc::new(watched);
        let (asked, listed) = (watched.clone(), watched);
        let (readiness, details) = (self.readiness, self.details);
        Self {
            heartbeat: self.heartbeat,
            readiness: Arc::new(move || {
                readiness()?;
                let can_call = asked.is_empty() || asked.iter().any(|(_, health)| *health.borrow() == Health::Up);
                can_call.then_some(()).ok_or("upstreams_down")
            }),
            details: Arc::new(move || {
                let mut details = details();
                let upstreams = listed
                    .iter()
                    .map(|(name, health)| upstream_json(name, &health.borrow()));
                details.insert("upstreams".to_owned(), upstreams.collect());
                details
            }),
        }
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

/// One upstream in the details.
#[cfg(feature = "standalone")]
fn upstream_json(name: &str, health: &Health) -> Value {
    let (state, reason) = match health {
        Health::Up => ("up", None),
        Health::Connecting => ("connecting", None),
        Health::Down { reason } => ("down", Some(reason.as_str())),
    };
    let mut member = Map::from_iter([
        ("name".to_owned(), Value::from(name)),
        ("state".to_owned(), Value::from(state)),
    ]);
    if let Some(reason) = reason {
        member.insert("reason".to_owned(), Value::from(reason));
    }
    Value::Object(member)
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
