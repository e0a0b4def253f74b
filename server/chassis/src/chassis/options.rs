//! How a platform is served: what `dev` and `serve` choose differently.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use millrace_gateway::edge::{CorsPolicy, HostPolicy};

use crate::chassis::StartError;
use crate::config::{Limits, Server};

/// tonic's own bound of a message; a larger setting would have no effect.
const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// The gateway's own bound of a REST body; a memory that does not hold one would refuse it for ever.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Files of a site: a path such as `/` or `/app.js` to content type and bytes.
pub type Pages = Arc<dyn Fn(&Parts) -> Option<Response<Bytes>> + Send + Sync>;

/// How the platform is served.
#[derive(Clone)]
pub struct Options {
    /// Addresses, origins, reflection.
    pub server: Server,
    /// Bounds.
    pub limits: Limits,
    /// The rules of `dev`: the host of a request must be a loopback name, and pages of loopback origins may call.
    pub loopback_only: bool,
    /// Takes a free port where the one in `server` is taken, instead of failing.
    pub free_port_if_taken: bool,
    /// The boolean settings that methods name by `open_by`, as in `identity.open_sign_up`.
    pub switches: BTreeMap<String, bool>,
    /// Title of the API, for OpenAPI.
    pub title: String,
    /// Version of the API, for OpenAPI.
    pub version: String,
    /// The site, for paths that no route binds.
    pub pages: Option<Pages>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            server: Server::default(),
            limits: Limits::default(),
            loopback_only: false,
            free_port_if_taken: false,
            switches: BTreeMap::new(),
            title: "Millrace".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pages: None,
        }
    }
}

impl Options {
    pub(super) fn cors(&self) -> CorsPolicy {
        match (self.loopback_only, self.server.cors_origins.as_slice()) {
            (true, _) => CorsPolicy::Loopback,
            (false, []) => CorsPolicy::Off,
            (false, origins) => CorsPolicy::List(origins.to_vec()),
        }
    }

    pub(super) fn hosts(&self) -> HostPolicy {
        if self.loopback_only {
            HostPolicy::Loopback
        } else {
            HostPolicy::Any
        }
    }
}

/// Checks what the types of the settings cannot say.
pub(super) fn check(limits: &Limits) -> Result<(), StartError> {
    let limit = |key, expected| Err(StartError::Limit { key, expected });
    match limits {
        Limits { message_bytes: 0, .. } => limit("message_bytes", "1 to 4194304"),
        Limits { message_bytes, .. } if *message_bytes > MESSAGE_BYTES_MAX => limit("message_bytes", "1 to 4194304"),
        Limits { connections: 0, .. } => limit("connections", "at least 1"),
        Limits {
            connections_per_ip: 0, ..
        } => limit("connections_per_ip", "at least 1"),
        Limits {
            streams_per_connection: 0,
            ..
        } => limit("streams_per_connection", "at least 1"),
        Limits { idle_ms: 0, .. } => limit("idle_ms", "at least 1"),
        Limits {
            first_request_ms: 0, ..
        } => limit("first_request_ms", "at least 1"),
        Limits { body_ms: 0, .. } => limit("body_ms", "at least 1"),
        Limits { body_memory_bytes, .. } if *body_memory_bytes < BODY_BYTES_MAX => {
            limit("body_memory_bytes", "at least 1048576, the largest body")
        }
        Limits { calls: 0, .. } => limit("calls", "at least 1"),
        Limits { streams: 0, .. } => limit("streams", "at least 1"),
        Limits { deadline_max_ms: 0, .. } => limit("deadline_max_ms", "at least 1"),
        Limits {
            deadline_default_ms: 0, ..
        } => limit("deadline_default_ms", "at least 1"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_out_of_bounds_are_named() {
        type Case = (fn(&mut Limits), Option<&'static str>);
        let cases: [Case; 5] = [
            (
                |limits| limits.body_memory_bytes = BODY_BYTES_MAX - 1,
                Some("limits.body_memory_bytes"),
            ),
            (|_| {}, None),
            (
                |limits| limits.message_bytes = MESSAGE_BYTES_MAX + 1,
                Some("limits.message_bytes"),
            ),
            (|limits| limits.connections = 0, Some("limits.connections`")),
            (
                |limits| limits.deadline_default_ms = 0,
                Some("limits.deadline_default_ms"),
            ),
        ];
        for (change, expected) in cases {
            let mut limits = Limits::default();
            change(&mut limits);
            match (check(&limits), expected) {
                (Ok(()), None) => {}
                (Err(error), Some(key)) => assert!(error.to_string().contains(key), "{error}"),
                (outcome, expected) => panic!("{outcome:?}, expected {expected:?}"),
            }
        }
    }
}
