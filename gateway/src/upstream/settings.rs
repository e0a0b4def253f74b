//! What an upstream is made from.

use std::path::PathBuf;
use std::time::Duration;

/// One gRPC server. [`Settings::new`] has every default.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `http://HOST[:PORT]` (HTTP/2 without TLS, by prior knowledge) or `https://HOST[:PORT]`; ports 80 and 443 unless
    /// given. Credentials, a path and a query are refused.
    pub url: String,
    /// From where the waits between attempts to connect draw their chance; from the system's random numbers, or the
    /// gateways of a fleet come back to a restarted server all at one moment.
    pub seed: u64,
    /// How an `https` server is trusted and told who calls.
    pub tls: Tls,
    /// Connections that are kept; 2. The second bears the calls while a server replaces the first.
    pub connections: usize,
    /// Connections that there are at most; 16. Those beyond [`Settings::connections`] are opened, one after the other,
    /// when calls wait because all places are taken, as long streams may take them. Not more than `connections`, and
    /// there are never others.
    pub connections_max: usize,
    /// After how long without a call a connection beyond those that are kept is closed; 30 s.
    pub connections_idle: Duration,
    /// How long one attempt may take, from the resolution of the name to the server's SETTINGS; 5 s.
    pub connect_timeout: Duration,
    /// How long a call waits for a connection while there is none, and for a place while all are taken, inside its
    /// deadline; 1 s. It is refused with UNAVAILABLE then.
    pub connect_wait: Duration,
    /// The wait before the second attempt to connect; each further one is twice as long, each shortened by chance by up
    /// to a half; 100 ms.
    pub reconnect_first: Duration,
    /// The longest wait between attempts; 5 s.
    pub reconnect_max: Duration,
    /// How often a connection with calls in progress is pinged; 5 min and 10 s, since gRPC servers by default close
    /// connections that are pinged more often than every 5 min. A connection that is silent while a call's deadline
    /// passes is pinged at once, whatever stands here.
    pub keep_alive: Duration,
    /// How long the answer to a ping may take before the connection is given up; 10 s. What was given to the connection
    /// before it, up to half a MiB, is sent first.
    pub keep_alive_timeout: Duration,
    /// Calls in progress on one connection, if the server allows that many; 1,000.
    pub streams_max: usize,
    /// Calls that wait for a place on a connection; more are refused with UNAVAILABLE; 10,000.
    pub calls_waiting_max: usize,
    /// Bytes of an answer that a call may have unread; 128 KiB. What all calls together may have unread is this times
    /// `streams_max` for each connection, so that slow readers never hold up the others.
    pub stream_window_bytes: u32,
    /// Bytes of one message of an answer; a larger one ends its call with INTERNAL; 16 MiB.
    pub message_bytes_max: usize,
    /// Bytes of the headers of an answer, and of its trailers; a call with more of them is INTERNAL; 64 KiB.
    pub header_bytes_max: u32,
    /// The deadline of a call whose caller gave none, from the moment on at which it can be sent; 60 s.
    pub deadline: Duration,
    /// The same for RPCs whose server streams: the longest life of a stream; 1 h.
    pub stream_deadline: Duration,
}

/// TLS to a server.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// PEM file with the certificates of the authorities that may have signed the server's; the system's unless given.
    pub ca: Option<PathBuf>,
    /// What the server is shown, if it asks who calls; nothing unless given.
    pub client: Option<ClientIdentity>,
    /// The name that the server's certificate must have, and by which calls name the server (`:authority`); the URL's
    /// unless given.
    pub server_name: Option<String>,
}

/// A client's certificate.
#[derive(Debug, Clone)]
pub struct ClientIdentity {
    /// PEM file with the certificate, and after it those that lead to its authority.
    pub certificate: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
}

impl Settings {
    /// The defaults for a URL; see [`Settings::seed`] for the second.
    pub fn new(url: impl Into<String>, seed: u64) -> Self {
        Self {
            url: url.into(),
            seed,
            tls: Tls::default(),
            connections: 2,
            connections_max: 16,
            connections_idle: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
            connect_wait: Duration::from_secs(1),
            reconnect_first: Duration::from_millis(100),
            reconnect_max: Duration::from_secs(5),
            keep_alive: Duration::from_secs(310),
            keep_alive_timeout: Duration::from_secs(10),
            streams_max: 1_000,
            calls_waiting_max: 10_000,
            stream_window_bytes: 128 << 10,
            message_bytes_max: 16 << 20,
            header_bytes_max: 64 << 10,
            deadline: Duration::from_secs(60),
            stream_deadline: Duration::from_secs(3_600),
        }
    }

    /// Refuses bounds with which nothing would ever work.
    pub(super) fn check(&self) -> Result<(), UpstreamError> {
        let counts = [
            ("connections", self.connections),
            ("streams_max", self.streams_max),
            ("stream_window_bytes", self.stream_window_bytes as usize),
            ("message_bytes_max", self.message_bytes_max),
            ("header_bytes_max", self.header_bytes_max as usize),
        ];
        let times = [
            ("connections_idle", self.connections_idle),
            ("connect_timeout", self.connect_timeout),
            ("keep_alive", self.keep_alive),
            ("keep_alive_timeout", self.keep_alive_timeout),
            ("reconnect_first", self.reconnect_first),
            ("deadline", self.deadline),
            ("stream_deadline", self.stream_deadline),
        ];
        let none = counts
            .into_iter()
            .filter(|(_, count)| *count == 0)
            .map(|(name, _)| name);
        let at_once = times
            .into_iter()
            .filter(|(_, time)| time.is_zero())
            .map(|(name, _)| name);
        if let Some(setting) = none.chain(at_once).next() {
            return Err(UpstreamError::Zero { setting });
        }
        // The largest window of HTTP/2.
        if self.stream_window_bytes > i32::MAX.cast_unsigned() {
            return Err(UpstreamError::Window(self.stream_window_bytes));
        }
        Ok(())
    }
}

/// Why there can be no such upstream.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// The URL is none of a gRPC server's.
    #[error("the upstream `{url}` {problem}")]
    Url {
        /// Without credentials.
        url: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A bound is zero.
    #[error("`{setting}` of an upstream must be more than zero")]
    Zero {
        /// The field of [`Settings`].
        setting: &'static str,
    },
    /// A window is larger than HTTP/2 knows.
    #[error("`stream_window_bytes` of an upstream is at most 2147483647, not {0}")]
    Window(u32),
    /// A file cannot be read, or holds something else.
    #[error("the {what} in {}", .path.display())]
    File {
        /// What it should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: rustls::pki_types::pem::Error,
    },
    /// A file holds no certificate.
    #[error("there is no certificate in {}", .0.display())]
    NoCertificate(PathBuf),
    /// The system has no certificates of authorities.
    #[error("the system has no certificates of authorities; name a file with them")]
    NoSystemRoots,
    /// Certificate and key do not fit, or cannot be used.
    #[error("the certificates of an upstream cannot be used")]
    Certificates(#[source] rustls::Error),
    /// A name that no server can have.
    #[error("the server name `{0}` is none")]
    ServerName(String),
}
