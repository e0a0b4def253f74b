//! Drives the cases of one section: each over HTTP/1.1, with the upstream in process and behind the proxy.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderName, HeaderValue};
use http_body_util::BodyExt;
use millrace_gateway::edge::{CorsPolicy, Edge, Forwarding, HostPolicy, Metrics, NoBuiltin};
use millrace_gateway::serve::{self, ConnectionLimits};
use millrace_gateway::upstream::{self, Table, Upstream};
use millrace_gateway::{Gateway, HttpRequest, HttpService, LoadError, ResponseBody};
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tonic::body::Body;
use tower::ServiceExt;

use crate::case::{Call, Case, Setup, What};
use crate::expect::{self, Expect, texts};
use crate::http;
use crate::http2;
use crate::ids;
use crate::recorder::{Recorder, Seen};
use crate::shapes;

/// Where the upstream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Mode {
    InProcess,
    Proxy,
}

/// The modes in which every case runs.
const MODES: [Mode; 2] = [Mode::InProcess, Mode::Proxy];

/// A free port.
const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Characters of a target in a report.
const SHOWN_MAX: usize = 100;

/// A gateway that is served, and its upstream.
struct Stage {
    address: String,
    upstream: Recorder,
    /// Its end stops the listeners.
    _stop: watch::Sender<bool>,
}

/// Runs a section, and fails with all that is wrong in it.
pub(crate) async fn section(cases: Vec<Case>) {
    let mut report = String::new();
    let mut pending: HashMap<&str, bool> = HashMap::new();
    for mode in MODES {
        let mut stages = HashMap::new();
        for case in &cases {
            let problems = problems(case, mode, &mut stages).await;
            if ids::PENDING.iter().any(|(id, _)| *id == case.id) {
                *pending.entry(case.id).or_default() |= !problems.is_empty();
                continue;
            }
            for problem in problems {
                let _ = writeln!(report, "{} ({mode:?}): {problem}", case.id);
            }
        }
    }
    for (id, is_pending) in pending {
        if !is_pending {
            let _ = writeln!(report, "{id}: passes, and is still in the list of those that do not");
        }
    }
    assert!(report.is_empty(), "\n{report}");
}

/// What is wrong with a case.
async fn problems(case: &Case, mode: Mode, stages: &mut HashMap<String, Result<Stage, String>>) -> Vec<String> {
    let key = format!("{:?}", case.setup);
    if !stages.contains_key(&key) {
        let stage = Stage::start(&case.setup, mode).await;
        stages.insert(key.clone(), stage);
    }
    match (&case.what, &stages[&key]) {
        (What::Refused(says), Err(refusal)) if refusal.contains(says) => Vec::new(),
        (What::Refused(says), Err(refusal)) => vec![format!("is refused with {refusal:?}, not with {says:?}")],
        (What::Refused(_), Ok(_)) => vec![format!("loads: {:?}", case.setup.options.rules)],
        (What::Calls(_), Err(refusal)) => vec![format!("does not load: {refusal}")],
        (What::Calls(calls), Ok(stage)) => {
            let mut problems = Vec::new();
            for call in calls {
                let found = stage.problems(call).await;
                if !found.is_empty() {
                    let target: String = call.request.target.chars().take(SHOWN_MAX).collect();
                    problems.push(format!("{} {target}: {}", call.request.method, found.join("; ")));
                }
            }
            problems
        }
    }
}

/// Connections to the upstream, which has all services.
fn proxied(gateway: &Gateway, upstream: &Recorder, setup: &Setup, stop: &watch::Sender<bool>) -> Table {
    let address = if setup.unreachable {
        let listener = serve::listen(LOOPBACK).unwrap();
        // Free again when the listener is dropped.
        listener.local_addr().unwrap().to_string()
    } else {
        let service = upstream.service();
        let answered = service.map_response(|answer| answer.map(|body| ResponseBody::stream(body.map_err(Into::into))));
        let answer = move |request: HttpRequest| {
            let answer = answered.clone().oneshot(request.map(Body::from));
            async { answer.await.unwrap_or_else(|never| match never {}) }
        };
        serve(HttpService::from_fn(answer), stop)
    };
    let proxied = Upstream::new(upstream::Settings::new(format!("http://{address}"), 1)).unwrap();
    let (kept, stopping) = (proxied.clone(), stop.subscribe());
    tokio::spawn(async move { kept.run(stopping).await });
    let services = gateway.schema().methods();
    let services = services.map(|method| method.descriptor().parent_service().full_name().to_owned());
    Table::new(vec![(proxied, services.collect())])
}

fn gateway(setup: &Setup) -> Result<Gateway, LoadError> {
    let mut builder = Gateway::builder()
        .descriptors(shapes::descriptors())
        .options(setup.options.clone())
        .request_headers(setup.request_headers.iter().copied())
        .response_trailers(setup.trailers.iter().copied().map(HeaderName::from_static))
        .header_names(setup.header_names)
        .header_text_refused(setup.header_text_refused);
    if let Some(networks) = &setup.trusted {
        let trusted = networks.iter().map(|network| network.parse().unwrap()).collect();
        builder = builder.forwarding(Forwarding::Rewritten { trusted });
    }
    if let Some(challenge) = setup.www_authenticate {
        builder = builder.www_authenticate(HeaderValue::from_static(challenge));
    }
    if let Some(bytes) = setup.uri_bytes_max {
        builder = builder.uri_bytes_max(bytes);
    }
    if let Some(bytes) = setup.body_bytes_max {
        builder = builder.body_bytes_max(bytes);
    }
    builder.build()
}

impl Stage {
    async fn start(setup: &Setup, mode: Mode) -> Result<Self, String> {
        let gateway = gateway(setup).map_err(|error| {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            format!("{error}: {}", source.unwrap_or_default())
        })?;
        let upstream = Recorder::new();
        let stop = watch::Sender::new(false);
        let mut registry = Registry::default();
        let edge = Edge {
            request_id: Arc::new(|id| id.write_str("id")),
            metrics: Metrics::new(&mut registry),
            cors: CorsPolicy::Loopback,
            hosts: HostPolicy::Any,
            builtin: Arc::new(NoBuiltin),
        };
        let service = match mode {
            Mode::InProcess => gateway.serve(upstream.service(), edge),
            Mode::Proxy => gateway.serve_upstreams(&proxied(&gateway, &upstream, setup, &stop), edge),
        };
        Ok(Self {
            address: serve(service, &stop),
            upstream,
            _stop: stop,
        })
    }

    /// What is wrong with a call.
    async fn problems(&self, call: &Call) -> Vec<String> {
        self.upstream.script(call.reply.clone());
        let (address, request) = (&self.address, &call.request);
        let answer = match (call.leaves, call.over_http2) {
            (true, _) => http::send_and_leave(address, request, &self.upstream)
                .await
                .map(|()| None),
            (_, true) => http2::send(address, request).await.map(Some),
            _ => http::send(address, request, &self.upstream).await,
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(problem) => return vec![problem],
        };
        let mut problems = Vec::new();
        for expected in &call.expected {
            if matches!(expected, Expect::Cancelled) {
                let is_cancelled = |calls: &Vec<Seen>| calls.first().is_some_and(|seen| seen.cancelled);
                // A call that was never made is not waited for.
                if answer.is_none() || !self.upstream.seen().is_empty() {
                    problems.extend(self.upstream.wait_for(is_cancelled).await.err());
                }
            }
        }
        let seen = self.upstream.seen();
        if let Some(answer) = &answer {
            problems.extend(expect::unexpected(call, answer));
        }
        let answer = answer.unwrap_or_default();
        let checked = call
            .expected
            .iter()
            .map(|expected| expect::wrong(expected, &answer, &seen));
        problems.extend(checked.filter_map(Result::err));
        if !problems.is_empty() {
            let sent: Vec<_> = seen.iter().map(|seen| (&seen.rpc, texts(&seen.messages))).collect();
            problems.push(format!("got {} {:?}, upstream {sent:?}", answer.status, answer.text()));
        }
        problems
    }
}

/// Serves on a free port of the loopback.
fn serve(service: HttpService, stop: &watch::Sender<bool>) -> String {
    let listener = serve::listen(LOOPBACK).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let limits = ConnectionLimits {
        connections: 10_000,
        connections_per_ip: 10_000,
        streams: 1_000,
        first_request: Duration::from_secs(60),
        idle: Duration::from_secs(60),
        unread: Duration::from_secs(60),
    };
    tokio::spawn(serve::serve(
        listener,
        service,
        limits,
        stop.subscribe(),
        Duration::ZERO,
    ));
    address
}
