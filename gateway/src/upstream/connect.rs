//! One attempt to connect: the name is resolved anew, its addresses are tried in turn, and a connection counts only
//! when the server has sent its SETTINGS: until then it may be anything that accepts connections.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use crate::upstream::address::Address;
use crate::upstream::http2::{Config, Connection, Error, Sender};
use crate::upstream::settings::{Settings, UpstreamError};
use crate::upstream::tls::HTTP2;

/// Connects to one server.
pub(super) struct Dialer {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    timeout: Duration,
    http2: Config,
}

/// A connection that works.
pub(super) struct Opened {
    pub(super) sender: Sender,
    pub(super) connection: Connection<Transport>,
    pub(super) heard: Heard,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("the name cannot be resolved")]
    Resolve(#[source] io::Error),
    #[error("the name has no address")]
    NoAddress,
    #[error("the server cannot be reached")]
    Tcp(#[source] io::Error),
    #[error("TLS with the server failed")]
    Tls(#[source] io::Error),
    #[error("the server does not offer HTTP/2 over TLS")]
    NoHttp2,
    #[error("the server does not speak HTTP/2")]
    Http2(#[source] Error),
    #[error("the server closed the connection before it said anything")]
    Closed(#[source] Option<Error>),
    #[error("the server did not answer in time")]
    TooSlow,
}

impl Dialer {
    pub(super) fn new(
        settings: &Settings,
        address: &Address,
        tls: Option<TlsConnector>,
    ) -> Result<Self, UpstreamError> {
        let name = settings.tls.server_name.as_ref().unwrap_or(&address.host);
        let server_name = ServerName::try_from(name.clone()).map_err(|_| UpstreamError::ServerName(name.clone()));
        Ok(Self {
            host: address.host.clone(),
            port: address.port,
            tls: match tls {
                Some(tls) => Some((tls, server_name?)),
                None => None,
            },
            timeout: settings.connect_timeout,
            http2: Config {
                authority: address.called(settings.tls.server_name.as_deref())?.to_string(),
                is_tls: address.is_tls,
                stream_window_bytes: settings.stream_window_bytes,
                header_bytes_max: settings.header_bytes_max,
            },
        })
    }

    /// Connects to the first address that works; `turn` says with which to begin.
    pub(super) async fn connect(&self, turn: usize) -> Result<Opened, ConnectError> {
        let ends = Instant::now() + self.timeout;
        let resolved = timeout_at(ends, tokio::net::lookup_host((self.host.as_str(), self.port)));
        let resolved = resolved.await.map_err(|_| ConnectError::TooSlow)?;
        let mut addresses: Vec<SocketAddr> = resolved.map_err(ConnectError::Resolve)?.collect();
        if addresses.is_empty() {
            return Err(ConnectError::NoAddress);
        }
        let count = addresses.len();
        addresses.rotate_left(turn % count);
        let mut failed = ConnectError::TooSlow;
        for (index, address) in addresses.into_iter().enumerate() {
            // One that does not answer leaves their part of the time to the others.
            let now = Instant::now();
            let part = ends.saturating_duration_since(now) / u32::try_from(count - index).unwrap_or(u32::MAX);
            match timeout_at(now + part, self.open(address)).await {
                Ok(Ok(opened)) => return Ok(opened),
                Ok(Err(error)) => failed = error,
                Err(_) => failed = ConnectError::TooSlow,
            }
        }
        Err(failed)
    }

    async fn open(&self, address: SocketAddr) -> Result<Opened, ConnectError> {
        let stream = tcp(address).await.map_err(ConnectError::Tcp)?;
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(stream),
            Some((connector, name)) => {
                let stream = connector
                    .connect(name.clone(), stream)
                    .await
                    .map_err(ConnectError::Tls)?;
                if stream.get_ref().1.alpn_protocol() != Some(HTTP2) {
                    return Err(ConnectError::NoHttp2);
                }
                Box::new(stream)
            }
        };
        let heard = Heard::default();
        let transport = Transport {
            stream,
            heard: heard.clone(),
        };
        let (sender, mut connection) = Connection::new(transport, &self.http2);
        poll_fn(|cx| match connection.poll(cx) {
            // A certificate that the server does not like, too, is told only after the handshake.
            Poll::Ready(Err(error @ Error::Io(_))) => Poll::Ready(Err(ConnectError::Closed(Some(error)))),
            Poll::Ready(Err(error)) => Poll::Ready(Err(ConnectError::Http2(error))),
            Poll::Ready(Ok(())) => Poll::Ready(Err(ConnectError::Closed(None))),
            // With no place at all it would be of no use.
            Poll::Pending if connection.streams_max().is_some_and(|max| max > 0) => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        })
        .await?;
        Ok(Opened {
            sender,
            connection,
            heard,
        })
    }
}

async fn tcp(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_keepalive(true)?;
    // Frames are written whole; waiting for more only delays them.
    socket.set_nodelay(true)?;
    socket.connect(address).await
}

/// TCP, or TLS over it.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Whether anything came from the server: a count of reads.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard(Arc<AtomicU64>);

impl Heard {
    pub(super) fn so_far(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The transport of a connection, which counts what it hears.
pub(super) struct Transport {
    stream: Box<dyn Stream>,
    heard: Heard,
}

impl AsyncRead for Transport {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if polled.is_ready() {
            self.heard.0.fetch_add(1, Ordering::Relaxed);
        }
        polled
    }
}

impl AsyncWrite for Transport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
