//! A gateway over an inner service, without a socket.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use millrace_gateway::edge::{CorsPolicy, Edge, HostPolicy, Metrics, NoBuiltin};
use millrace_gateway::reload::Built;
use millrace_gateway::{Gateway, GrpcService, HttpService, LoadError, RequestBody};
use prometheus_client::registry::Registry;
use tower::ServiceExt;

/// Builds a gateway as a server would.
pub(crate) fn built(descriptors: &[u8], inner: GrpcService) -> Result<Built, LoadError> {
    let edge = Edge {
        request_id: Arc::new(|id| id.write_str("id")),
        metrics: Metrics::new(&mut Registry::default()),
        cors: CorsPolicy::Loopback,
        hosts: HostPolicy::Any,
        builtin: Arc::new(NoBuiltin),
    };
    let gateway = Gateway::builder().descriptors(descriptors).build()?;
    Ok(Built {
        service: gateway.serve(inner, edge),
        gateway,
    })
}

/// Status and body of a GET, without the line break at its end.
pub(crate) async fn get(service: &HttpService, path: &str) -> (u16, Bytes) {
    let request = Request::get(path).header("host", "localhost");
    let request = request.body(RequestBody::new(Full::new(Bytes::new()))).unwrap();
    let response = service.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, Bytes::copy_from_slice(body.trim_ascii_end()))
}
