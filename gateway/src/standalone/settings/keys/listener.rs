//! Where the gateway listens, and as whom.

use super::super::{Hosts, Settings};
use super::{Key, Slot, key, names};

/// Where the gateway listens, and as whom.
pub(super) static KEYS: &[Key<Settings>] = &[
    key(
        "listen",
        "127.0.0.1:8080",
        Slot::Address(|to, value| to.listen = value),
        "Address for REST, gRPC and gRPC-Web. The platform, `millrace`, has the same: beside it, give another by \
         --listen.",
    ),
    key(
        "admin_listen",
        "127.0.0.1:9464",
        Slot::AddressOrOff(|to, value| to.admin_listen = value),
        "Address for /metrics, /health and /readiness. Beside the platform, give another by --admin-listen, or off.",
    ),
    key(
        "admin_hosts",
        "[]",
        Slot::Names("host names", |to, value| {
            to.admin_hosts = names::hosts(value)?;
            Ok(())
        }),
        "Names, without a port, under which the admin address answers besides loopback names and its own address.",
    ),
    key(
        "hosts",
        "auto",
        Slot::Word(&["auto", "any", "loopback"], |to, value| to.hosts = Hosts::ALL[value]),
        "Under which names the gateway answers: any, or loopback names alone, which stops pages that rebind their \
         own name to this machine (421). auto is loopback where `listen` is a loopback address. Behind a reverse \
         proxy on the same machine, set any.",
    ),
    key(
        "tls.cert_file",
        "",
        Slot::File(|to, value| to.tls.cert_file = Some(value)),
        "Certificate chain in PEM: the gateway then speaks TLS on `listen`, HTTP/2 and HTTP/1.1 by ALPN.",
    ),
    key(
        "tls.key_file",
        "",
        Slot::File(|to, value| to.tls.key_file = Some(value)),
        "Private key of the certificate in PEM.",
    ),
];
