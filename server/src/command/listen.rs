//! The flags for the two addresses, alike in `dev` and `serve`.

use std::net::SocketAddr;
use std::str::FromStr;

use clap::Args;
use millrace_chassis::config::Flag;

/// Where to listen.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct ListenArgs {
    /// Public address: gRPC, gRPC-Web, REST [env: MILLRACE_SERVER__LISTEN=] [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS", value_parser = address, help_heading = "Addresses")]
    pub(super) listen: Option<SocketAddr>,
    /// Admin address: metrics and health, or `off` [env: MILLRACE_SERVER__ADMIN_LISTEN=] [default: 127.0.0.1:9464]
    #[arg(long, value_name = "ADDRESS|off", help_heading = "Addresses")]
    pub(super) admin_listen: Option<AddressOrOff>,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "give an IP address and a port, as in 127.0.0.1:8080".to_owned())
}

/// An address, or the word `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AddressOrOff(pub(super) Option<SocketAddr>);

impl FromStr for AddressOrOff {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self(None)),
            text => match text.parse() {
                Ok(address) => Ok(Self(Some(address))),
                Err(_) => Err("give an IP address and a port, as in 127.0.0.1:9464, or `off`".to_owned()),
            },
        }
    }
}

impl ListenArgs {
    /// The flags as settings.
    pub(super) fn flags(&self) -> Vec<Flag> {
        let mut flags: Vec<Flag> = Vec::new();
        if let Some(address) = self.listen {
            flags.push(("server.listen", address.to_string().into()));
        }
        if let Some(AddressOrOff(address)) = self.admin_listen {
            let text = address.map_or_else(|| "off".to_owned(), |address| address.to_string());
            flags.push(("server.admin_listen", text.into()));
        }
        flags
    }
}
