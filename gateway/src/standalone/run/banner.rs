//! What a person sees when the gateway serves: what is where, and what to try. Off a terminal it is one log line.

use std::fmt::{self, Write};
use std::io::IsTerminal;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::super::output;
use super::super::published::Published;
use super::super::settings::{Grpc, Settings};
use super::listen::Listeners;
use crate::Gateway;
use crate::transcode::Route;

/// Says that the gateway serves.
pub(super) fn print(settings: &Settings, gateway: &Gateway, listeners: &Listeners, missing: &[String]) {
    let admin = listeners.admin.as_ref().map(|(_, address)| *address);
    let upstreams: Vec<_> = settings.upstreams.iter().map(|upstream| upstream.shown_url()).collect();
    let routes = gateway.schema().routes().count();
    if std::io::stderr().is_terminal() {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = write(&mut text, settings, gateway, listeners.public_addr, admin, missing);
        output::note(text);
        return;
    }
    tracing::info!(
        listen = %listeners.public_addr,
        admin_listen = %admin.map_or_else(|| "off".to_owned(), |address| address.to_string()),
        upstreams = upstreams.join(" "),
        routes,
        rpcs = %Published::new(settings, gateway.schema()),
        "the gateway serves"
    );
    if routes == 0 && missing.is_empty() {
        tracing::warn!("no RPC has an HTTP rule: nothing is served over REST; see rpc_paths and http.rules");
    }
}

fn write(
    text: &mut String,
    settings: &Settings,
    gateway: &Gateway,
    public: SocketAddr,
    admin: Option<SocketAddr>,
    missing: &[String],
) -> fmt::Result {
    let schema = gateway.schema();
    let scheme = if settings.tls.cert_file.is_some() {
        "https"
    } else {
        "http"
    };
    let url = format!("{scheme}://{}", reachable(public));
    let routes: Vec<_> = schema.routes().collect();
    let upstreams: Vec<_> = settings.upstreams.iter().map(|upstream| upstream.shown_url()).collect();
    let version = env!("CARGO_PKG_VERSION");
    writeln!(
        text,
        "\n  millrace-gateway {version}   {url} -> {}",
        upstreams.join(", ")
    )?;
    write!(text, "  REST       {} routes", routes.len())?;
    match &settings.openapi.json_path {
        Some(path) => writeln!(text, "      OpenAPI {url}{path}")?,
        None => writeln!(text)?,
    }
    let published = Published::new(settings, schema);
    let hint = match settings.grpc {
        Grpc::Annotated if published.is_part() => "   (grpc = \"all\" serves the others)",
        _ => "",
    };
    writeln!(text, "  gRPC       {published}, and gRPC-Web, on the same port{hint}")?;
    match admin {
        Some(admin) => writeln!(text, "  Admin      http://{}/metrics, /readiness", reachable(admin))?,
        None => writeln!(text, "  Admin      off")?,
    }
    for name in missing {
        writeln!(text, "  Waiting    for {name}: its routes appear when it answers")?;
    }
    match routes.iter().find(|route| is_plain(route)) {
        Some(route) => writeln!(text, "  Try        curl -sw '\\n' {url}{}", route.path())?,
        None if routes.is_empty() && !missing.is_empty() => {}
        None if routes.is_empty() => {
            writeln!(
                text,
                "  No RPC has an HTTP rule: see rpc_paths and http.rules (millrace-gateway config)"
            )?;
        }
        None => writeln!(text, "  Try        millrace-gateway routes")?,
    }
    writeln!(text, "  Stop       Ctrl-C")
}

/// Whether a route can be asked as it stands: GET, without variables.
fn is_plain(route: &Route) -> bool {
    route.http_method() == "GET" && !route.path().contains(['{', '*']) && !route.method().server_streaming()
}

/// An address that can be called: a listener on all addresses is reached by loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if ip.is_unspecified() => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port()),
        _ => address,
    }
}
