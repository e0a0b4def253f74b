//! The addresses of a platform, bound before anything is built on them.

use std::io;
use std::net::SocketAddr;

use millrace_gateway::serve::listen;
use tokio::net::TcpListener;

use crate::chassis::{FreePort, Options, StartError};

/// The bound addresses.
pub(super) struct Listeners {
    pub(super) public: TcpListener,
    pub(super) public_addr: SocketAddr,
    pub(super) admin: Option<(TcpListener, SocketAddr)>,
}

impl Listeners {
    pub(super) fn bind(options: &Options) -> Result<Self, StartError> {
        let bound =
            |address, may_move| bind(address, may_move).map_err(|source| StartError::Listen { address, source });
        let FreePort { public, admin } = options.free_port_if_taken;
        let (public, public_addr) = bound(options.server.listen, public)?;
        Ok(Self {
            public,
            public_addr,
            admin: options
                .server
                .admin_listen
                .map(|address| bound(address, admin))
                .transpose()?,
        })
    }
}

fn bind(address: SocketAddr, free_port_if_taken: bool) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = match listen(address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && free_port_if_taken => {
            listen(SocketAddr::new(address.ip(), 0))
        }
        bound => bound,
    }?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
