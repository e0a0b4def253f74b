//! The listeners of the gateway, bound before anything else is done.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::super::settings::Settings;
use super::super::{Exit, Failure};
use crate::serve::listen;

/// Listeners with the addresses that they have.
pub(super) struct Listeners {
    pub(super) public: TcpListener,
    pub(super) public_addr: SocketAddr,
    pub(super) admin: Option<(TcpListener, SocketAddr)>,
}

impl Listeners {
    /// Binds the addresses of the settings.
    pub(super) fn bind(settings: &Settings) -> Result<Self, Failure> {
        let (public, public_addr) = bind(settings.listen, "--listen")?;
        let admin = settings.admin_listen.map(|address| bind(address, "--admin-listen"));
        Ok(Self {
            public,
            public_addr,
            admin: admin.transpose()?,
        })
    }
}

fn bind(address: SocketAddr, flag: &str) -> Result<(TcpListener, SocketAddr), Failure> {
    let bound = listen(address).and_then(|listener| {
        let address = listener.local_addr()?;
        Ok((listener, address))
    });
    bound.map_err(|error| {
        let off = if flag == "--admin-listen" { ", or `off`" } else { "" };
        Failure::new(
            Exit::Unreachable,
            format!("the address {address} cannot be used"),
            error,
        )
        .help(format!(
            "stop what listens there, or give another address with {flag}{off}"
        ))
    })
}
