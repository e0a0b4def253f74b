//! Settings of the platform: file `millrace.toml` < environment `MILLRACE_*` < flags. Unknown keys are errors with a
//! suggestion. Each section is a plain struct; the server composes them with its own and loads all at once:
//!
//! ```
//! use millrace_chassis::config;
//!
//! #[derive(Default, serde::Deserialize, serde::Serialize)]
//! #[serde(default, deny_unknown_fields)]
//! struct Settings {
//!     server: config::Server,
//!     limits: config::Limits,
//! }
//!
//! let environment = [("MILLRACE_SERVER__LISTEN".to_owned(), "127.0.0.1:9090".to_owned())];
//! let loaded = config::load::<Settings>(None, environment, Vec::new())?;
//! assert_eq!(loaded.settings.server.listen.port(), 9090);
//! # Ok::<(), config::ConfigError>(())
//! ```

mod check;
mod database;
mod load;
mod problems;
mod redact;
pub(crate) mod server_url;
mod tree;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use millrace_gateway::serve::ConnectionLimits;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use database::{Database, DatabaseSection};
pub use load::{Flag, Loaded, Setting, load, load_checked};
pub use millrace_cli::ConfigError;
pub use problems::Problems;

/// `[server]`: where the platform listens.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Public address: gRPC, gRPC-Web, REST. `MILLRACE_SERVER__LISTEN`, default `127.0.0.1:8080`.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// Admin address: metrics, health, readiness; `off` turns it off. Default `127.0.0.1:9464`.
    #[serde(with = "address_or_off")]
    pub admin_listen: Option<SocketAddr>,
    /// Names, without a port, under which the admin address answers besides loopback names and its own address; for a
    /// scraper that calls it by name. Default none.
    pub admin_hosts: Vec<String>,
    /// Origins, beside its own, whose pages may call: `https://shop.example`. Default none.
    pub cors_origins: Vec<String>,
    /// Whether everybody may read the descriptors by server reflection. Default false (`dev` sets true).
    pub reflection: bool,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admin_listen: Some(SocketAddr::from(([127, 0, 0, 1], 9464))),
            admin_hosts: Vec::new(),
            cors_origins: Vec::new(),
            reflection: false,
        }
    }
}

/// `[limits]`: the bounds of what callers can take. Times are in milliseconds.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Open connections of the process; more are closed at once. Default 4,096.
    pub connections: usize,
    /// Open connections of one address; more are closed at once. Default 1,024.
    pub connections_per_ip: usize,
    /// Concurrent HTTP/2 streams of one connection. Default 100.
    pub streams_per_connection: u32,
    /// How long a connection may take to its first request, TLS and preface included. Default 10 s.
    pub first_request_ms: u64,
    /// How long the body of a request may take to arrive, a client's stream apart. Default 30 s.
    pub body_ms: u64,
    /// Bytes of all REST bodies in calls in progress; more are RESOURCE_EXHAUSTED. Default 256 MiB.
    pub body_memory_bytes: usize,
    /// Bytes of all REST answers that wait until their callers read them; while less than an eighth is left, a new call
    /// is RESOURCE_EXHAUSTED, and so is one whose answer does not fit. Default 256 MiB.
    pub answer_memory_bytes: usize,
    /// How long a connection may stay without a request in progress. Default 300 s.
    pub idle_ms: u64,
    /// How long a peer may take nothing of an answer that is there, because it does not read or opens no HTTP/2 window,
    /// before its connection is closed. Default 300 s.
    pub unread_ms: u64,
    /// Calls in progress, server streams apart; more are UNAVAILABLE. Default 1,024.
    pub calls: usize,
    /// Server streams in progress; more are UNAVAILABLE. Callers without a key, as of health's Watch, have a quarter of
    /// them together and a sixteenth from one address; more of theirs are RESOURCE_EXHAUSTED. Default 4,096.
    pub streams: usize,
    /// Largest request message. Default 4 MiB.
    pub message_bytes: usize,
    /// Deadline of a call that names none, server streams apart. Default 5 s.
    pub deadline_default_ms: u64,
    /// Longest deadline of a call, server streams apart. Default 60 s.
    pub deadline_max_ms: u64,
    /// Longest life of a server stream, after which its caller goes on with a new one; 0 is without end. Default 1 h.
    pub stream_max_ms: u64,
    /// How long a drain may take before what is left is cut. Default 10 s.
    pub drain_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            connections_per_ip: 1_024,
            streams_per_connection: 100,
            first_request_ms: 10_000,
            body_ms: 30_000,
            body_memory_bytes: 256 << 20,
            answer_memory_bytes: 256 << 20,
            idle_ms: 300_000,
            unread_ms: 300_000,
            calls: 1_024,
            streams: 4_096,
            message_bytes: 4 << 20,
            deadline_default_ms: 5_000,
            deadline_max_ms: 60_000,
            stream_max_ms: 3_600_000,
            drain_ms: 10_000,
        }
    }
}

impl Limits {
    pub(crate) fn drain(&self) -> Duration {
        Duration::from_millis(self.drain_ms)
    }

    pub(crate) fn of_connections(&self) -> ConnectionLimits {
        ConnectionLimits {
            connections: self.connections,
            connections_per_ip: self.connections_per_ip,
            streams: self.streams_per_connection,
            first_request: Duration::from_millis(self.first_request_ms),
            idle: Duration::from_millis(self.idle_ms),
            unread: Duration::from_millis(self.unread_ms),
        }
    }
}

/// `[log]`: what is written to standard error, and how.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// Levels by target, as in `info,millrace_chassis=debug`. Default `info`.
    pub filter: String,
    /// `pretty`, `json`, or `auto`: pretty on a terminal, JSON elsewhere. Default `auto`.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            filter: "info".to_owned(),
            format: LogFormat::Auto,
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Pretty on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// `[secrets]`: never shown, in no log and by no command.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Secrets {
    /// Keys of page tokens: the first signs, all verify.
    pub page_token: Vec<String>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

fn address<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(|_| {
        serde::de::Error::custom(format_args!(
            "`{text}` is not an IP address and a port, as in 127.0.0.1:8080"
        ))
    })
}

/// An address, or the word `off`.
mod address_or_off {
    use super::*;

    pub(super) fn serialize<S: Serializer>(address: &Option<SocketAddr>, to: S) -> Result<S::Ok, S::Error> {
        match address {
            Some(address) => to.collect_str(address),
            None => to.serialize_str("off"),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
        match String::deserialize(from)?.as_str() {
            "off" => Ok(None),
            address => address.parse().map(Some).map_err(|_| {
                serde::de::Error::custom(format_args!(
                    "`{address}` is neither an IP address and a port, as in 127.0.0.1:9464, nor `off`"
                ))
            }),
        }
    }
}
