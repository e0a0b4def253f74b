//! The settings: file < environment `MILLRACE_GATEWAY_*` < flags. [`keys`] declares each once; this file holds what they
//! are read into.

mod compat;
mod file;
pub(super) mod keys;
mod load;
mod names;
mod rule;
mod show;
mod slot;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde_json::Value;

use crate::HeaderNames;
use crate::edge::{Forwarding, Network};
use crate::reflection;
use crate::serve::ConnectionLimits;
use crate::transcode::{Options, RouteOptions};
use crate::upstream;

pub(super) use load::{Flag, Loaded, load};
pub(super) use show::{document, listing};

/// The prefix of our variables; sections and keys are joined by two underscores: `MILLRACE_GATEWAY_QUERY__UNKNOWN`.
pub(super) const PREFIX: &str = "MILLRACE_GATEWAY_";

/// The word that stands for every origin of this machine.
pub(super) const LOOPBACK: &str = "loopback";

/// All settings. The defaults are in the table, so `unset` is what the table fills.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) listen: SocketAddr,
    pub(super) admin_listen: Option<SocketAddr>,
    pub(super) admin_hosts: Vec<String>,
    pub(super) hosts: Hosts,
    pub(super) tls: Tls,
    pub(super) upstreams: Vec<UpstreamSettings>,
    pub(super) descriptors: Vec<PathBuf>,
    pub(super) reflection: Reflection,
    pub(super) grpc: Grpc,
    pub(super) grpc_also: Vec<String>,
    pub(super) options: Options,
    pub(super) routes: Vec<RouteSettings>,
    pub(super) request_headers: Vec<String>,
    pub(super) header_names: HeaderNames,
    pub(super) header_text_refused: bool,
    pub(super) response_trailers: Vec<HeaderName>,
    pub(super) forwarding: ForwardingSettings,
    pub(super) cors_origins: Vec<String>,
    pub(super) www_authenticate: HeaderValue,
    pub(super) error_domain: Arc<str>,
    pub(super) openapi: OpenApi,
    pub(super) limits: Limits,
    pub(super) log: Log,
}

/// Certificate and key of the public listener.
#[derive(Debug, Clone, Default)]
pub(super) struct Tls {
    pub(super) cert_file: Option<PathBuf>,
    pub(super) key_file: Option<PathBuf>,
}

/// How schemas are fetched from upstreams.
#[derive(Debug, Clone, Default)]
pub(super) struct Reflection {
    /// Zero is never.
    pub(super) refresh: Duration,
    pub(super) allow_breaking: bool,
    /// Whether the admin listener refreshes at a call.
    pub(super) admin: bool,
    pub(super) limits: reflection::Limits,
}

/// Whose word is taken for where a call came from.
#[derive(Debug, Clone, Default)]
pub(super) struct ForwardingSettings {
    pub(super) is_removed: bool,
    pub(super) trusted: Vec<Network>,
}

impl ForwardingSettings {
    /// What the gateway does by them.
    pub(super) fn policy(&self) -> Forwarding {
        match self.is_removed {
            true => Forwarding::Removed,
            false => Forwarding::Rewritten {
                trusted: self.trusted.clone(),
            },
        }
    }
}

/// What the OpenAPI document says, and where it is.
#[derive(Debug, Clone, Default)]
pub(super) struct OpenApi {
    pub(super) json_path: Option<String>,
    pub(super) yaml_path: Option<String>,
    pub(super) title: String,
    pub(super) version: String,
    pub(super) servers: Vec<String>,
}

/// The bounds of what callers can take.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    pub(super) uri_bytes: usize,
    pub(super) body_bytes: usize,
    pub(super) body_memory_bytes: usize,
    pub(super) answer_memory_bytes: usize,
    pub(super) response_json_bytes: usize,
    pub(super) body: Duration,
    pub(super) stream_silence: Duration,
    pub(super) deadline_max: Duration,
    pub(super) connections: ConnectionLimits,
    pub(super) drain: Duration,
}

/// What is written to standard error, and how.
#[derive(Debug, Clone)]
pub(super) struct Log {
    pub(super) filter: String,
    pub(super) format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogFormat {
    Auto,
    Pretty,
    Json,
}

impl LogFormat {
    /// In the order of their words in the table.
    const ALL: [Self; 3] = [Self::Auto, Self::Pretty, Self::Json];
}

/// Under which names the gateway answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hosts {
    Auto,
    Any,
    Loopback,
}

impl Hosts {
    /// In the order of their words in the table.
    const ALL: [Self; 3] = [Self::Auto, Self::Any, Self::Loopback];
}

/// Which RPCs are served over gRPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grpc {
    Annotated,
    All,
    Off,
}

impl Grpc {
    /// In the order of their words in the table.
    const ALL: [Self; 3] = [Self::Annotated, Self::All, Self::Off];
}

/// One upstream.
#[derive(Debug, Clone)]
pub(super) struct UpstreamSettings {
    /// Full names; none is all that no upstream before it has.
    pub(super) services: Vec<String>,
    pub(super) connection: upstream::Settings,
    pub(super) tls: Tls,
}

impl UpstreamSettings {
    /// The settings of an upstream without a URL.
    fn unset() -> Self {
        Self {
            services: Vec::new(),
            // Drawn anew for each connection's maker.
            connection: upstream::Settings::new("", 0),
            tls: Tls::default(),
        }
    }

    /// The URL without credentials.
    pub(super) fn shown_url(&self) -> String {
        show::without_credentials(&self.connection.url)
    }

    /// Reads a list whose items are URLs or tables; or URLs with commas between them.
    fn list(value: &Value) -> Result<Vec<Self>, String> {
        let items = match value {
            Value::Array(items) => items.clone(),
            Value::String(urls) => urls.split(',').map(|url| Value::from(url.trim())).collect(),
            _ => return Err("must be a list of URLs or tables".to_owned()),
        };
        let tables: Value = items
            .into_iter()
            .map(|item| match item {
                Value::String(url) => serde_json::json!({ "url": url }),
                table => table,
            })
            .collect();
        let read = slot::tables(&tables, keys::UPSTREAM_KEYS, Self::unset)?;
        for (index, upstream) in read.iter().enumerate() {
            let Tls { cert_file, key_file } = &upstream.tls;
            if upstream.connection.url.is_empty() {
                return Err(format!("[{index}] lacks `url`"));
            }
            if cert_file.is_some() != key_file.is_some() {
                return Err(format!("[{index}].tls needs `cert_file` and `key_file`, or neither"));
            }
        }
        Ok(read)
    }
}

/// Options of the RPCs that a selector selects; what is unset is as for all.
#[derive(Debug, Clone, Default)]
pub(super) struct RouteSettings {
    pub(super) selector: String,
    pub(super) options: RouteOptions,
}

impl Settings {
    /// Settings before the table has filled them.
    fn unset() -> Self {
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        Self {
            listen: nowhere,
            admin_listen: None,
            admin_hosts: Vec::new(),
            hosts: Hosts::Auto,
            tls: Tls::default(),
            upstreams: Vec::new(),
            descriptors: Vec::new(),
            reflection: Reflection::default(),
            grpc: Grpc::Annotated,
            grpc_also: Vec::new(),
            options: Options::default(),
            routes: Vec::new(),
            request_headers: Vec::new(),
            header_names: HeaderNames::Plain,
            header_text_refused: false,
            response_trailers: Vec::new(),
            forwarding: ForwardingSettings::default(),
            cors_origins: Vec::new(),
            www_authenticate: HeaderValue::from_static(""),
            error_domain: Arc::from(""),
            openapi: OpenApi::default(),
            limits: Limits {
                uri_bytes: 0,
                body_bytes: 0,
                body_memory_bytes: 0,
                answer_memory_bytes: 0,
                response_json_bytes: 0,
                body: Duration::ZERO,
                stream_silence: Duration::ZERO,
                deadline_max: Duration::ZERO,
                connections: ConnectionLimits {
                    connections: 0,
                    connections_per_ip: 0,
                    streams: 0,
                    first_request: Duration::ZERO,
                    idle: Duration::ZERO,
                    unread: Duration::ZERO,
                },
                drain: Duration::ZERO,
            },
            log: Log {
                filter: String::new(),
                format: LogFormat::Auto,
            },
        }
    }
}
