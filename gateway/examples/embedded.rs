//! A tonic service with a REST door, in one process and on one port. `cargo run -p millrace-gateway --example embedded`
//! serves; then, in another terminal:
//!
//! ```sh
//! curl -s http://127.0.0.1:8090/v1/reflection -H 'Content-Type: application/json' -d '[{"listServices": ""}]'
//! ```
//!
//! The service is tonic's server reflection, so that there is nothing to generate. Its proto file has no HTTP rule; the
//! one rule is given beside it. A service of one's own has `google.api.http` in its proto file, and its descriptors
//! from the build script (`file_descriptor_set_path` of `tonic-prost-build`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use millrace_gateway::edge::{CorsPolicy, Edge, HostPolicy, Metrics, NoBuiltin};
use millrace_gateway::serve::{ConnectionLimits, listen, serve};
use millrace_gateway::transcode::{HttpRule, Options};
use millrace_gateway::{BoxError, Gateway, GrpcService};
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let service = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .build_v1()?;
    let gateway = Gateway::builder()
        .descriptors(FILE_DESCRIPTOR_SET)
        .options(Options {
            rules: vec![rule()],
            ..Options::default()
        })
        .build()?;
    let http = gateway.serve(GrpcService::new(service), edge());

    let listener = listen(([127, 0, 0, 1], 8090).into())?;
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(async move {
        // Where signals cannot be watched, the process is ended from outside.
        if tokio::signal::ctrl_c().await.is_ok() {
            let _ = stop.send(true);
        } else {
            std::future::pending::<()>().await;
        }
    });
    serve(listener, http, limits(), stopping, Duration::from_secs(10)).await;
    Ok(())
}

/// `POST /v1/reflection` with a stream of requests, as a JSON array or NDJSON.
fn rule() -> HttpRule {
    HttpRule {
        selector: "grpc.reflection.v1.ServerReflection.ServerReflectionInfo".to_owned(),
        method: "POST".to_owned(),
        path: "/v1/reflection".to_owned(),
        body: "*".to_owned(),
        ..HttpRule::default()
    }
}

/// What every call passes before its door.
fn edge() -> Edge {
    // A server of several processes draws ids at random.
    let count = AtomicU64::new(0);
    Edge {
        request_id: Arc::new(move |id| write!(id, "{:032x}", count.fetch_add(1, Ordering::Relaxed) + 1)),
        metrics: Metrics::new(&mut Registry::default()),
        cors: CorsPolicy::Loopback,
        hosts: HostPolicy::Loopback,
        builtin: Arc::new(NoBuiltin),
    }
}

/// What one peer may take.
fn limits() -> ConnectionLimits {
    ConnectionLimits {
        connections: 1_000,
        connections_per_ip: 100,
        streams: 100,
        first_request: Duration::from_secs(10),
        idle: Duration::from_secs(300),
        unread: Duration::from_secs(300),
    }
}
