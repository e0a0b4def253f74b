//! The order service with our gateway around it, in one process and on one port: REST and native gRPC, both inside the
//! same layers.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use millrace_gateway::edge::{CorsPolicy, Edge, HostPolicy, Metrics, NoBuiltin, write_hex_id};
use millrace_gateway::serve::{ConnectionLimits, listen, serve};
use millrace_gateway::{Gateway, GrpcService};
use prometheus_client::registry::Registry;
use tokio::sync::watch;

use super::backend::Orders;
use crate::messages::ORDERS;
use crate::messages::orders_service_server::OrdersServiceServer;

/// As many as the stand-alone gateway is allowed here.
const CONNECTIONS: usize = 20_000;

/// Serves until the process ends.
pub(crate) async fn run(address: SocketAddr) -> io::Result<()> {
    // As `millrace` does.
    millrace_cli::keep_freed_memory();
    let gateway = Gateway::builder()
        .descriptors(ORDERS)
        .build()
        .map_err(io::Error::other)?;
    let service = GrpcService::new(OrdersServiceServer::new(Orders::new()));
    let http = gateway.serve(service, edge());
    // The sender has to stay: without it the drain would begin.
    let (_running, draining) = watch::channel(false);
    serve(listen(address)?, http, limits(), draining, Duration::ZERO).await;
    Ok(())
}

fn edge() -> Edge {
    let count = AtomicU64::new(0);
    Edge {
        request_id: Arc::new(move |id| write_hex_id(u128::from(count.fetch_add(1, Ordering::Relaxed)) + 1, id)),
        metrics: Metrics::new(&mut Registry::default()),
        cors: CorsPolicy::Loopback,
        hosts: HostPolicy::Loopback,
        builtin: Arc::new(NoBuiltin),
    }
}

fn limits() -> ConnectionLimits {
    ConnectionLimits {
        connections: CONNECTIONS,
        connections_per_ip: CONNECTIONS,
        streams: 100,
        first_request: Duration::from_secs(10),
        idle: Duration::from_secs(300),
        unread: Duration::from_secs(300),
    }
}
