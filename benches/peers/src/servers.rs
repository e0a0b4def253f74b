//! The servers of the harness itself, each a process: the backend, what the limits call, and the plain proxy.

pub(crate) mod backend;
pub(crate) mod in_process;
pub(crate) mod limit;
pub(crate) mod plain;

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};

/// Accepts connections for ever, and has each served by a task.
async fn accept<F>(address: SocketAddr, serve: impl Fn(TcpStream) -> F) -> io::Result<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream));
    }
}
