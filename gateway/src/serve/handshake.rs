//! What happens to a socket before HTTP is spoken on it: nothing, or TLS.

use std::future::Future;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Makes the transport of a connection of an accepted socket.
pub trait Handshake: Clone + Send + Sync + 'static {
    /// The transport.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Does it once.
    fn shake(self, socket: TcpStream) -> impl Future<Output = io::Result<Self::Io>> + Send;
}

/// HTTP in clear.
#[derive(Debug, Clone, Copy)]
pub struct Plain;

impl Handshake for Plain {
    type Io = TcpStream;

    async fn shake(self, socket: TcpStream) -> io::Result<TcpStream> {
        Ok(socket)
    }
}

#[cfg(feature = "standalone")]
impl Handshake for tokio_rustls::TlsAcceptor {
    type Io = tokio_rustls::server::TlsStream<TcpStream>;

    async fn shake(self, socket: TcpStream) -> io::Result<Self::Io> {
        self.accept(socket).await
    }
}
