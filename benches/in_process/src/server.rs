//! The servers, each a task of the present runtime.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use millrace_gateway::edge::{CorsPolicy, Edge, HostPolicy, Metrics, NoBuiltin, write_hex_id};
use millrace_gateway::serve::{ConnectionLimits, listen, serve};
use millrace_gateway::{BoxError, Gateway, GrpcService};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::orders::{DESCRIPTORS, Orders, OrdersServiceServer, order};

/// Any free port.
const ANYWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Starts the order service with our doors and all edge layers.
///
/// # Errors
/// No port, or a gateway that does not load.
pub async fn gateway() -> Result<SocketAddr, BoxError> {
    let gateway = Gateway::builder().descriptors(DESCRIPTORS).build()?;
    let orders = OrdersServiceServer::new(Orders(order(1)));
    let service = gateway.serve(GrpcService::new(orders), edge());
    let listener = listen(ANYWHERE)?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        // Kept, so that no drain begins.
        let (_running, draining) = watch::channel(false);
        serve(listener, service, limits(), draining, Duration::ZERO).await;
    });
    Ok(address)
}

/// Starts a server on hyper alone: it answers GET with a stored order in JSON, and POST with what it was sent.
///
/// # Errors
/// No port.
pub async fn plain(stored: Bytes) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(ANYWHERE).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A socket that refuses is closing already.
            let _ = stream.set_nodelay(true);
            let stored = stored.clone();
            tokio::spawn(async move {
                let service = service_fn(|request| echo(request, stored.clone()));
                // A peer that goes away ends its connection, and nothing else.
                let _ = auto::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    Ok(address)
}

async fn echo(request: Request<Incoming>, stored: Bytes) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = if request.method() == Method::POST {
        // Half a body answers half a body: the caller counts bytes.
        let collected = request.into_body().collect().await;
        collected.map(|body| body.to_bytes()).unwrap_or_default()
    } else {
        stored
    };
    let mut response = Response::new(Full::new(body));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// What every call passes before its door.
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
        connections: 1_000,
        connections_per_ip: 1_000,
        streams: 100,
        first_request: Duration::from_secs(60),
        idle: Duration::from_secs(600),
        unread: Duration::from_secs(600),
    }
}
