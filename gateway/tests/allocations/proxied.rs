//! What a call through the gateway allocates, above what a proxy on hyper does that hands everything on as it comes.
//! Server and caller have threads of their own, so that only the gateway's allocations are counted.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use millrace_gateway::Gateway;
use millrace_gateway::edge::{CorsPolicy, Edge, HostPolicy, Metrics, NoBuiltin};
use millrace_gateway::serve::{ConnectionLimits, listen, serve};
use millrace_gateway::upstream::{Health, Settings, Table, Upstream};
use prometheus_client::registry::Registry;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use crate::caller::Caller;
use crate::{backend, plain};

/// Calls that are counted.
const CALLS: u64 = 200;
/// Allocations of a call above the plain proxy's.
const ABOVE_MAX: u64 = 6;
/// Calls before those that are counted: what is made once is there, and buffers have their size.
const WARM: u64 = 100;

/// An order of one line.
pub(crate) const ORDER: &str = r#"{"name":"users/1/orders/2","state":"ORDER_STATE_PLACED","lines":[{"product":"products/3","quantity":2,"unitPrice":{"currencyCode":"EUR","minorUnits":"1999"},"displayName":"A blue bottle"}],"total":{"currencyCode":"EUR","minorUnits":"3998"},"createTime":"2026-11-24T10:00:00Z","etag":"a1b2c3"}"#;

#[test]
fn a_get_with_a_captured_path_allocates_little_above_the_plain_proxy() {
    assert_little("GET /v1/users/1/orders/2 HTTP/1.1\r\nhost: localhost\r\n\r\n");
}

#[test]
fn a_post_with_a_body_allocates_little_above_the_plain_proxy() {
    let bytes = ORDER.len();
    let request = format!(
        "POST /v1/users/1/orders HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {bytes}\r\n\r\n{ORDER}"
    );
    assert_little(&request);
}

/// Asserts that a call makes at most [`ABOVE_MAX`] allocations more than the plain proxy does.
#[track_caller]
fn assert_little(request: &str) {
    let (ours, plain) = (
        counted(request, |runtime| runtime.block_on(gateway(backend::start(order())))),
        counted(request, |runtime| {
            runtime.block_on(plain::start(backend::start(order())))
        }),
    );
    let per_call = |count: u64| count as f64 / CALLS as f64;
    println!("allocations per call: {} and {}", per_call(ours), per_call(plain));
    assert!(
        ours <= plain + ABOVE_MAX * CALLS,
        "{} allocations per call, the plain proxy's are {}",
        per_call(ours),
        per_call(plain)
    );
}

/// The allocations of [`CALLS`] calls, one after the other over one connection, in the thread that `start` starts a
/// proxy in.
fn counted(request: &str, start: impl FnOnce(&Runtime) -> SocketAddr) -> u64 {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let mut caller = Caller::start(start(&runtime), request);
    runtime.block_on(caller.call(WARM));
    allocation_counter::measure(|| runtime.block_on(caller.call(CALLS))).count_total
}

/// The order on the wire.
fn order() -> Vec<u8> {
    let gateway = schema();
    let matched = gateway.schema().find("POST", "/v1/users/1/orders").unwrap();
    let request = matched.bind(None, ORDER.as_bytes(), &Default::default()).unwrap();
    backend::order_of(&request)
}

/// A gateway for the orders.
fn schema() -> Gateway {
    let orders = concat!(env!("CARGO_MANIFEST_DIR"), "/../benches/peers/proto");
    let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto");
    let mut compiler = protox::Compiler::new([orders, protos]).unwrap();
    compiler.include_imports(true);
    compiler
        .open_files(["peers/orders/v1/orders.proto", "google/rpc/error_details.proto"])
        .unwrap();
    let descriptors = compiler.encode_file_descriptor_set();
    Gateway::builder().descriptors(&descriptors).build().unwrap()
}

/// Serves the gateway before a server.
async fn gateway(server: SocketAddr) -> SocketAddr {
    let upstream = Upstream::new(Settings::new(format!("http://{server}"), 1)).unwrap();
    let (stop, stopping) = watch::channel(false);
    let kept = upstream.clone();
    tokio::spawn(async move { kept.run(stopping).await });
    upstream
        .health()
        .wait_for(|health| *health == Health::Up)
        .await
        .unwrap();
    let mut registry = Registry::default();
    let edge = Edge {
        request_id: Arc::new(|id| id.write_str("an-id")),
        metrics: Metrics::new(&mut registry),
        cors: CorsPolicy::Loopback,
        hosts: HostPolicy::Any,
        builtin: Arc::new(NoBuiltin),
    };
    let upstreams = Table::new(vec![(upstream, vec!["peers.orders.v1.OrdersService".to_owned()])]);
    let service = schema().serve_upstreams(&upstreams, edge);
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let limits = ConnectionLimits {
        connections: 10,
        connections_per_ip: 10,
        streams: 200,
        first_request: Duration::from_secs(60),
        idle: Duration::from_secs(60),
        unread: Duration::from_secs(600),
    };
    // Both serve until the test's runtime ends.
    tokio::spawn(async move {
        let (_serving, stopping) = watch::channel(false);
        let _kept = stop;
        serve(listener, service, limits, stopping, Duration::from_secs(1)).await;
    });
    address
}
