//! How a platform is served: what `dev` and `serve` choose differently.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use millrace_gateway::edge::{CorsPolicy, HostPolicy};

use crate::config::{ConfigError, Limits, Problems, Server};

/// A site: answers a request for one of its files, as `/` or `/app.js`; `None` for any other path.
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
    /// Whether the public and the admin listener take a free port where the one in `server` is taken, instead of
    /// failing.
    pub free_port_if_taken: FreePort,
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
            free_port_if_taken: FreePort::default(),
            switches: BTreeMap::new(),
            title: "Millrace".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pages: None,
        }
    }
}

/// Which listeners may move to a free port: those whose address nobody asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FreePort {
    /// The public listener.
    pub public: bool,
    /// The admin listener.
    pub admin: bool,
}

impl Options {
    /// Checks the settings among the options, as the command line has done: not everybody starts by it.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let mut problems = Problems::default();
        self.server.check(&mut problems);
        self.limits.check(&mut problems);
        problems.done()
    }

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
