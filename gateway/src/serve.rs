//! The accept loop: connections, their limits, and a drain that always ends.
//!
//! tonic's own server leaves open: a connection that never sends a request, one that is idle for ever, connections without
//! number, and a drain that waits for them. Here each has a bound, tested with raw sockets.

mod activity;
mod caps;
mod connection;
mod handshake;
mod http1;
mod peer;
mod tracked;
mod transport;
mod woken;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::drain::begun;
use crate::gateway::HttpService;
use connection::connection;
pub use handshake::{Handshake, Plain};

pub use caps::{Caps, Taken};
pub use peer::Peer;

/// The kernel's buffer for a reader that is slow: it, not our memory, holds back a stream.
const SEND_BUFFER_BYTES: u32 = 256 << 10;
const BACKLOG: u32 = 1_024;
const HEADER_BYTES_MAX: u32 = 16 << 10;
const STREAM_WINDOW_BYTES: u32 = 256 << 10;
const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;
/// Streams that a peer reset before they were taken: a peer that does so without end (CVE-2023-44487) is sent away.
const ACCEPT_RESETS_MAX: usize = 20;
/// Streams that broke a rule of theirs; a peer whose streams go on to is sent away.
const LOCAL_RESETS_MAX: usize = 100;
const KEEP_ALIVE: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// After the file table is full, the next attempt to accept waits this long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The other end of the connection by which a request came: in the call's record, and in the extensions of a request that
/// goes to a tower service or a function. Behind a proxy it is the proxy's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteAddress {
    address: SocketAddr,
    /// The host as `X-Forwarded-For` says it: written once for all calls of a connection.
    said: HeaderValue,
}

impl RemoteAddress {
    /// The peer at an address.
    pub fn new(address: SocketAddr) -> Self {
        let said = address.ip().to_canonical().to_string();
        Self {
            address,
            // Digits and punctuation of an address are fit for any header.
            said: HeaderValue::try_from(said).unwrap_or_else(|_| HeaderValue::from_static("")),
        }
    }

    /// The address, and the port from which it called.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The host as `X-Forwarded-For` says it.
    pub(crate) fn said(&self) -> &HeaderValue {
        &self.said
    }
}

/// The bounds of connections.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// Open connections of the listener; more are closed at once.
    pub connections: usize,
    /// Open connections of one address; more are closed at once.
    pub connections_per_ip: usize,
    /// Concurrent HTTP/2 streams of one connection.
    pub streams: u32,
    /// How long a connection may take to its first request.
    pub first_request: Duration,
    /// How long a connection may stay without a request in progress.
    pub idle: Duration,
    /// How long a peer may take nothing of an answer, because it does not read or opens no HTTP/2 window, before the
    /// connection is closed. Without this it would keep the answer, its place and its memory for ever.
    pub unread: Duration,
}

/// Binds an address. Accepted sockets inherit the send buffer, and the probes that find a peer who has vanished: over
/// HTTP/1.1 nothing else would, while a stream has nothing to send.
///
/// # Errors
/// The address cannot be bound.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // Without this a restart would wait for the old connections' TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.set_keepalive(true)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves a listener until the drain, and then finishes what is in progress, until `drain_max` has passed at the
/// latest. What a peer sent before it could know of the drain is answered.
pub async fn serve(
    listener: TcpListener,
    service: HttpService,
    limits: ConnectionLimits,
    draining: watch::Receiver<bool>,
    drain_max: Duration,
) {
    serve_over(listener, Plain, service, limits, draining, drain_max).await;
}

/// The same over what a handshake makes of each socket. The handshake may take as long as the first request after it.
pub async fn serve_over<H: Handshake>(
    listener: TcpListener,
    handshake: H,
    service: HttpService,
    limits: ConnectionLimits,
    mut draining: watch::Receiver<bool>,
    drain_max: Duration,
) {
    let serving = Serving {
        handshake,
        service,
        limits,
        http2: Arc::new(http2(&limits)),
        caps: Caps::new(limits.connections, limits.connections_per_ip),
        draining: draining.clone(),
    };
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = begun(&mut draining) => break,
            // Only forgets what has ended.
            Some(_) = connections.join_next() => {}
            (stream, peer) = accepted(&listener) => {
                serving.one(stream, peer).map(|served| connections.spawn(served));
            }
        }
    }
    for (stream, peer) in backlog(listener) {
        serving.one(stream, peer).map(|served| connections.spawn(served));
    }
    finish(connections, drain_max).await;
}

/// Serves one connection over any transport, such as a pipe or a Unix socket. Of the limits those of one connection count.
/// Returns at its end.
pub async fn serve_connection<I>(
    io: I,
    peer: SocketAddr,
    service: HttpService,
    limits: ConnectionLimits,
    draining: watch::Receiver<bool>,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let http2 = Arc::new(http2(&limits));
    connection(Box::new(io), peer, service, http2, limits, draining).await;
}

/// What all connections of a listener have in common.
struct Serving<H> {
    handshake: H,
    service: HttpService,
    limits: ConnectionLimits,
    http2: Arc<http2::Builder<TokioExecutor>>,
    caps: Caps,
    draining: watch::Receiver<bool>,
}

impl<H: Handshake> Serving<H> {
    /// One connection, to its end; `None` if there is no place for it.
    fn one(&self, stream: TcpStream, peer: SocketAddr) -> Option<impl Future<Output = ()> + Send + use<H>> {
        let Some(place) = self.caps.take(Peer::new(peer.ip())) else {
            tracing::debug!(peer = %peer.ip(), "a connection above the caps is closed");
            return None;
        };
        // Answers are written whole; waiting for more only delays them. A socket that refuses is closing already.
        let _ = stream.set_nodelay(true);
        let (handshake, service, http2) = (self.handshake.clone(), self.service.clone(), self.http2.clone());
        let (limits, draining) = (self.limits, self.draining.clone());
        Some(async move {
            let shaken = tokio::time::timeout(limits.first_request, handshake.shake(stream)).await;
            match shaken {
                Ok(Ok(io)) => connection(Box::new(io), peer, service, http2, limits, draining).await,
                Ok(Err(error)) => tracing::debug!(peer = %peer.ip(), %error, "a handshake failed"),
                Err(_) => tracing::debug!(peer = %peer.ip(), "a handshake took too long"),
            }
            drop(place);
        })
    }
}

/// The next connection. Dropping the future loses none.
async fn accepted(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_peers(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections for now");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Closes a listener and returns the connections that the kernel had made already; their peers do not know of a drain.
fn backlog(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    let Ok(listener) = listener.into_std() else {
        return Vec::new();
    };
    let made = std::iter::from_fn(|| listener.accept().ok()).take(BACKLOG as usize);
    let asynchronous = made.filter_map(|(stream, peer)| {
        stream.set_nonblocking(true).ok()?;
        Some((TcpStream::from_std(stream).ok()?, peer))
    });
    asynchronous.collect()
}

/// Waits for the connections to end, and cuts those that do not in time.
async fn finish(mut connections: JoinSet<()>, drain_max: Duration) {
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(drain_max, ended).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "the drain is over; connections still open are cut"
        );
        connections.abort_all();
    }
}

/// Tells errors of one connection, which was gone before it was accepted, from those of this process.
fn is_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn http2(limits: &ConnectionLimits) -> http2::Builder<TokioExecutor> {
    let mut http2 = http2::Builder::new(TokioExecutor::new());
    http2
        // Without one a limit of time panics when it is first needed.
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .max_header_list_size(HEADER_BYTES_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_pending_accept_reset_streams(ACCEPT_RESETS_MAX)
        .max_local_error_reset_streams(LOCAL_RESETS_MAX);
    http2
}

#[cfg(test)]
mod tests;
