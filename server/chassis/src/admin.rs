//! The admin listener: `/metrics`, `/health`, `/readiness`. It has its own thread and runtime, so that a busy or stuck
//! server still tells the truth. It only reads.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower::service_fn;

use crate::probes::{Probes, json};
use crate::serve::{ConnectionLimits, serve};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Scrapers and probes are few.
const LIMITS: ConnectionLimits = ConnectionLimits {
    connections: 64,
    connections_per_ip: 64,
    streams: 16,
    first_request: Duration::from_secs(10),
    idle: Duration::from_secs(120),
};
const DRAIN_MAX: Duration = Duration::from_secs(1);

/// The running listener.
pub(crate) struct Admin {
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

/// What the listener answers from.
struct Answers {
    probes: Probes,
    registry: Registry,
    /// Whether the host of a request must be a loopback name: so on a loopback address, against pages that rebind
    /// their own name to it.
    loopback: bool,
}

/// Starts the listener on a thread of its own.
///
/// # Errors
/// The thread or its runtime cannot be made.
pub(crate) fn start(listener: TcpListener, probes: Probes, registry: Registry) -> io::Result<Admin> {
    let loopback = listener.local_addr()?.ip().is_loopback();
    let answers = Arc::new(Answers {
        probes,
        registry,
        loopback,
    });
    let listener = listener.into_std()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (stop, stopping) = watch::channel(false);
    let thread = std::thread::Builder::new().name("admin".to_owned()).spawn(move || {
        runtime.block_on(async {
            let service = service_fn(move |request: Request<Incoming>| {
                let response = answers.answer(request.method(), request.uri().path(), request.headers());
                std::future::ready(Ok::<_, Infallible>(response.map(Full::new)))
            });
            match TcpListener::from_std(listener) {
                Ok(listener) => serve(listener, service, LIMITS, stopping, DRAIN_MAX).await,
                Err(error) => tracing::error!(%error, "the admin listener cannot start"),
            }
        });
    })?;
    Ok(Admin { stop, thread })
}

impl Admin {
    /// Stops the listener and waits for its thread, at most a little longer than its own drain.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(true);
        let ended = tokio::task::spawn_blocking(|| self.thread.join());
        let _ = tokio::time::timeout(DRAIN_MAX * 2, ended).await;
    }
}

impl Answers {
    fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Response<Bytes> {
        if self.loopback && !is_loopback_host(headers) {
            return refusal(
                StatusCode::MISDIRECTED_REQUEST,
                7,
                "the host must be localhost, 127.0.0.1 or [::1]",
            );
        }
        if method != Method::GET {
            let mut response = refusal(
                StatusCode::METHOD_NOT_ALLOWED,
                12,
                "the admin listener only answers GET",
            );
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
            return response;
        }
        if path == "/metrics" {
            return self.metrics();
        }
        self.probes
            .answer(path)
            .unwrap_or_else(|| refusal(StatusCode::NOT_FOUND, 5, "try /metrics, /health or /readiness"))
    }

    fn metrics(&self) -> Response<Bytes> {
        let mut lines = String::new();
        if text::encode(&mut lines, &self.registry).is_err() {
            return refusal(StatusCode::INTERNAL_SERVER_ERROR, 13, "a metric cannot be written");
        }
        let mut response = Response::new(Bytes::from(lines));
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(OPEN_METRICS));
        response
    }
}

/// An error in the one shape, `google.rpc.Status`.
fn refusal(status: StatusCode, code: u8, message: &str) -> Response<Bytes> {
    json(
        status,
        format!("{{\"code\":{code},\"message\":\"{message}\",\"details\":[]}}\n"),
    )
}

/// Tells whether `Host` is exactly a loopback name, with or without a port. A name that only begins like one is another.
fn is_loopback_host(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let Ok(host) = host.to_str() else {
        return false;
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use prometheus_client::metrics::counter::Counter;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;
    use crate::health::Readiness;
    use crate::heartbeat::Heartbeat;

    #[test]
    fn only_exact_loopback_names_pass() {
        let cases = [
            ("localhost", true),
            ("localhost:9464", true),
            ("127.0.0.1:9464", true),
            ("[::1]:9464", true),
            ("[::1]", true),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example:9464", false),
            ("evil.example", false),
            ("localhost:", false),
            ("localhost:80:80", false),
            ("LOCALHOST", false),
            ("", false),
        ];
        for (host, expected) in cases {
            let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]);
            assert_eq!(is_loopback_host(&headers), expected, "{host:?}");
        }
        assert!(!is_loopback_host(&HeaderMap::new()));
    }

    async fn ask(address: SocketAddr, request: &str) -> String {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket
            .write_all(format!("{request}connection: close\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn it_answers_from_its_own_thread() {
        let mut registry = Registry::default();
        registry.register("parcels", "Parcels sent", Counter::<u64>::default());
        let readiness = Readiness::new();
        let probes = Probes {
            heartbeat: Heartbeat::start(),
            readiness: readiness.clone(),
        };
        let listener = crate::serve::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let admin = start(listener, probes, registry).unwrap();

        let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n");
        assert!(ask(address, &get("/readiness")).await.contains("no_shard"));
        readiness.set_databases(true, &[]);
        let cases = [
            (get("/health"), "200 OK", "alive"),
            (get("/readiness"), "200 OK", "ready"),
            (get("/metrics"), "200 OK", "# HELP parcels Parcels sent."),
            (get("/"), "404 Not Found", "\"code\":5"),
            (
                "POST /health HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n".to_owned(),
                "405 ",
                "GET",
            ),
            (
                "GET /health HTTP/1.1\r\nhost: evil.example\r\n".to_owned(),
                "421 ",
                "localhost",
            ),
        ];
        for (request, status, part) in cases {
            let text = ask(address, &request).await;
            assert!(
                text.starts_with(&format!("HTTP/1.1 {status}")) && text.contains(part),
                "{request}{text}"
            );
        }
        // The main runtime is this test's one thread: while it is blocked, the listener still answers.
        let blocked = std::thread::spawn(move || {
            use std::io::{Read, Write};
            let mut socket = std::net::TcpStream::connect(address).unwrap();
            socket
                .write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                .unwrap();
            let mut text = String::new();
            socket.read_to_string(&mut text).unwrap();
            text
        });
        assert!(blocked.join().unwrap().contains("alive"));
        admin.stop().await;
        assert!(TcpStream::connect(address).await.is_err());
    }
}
