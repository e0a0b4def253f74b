//! HTTP/1.1: a caller who sends any bytes. However they are cut, the service sees the same requests with the same bodies, and
//! the connection ends.
#![no_main]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use http_body_util::BodyExt;
use libfuzzer_sys::fuzz_target;
use millrace_gateway::serve::{ConnectionLimits, serve_connection};
use millrace_gateway::{HttpRequest, HttpService, ResponseBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// Every connection ends long before.
const TIME_MAX: Duration = Duration::from_secs(5);
const LIMITS: ConnectionLimits = ConnectionLimits {
    connections: 1,
    connections_per_ip: 1,
    streams: 1,
    first_request: TIME_MAX,
    idle: TIME_MAX,
    unread: TIME_MAX,
};

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, bytes) = input;
    // HTTP/2 begins with a word of its own.
    if bytes.starts_with(b"PRI * HTTP/2.0") {
        return;
    }
    let whole = seen(bytes, bytes.len().max(1));
    let cut = seen(bytes, usize::from(piece).max(1));
    assert_eq!(whole, cut, "what is read depends on how it was cut");
});

/// What a service sees of what a caller sends in pieces.
fn seen(bytes: &[u8], piece: usize) -> Vec<String> {
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let service = {
        let seen = seen.clone();
        HttpService::from_fn(move |request: HttpRequest| {
            let seen = seen.clone();
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.map_err(drop);
                let body = body.map(|body| (body.trailers().cloned(), body.to_bytes()));
                let text = format!("{} {} {:?} {:?} {body:?}", head.method, head.uri, head.version, head.headers);
                seen.lock().unwrap_or_else(PoisonError::into_inner).push(text);
                http::Response::new(ResponseBody::full("here"))
            }
        })
    };
    let talk = async {
        let (mut peer, io) = duplex(64 << 10);
        let (_drain, draining) = watch::channel(false);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let serving = serve_connection(io, address, service, LIMITS, draining);
        let calling = async {
            for piece in bytes.chunks(piece) {
                // It may have ended already.
                if peer.write_all(piece).await.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            let _ = peer.shutdown().await;
            let _ = peer.read_to_end(&mut Vec::new()).await;
            drop(peer);
        };
        tokio::join!(serving, calling);
    };
    let ended = runtime().block_on(async { tokio::time::timeout(TIME_MAX, talk).await });
    assert!(ended.is_ok(), "the connection never ends");
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::take(&mut *seen)
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let built = tokio::runtime::Builder::new_current_thread().enable_time().build();
        built.expect("a runtime starts")
    })
}
