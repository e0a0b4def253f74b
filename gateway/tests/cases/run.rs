//! Drives the cases of one section: each over HTTP/1.1, with the upstream in process and behind the proxy.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use millrace_gateway::edge::{CorsPolicy, Edge, HostPolicy, Metrics, NoBuiltin};
use millrace_gateway::serve::{self, ConnectionLimits};
use millrace_gateway::{Gateway, GrpcService, LoadError, RequestBody};
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tower::ServiceExt;

use crate::case::{Call, Case, Expect, Setup, What, texts};
use crate::http::{self, Answer};
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
const MODES: [Mode; 1] = [Mode::InProcess];

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
                problems.extend(stage.problems(call).await.into_iter().map(|problem| {
                    let target: String = call.request.target.chars().take(200).collect();
                    format!("{} {target}: {problem}", call.request.method)
                }));
            }
            problems
        }
    }
}

/// The inner service of a mode.
async fn inner(mode: Mode, upstream: &Recorder, _: &Setup, _: &watch::Sender<bool>) -> GrpcService {
    match mode {
        Mode::InProcess | Mode::Proxy => upstream.service(),
    }
}

fn gateway(setup: &Setup) -> Result<Gateway, LoadError> {
    let mut builder = Gateway::builder()
        .descriptors(shapes::descriptors())
        .options(setup.options.clone())
        .request_headers(setup.request_headers.iter().copied());
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
        let inner = inner(mode, &upstream, setup, &stop).await;
        let mut registry = Registry::default();
        let edge = Edge {
            request_id: Arc::new(|| "id".to_owned()),
            metrics: Metrics::new(&mut registry),
            cors: CorsPolicy::Loopback,
            hosts: HostPolicy::Any,
            builtin: Arc::new(NoBuiltin),
        };
        let service = gateway.serve(inner, edge);
        let service = service.map_request(|request: ::http::Request<hyper::body::Incoming>| request.map(RequestBody::new));
        Ok(Self {
            address: serve(service, &stop),
            upstream,
            _stop: stop,
        })
    }

    /// What is wrong with a call.
    async fn problems(&self, call: &Call) -> Vec<String> {
        self.upstream.script(call.reply.clone());
        let answer = if call.leaves {
            http::send_and_leave(&self.address, &call.request, &self.upstream).await.map(|()| None)
        } else {
            http::send(&self.address, &call.request, &self.upstream).await
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(problem) => return vec![problem],
        };
        let mut problems = Vec::new();
        for expected in &call.expected {
            if matches!(expected, Expect::Cancelled) {
                let is_cancelled = |calls: &Vec<Seen>| calls.first().is_some_and(|seen| seen.cancelled);
                problems.extend(self.upstream.wait_for(is_cancelled).await.err());
            }
        }
        let seen = self.upstream.seen();
        if let Some(answer) = &answer {
            problems.extend(unexpected(call, answer));
        }
        let answer = answer.unwrap_or_default();
        let checked = call.expected.iter().map(|expected| wrong(expected, &answer, &seen));
        problems.extend(checked.filter_map(Result::err));
        if !problems.is_empty() {
            let sent: Vec<_> = seen.iter().map(|seen| (&seen.rpc, texts(&seen.messages))).collect();
            problems.push(format!("answered {} {:?}; upstream {sent:?}", answer.status, answer.text()));
        }
        problems
    }
}

/// Serves on a free port of the loopback.
fn serve<S, B>(service: S, stop: &watch::Sender<bool>) -> String
where
    S: tower::Service<
            ::http::Request<hyper::body::Incoming>,
            Response = ::http::Response<B>,
            Error = std::convert::Infallible,
        > + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<millrace_gateway::BoxError>,
{
    let listener = serve::listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let limits = ConnectionLimits {
        connections: 10_000,
        connections_per_ip: 10_000,
        streams: 1_000,
        first_request: Duration::from_secs(60),
        idle: Duration::from_secs(60),
        unread: Duration::from_secs(60),
    };
    tokio::spawn(serve::serve(listener, service, limits, stop.subscribe(), Duration::ZERO));
    address
}

/// What no call is like unless it says so.
fn unexpected(call: &Call, answer: &Answer) -> Vec<String> {
    let expects = |is: fn(&Expect) -> bool| call.expected.iter().any(is);
    let mut problems = Vec::new();
    if answer.status != 200 && !expects(|expected| matches!(expected, Expect::Status(_))) {
        problems.push("is refused".to_owned());
    }
    if answer.broken && !expects(|expected| matches!(expected, Expect::Broken)) {
        problems.push("breaks off".to_owned());
    }
    problems
}

/// Looks at one expectation.
fn wrong(expected: &Expect, answer: &Answer, seen: &[Seen]) -> Result<(), String> {
    let same = |is_same: bool, what: String| if is_same { Ok(()) } else { Err(what) };
    match expected {
        Expect::Status(status) => same(answer.status == *status, format!("is not {status}")),
        Expect::Json(json) => {
            let got: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
            same(got.as_ref() == Some(json), format!("is not {json}"))
        }
        Expect::Body(body) => same(answer.body == *body, format!("is not {:?}", String::from_utf8_lossy(body))),
        Expect::Says(text) => same(answer.text().contains(text), format!("does not say {text:?}")),
        Expect::Code(code) => {
            let got: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
            let got = got.and_then(|status| status.get("code")?.as_i64());
            same(got == Some(i64::from(*code)), format!("its code is not {code}"))
        }
        Expect::NotCalled => same(seen.is_empty(), "reaches the upstream".to_owned()),
        Expect::Rpc(rpc) => same(seen.len() == 1 && seen[0].rpc == *rpc, format!("does not call {rpc} once")),
        Expect::Sends(expected) => sends(expected, seen),
        Expect::Header(name, value) => {
            let got = answer.header(name);
            same(got == value.as_deref(), format!("header {name} is {got:?}, not {value:?}"))
        }
        Expect::Metadata(name, values) => {
            let all = seen.first().map(|seen| seen.metadata.get_all(*name).iter().collect::<Vec<_>>());
            let all = all.unwrap_or_default();
            same(all == *values, format!("metadata {name} is {all:?}, not {values:?}"))
        }
        Expect::Trailer(name, value) => {
            let got = answer.trailer(name);
            same(got == *value, format!("trailer {name} is {got:?}, not {value:?}"))
        }
        Expect::Broken => same(answer.broken, "ends as if it were complete".to_owned()),
        Expect::Cancelled => Ok(()),
        Expect::Check(check) => check(answer, seen),
    }
}

/// Compares the messages of the one call, as values: text has more than one form.
fn sends(expected: &[String], seen: &[Seen]) -> Result<(), String> {
    let [call] = seen else {
        return Err(format!("{} calls upstream, not one", seen.len()));
    };
    let input = shapes::rpc(&format!("/{}", path_of(&call.rpc))).unwrap().input();
    let expected: Vec<_> = expected.iter().map(|text| shapes::parse(input.clone(), text)).collect();
    if call.messages == expected {
        Ok(())
    } else {
        Err(format!("does not send {:?}", texts(&expected)))
    }
}

fn path_of(rpc: &str) -> String {
    let name = shapes::full_name(rpc);
    let (service, method) = name.rsplit_once('.').unwrap();
    format!("{service}/{method}")
}
