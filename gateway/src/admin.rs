//! The admin listener: `/metrics`, and the probes `/health` and `/readiness`. It has its own thread and runtime, so
//! that a busy or stuck server still tells the truth. It only reads, but for the [`Action`]s that it is given: of those
//! the stand-alone gateway has one, `POST /schema/reload`, and only if a setting turns it on.

mod hosts;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, ORIGIN};
use http::{HeaderValue, Method, Request, Response};
use millrace_transcode::RouteError;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::admin::hosts::Hosts;
use crate::answer::{Answers, Shape};
use crate::body::{HttpResponse, ResponseBody};
use crate::call::CallRecord;
use crate::edge::{Names, check_head, every_name, is_loopback_authority};
use crate::error::Failure;
use crate::gateway::{Gateway, HttpService};
use crate::probes::Probes;
use crate::rest::without_body;
use crate::serve::{ConnectionLimits, serve};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Open connections of the listener. Each is an open file, which is kept from the connections of callers.
pub const CONNECTIONS_MAX: usize = 128;
/// Scrapers and probes are few, and each comes from one address with a connection or two: one that holds its share
/// keeps nobody else out. What asks every minute keeps its connection.
const LIMITS: ConnectionLimits = ConnectionLimits {
    connections: CONNECTIONS_MAX,
    connections_per_ip: 16,
    streams: 16,
    first_request: Duration::from_secs(5),
    idle: Duration::from_secs(75),
    unread: Duration::from_secs(60),
};
const DRAIN_MAX: Duration = Duration::from_secs(1);

/// The running listener.
pub struct Admin {
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

/// Something that the listener does, by POST and under a loopback name only. Browsers are turned away: a page may send
/// a POST to any address, and says so in its headers.
#[derive(Clone)]
pub struct Action {
    path: &'static str,
    run: Arc<dyn Fn() -> ActionFuture + Send + Sync>,
}

type ActionFuture = Pin<Box<dyn Future<Output = Response<Bytes>> + Send>>;

impl Action {
    /// An action under a path. It runs on the listener's thread, so it must not block.
    pub fn new<F>(path: &'static str, run: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Response<Bytes>> + Send + 'static,
    {
        Self {
            path,
            run: Arc::new(move || Box::pin(run())),
        }
    }
}

/// What the listener answers from.
struct Answering {
    actions: Vec<Action>,
    probes: Probes,
    registry: Registry,
    hosts: Hosts,
    answers: Answers,
}

/// Starts the listener on a thread of its own. It answers under loopback names, under its own address, and under the
/// names in `hosts`: a page that rebinds its own name to this address learns nothing. Refusals have the gateway's
/// shape.
///
/// # Errors
/// The thread or its runtime cannot be made.
pub fn start(
    gateway: &Gateway,
    listener: TcpListener,
    probes: Probes,
    registry: Registry,
    hosts: Vec<String>,
) -> io::Result<Admin> {
    start_with(gateway, listener, probes, registry, hosts, Vec::new())
}

/// The same, with actions.
///
/// # Errors
/// The thread or its runtime cannot be made.
pub fn start_with(
    gateway: &Gateway,
    listener: TcpListener,
    probes: Probes,
    registry: Registry,
    hosts: Vec<String>,
    actions: Vec<Action>,
) -> io::Result<Admin> {
    let answering = Arc::new(Answering {
        actions,
        probes,
        registry,
        hosts: Hosts {
            bound: listener.local_addr()?.ip(),
            names: hosts,
        },
        answers: gateway.answers(),
    });
    let listener = listener.into_std()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (stop, stopping) = watch::channel(false);
    let thread = std::thread::Builder::new().name("admin".to_owned()).spawn(move || {
        runtime.block_on(async {
            let service = HttpService::from_fn(move |request| {
                let (answering, request) = (answering.clone(), request.map(drop));
                async move { answering.answer(&request).await }
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
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let ended = tokio::task::spawn_blocking(|| self.thread.join());
        let _ = tokio::time::timeout(DRAIN_MAX * 2, ended).await;
    }
}

impl Answering {
    /// Answers GET, and HEAD as GET without a body; a request's own body is not read.
    async fn answer(&self, request: &Request<()>) -> HttpResponse {
        let answer = match self.actions.iter().find(|action| action.path == request.uri().path()) {
            None => self.page(request),
            Some(action) => match self.may_act(request) {
                Ok(()) => Ok((action.run)().await.map(ResponseBody::full)),
                Err(refusal) => Err(refusal),
            },
        };
        let answer = answer.unwrap_or_else(|refusal| {
            let record = CallRecord::of(request.extensions());
            let shape = Shape::of(request, Names::of(request.headers()));
            self.answers.answer(&shape, &refusal, &record)
        });
        if request.method() == Method::HEAD {
            without_body(answer)
        } else {
            answer
        }
    }

    fn may_act(&self, request: &Request<()>) -> Result<(), Failure> {
        if !every_name(request, is_loopback_authority) {
            return Err(Failure::host_not_allowed());
        }
        if request.method() != Method::POST {
            return Err(Failure::method_not_allowed("POST"));
        }
        if [ORIGIN.as_str(), "sec-fetch-site"]
            .iter()
            .any(|name| request.headers().contains_key(*name))
        {
            return Err(Failure::origin_not_allowed());
        }
        Ok(())
    }

    fn page(&self, request: &Request<()>) -> Result<HttpResponse, Failure> {
        check_head(request)?;
        if !every_name(request, |name| self.hosts.allow(name)) {
            return Err(Failure::host_not_allowed());
        }
        let (method, path) = (request.method(), request.uri().path());
        if ![Method::GET, Method::HEAD].contains(method) {
            return Err(Failure::method_not_allowed("GET, HEAD"));
        }
        if path == "/metrics" {
            return self.metrics();
        }
        let probe = self.probes.answer(path).map(|answer| answer.map(ResponseBody::full));
        probe.ok_or_else(|| Failure::no_route(method, path, RouteError::NotFound { did_you_mean: None }))
    }

    fn metrics(&self) -> Result<HttpResponse, Failure> {
        let mut lines = String::new();
        text::encode(&mut lines, &self.registry).map_err(|_| Failure::bad_reply("a metric cannot be written"))?;
        let mut response = Response::new(ResponseBody::full(lines));
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(OPEN_METRICS));
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicBool, Ordering};

    use prometheus_client::metrics::counter::Counter;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;
    use crate::heartbeat::Heartbeat;

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
        let ready = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&ready);
        let is_ready = move || {
            if asked.load(Ordering::SeqCst) {
                Ok(())
            } else {
                Err("no_shard")
            }
        };
        let probes = Probes::new(Heartbeat::start(), is_ready);
        let listener = crate::serve::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let gateway = Gateway::builder().build().unwrap();
        let admin = start(&gateway, listener, probes, registry, Vec::new()).unwrap();

        let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n");
        assert!(ask(address, &get("/readiness")).await.contains("no_shard"));
        ready.store(true, Ordering::SeqCst);
        let cases = [
            (get("/health"), "200 OK", "alive"),
            (get("/readiness"), "200 OK", "ready"),
            (get("/metrics"), "200 OK", "# HELP parcels Parcels sent."),
            (get("/"), "404 Not Found", "\"code\":5"),
            (
                "POST /health HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n".to_owned(),
                "405 ",
                "allow: GET, HEAD",
            ),
            (
                "HEAD /metrics HTTP/1.1\r\nhost: localhost\r\n".to_owned(),
                "200 OK",
                "content-length: ",
            ),
            (
                "GET /health HTTP/1.1\r\nhost: evil.example\r\n".to_owned(),
                "421 ",
                "\"code\":3",
            ),
            ("GET /health HTTP/1.1\r\n".to_owned(), "400 ", "is missing"),
            (
                "GET /health HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n".to_owned(),
                "400 ",
                "more than once",
            ),
            // HTTP/1.0 may leave it out; here it may not.
            ("GET /health HTTP/1.0\r\n".to_owned(), "421 ", "\"code\":3"),
            (
                "GET http://evil.example/health HTTP/1.1\r\nhost: localhost\r\n".to_owned(),
                "421 ",
                "\"code\":3",
            ),
            (
                "GET /nothing HTTP/1.1\r\nhost: localhost\r\naccept: application/problem+json\r\n".to_owned(),
                "404 ",
                "\"status\":404",
            ),
        ];
        for (request, status, part) in cases {
            let text = ask(address, &request).await;
            assert!(
                text["HTTP/1.x ".len()..].starts_with(status) && text.contains(part),
                "{request}{text}"
            );
            assert!(!request.starts_with("HEAD") || text.ends_with("\r\n\r\n"), "{text}");
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
