//! What the limits call, since they transcode nothing: answers GET with stored JSON, and POST with what it was sent.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;

use crate::workload::Cell;

/// Serves HTTP/1.1 and HTTP/2 in clear until the process ends.
pub(crate) async fn run(address: SocketAddr) -> io::Result<()> {
    let order = Bytes::from(Cell::Get.expected().to_string());
    super::accept(address, move |stream| {
        let order = order.clone();
        async move {
            let service = service_fn(|request| answer(request, order.clone()));
            // A peer that goes away ends its connection, and nothing else.
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        }
    })
    .await
}

async fn answer(request: Request<Incoming>, order: Bytes) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = if request.method() == Method::POST {
        // Half a body answers half a body: the caller counts bytes.
        request
            .into_body()
            .collect()
            .await
            .map(|body| body.to_bytes())
            .unwrap_or_default()
    } else {
        order
    };
    let mut response = Response::new(Full::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
