//! One log line and one measurement for each call, whenever it ends.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Once};

use http::{Request, Version};
use http_body_util::BodyExt;
use millrace_gateway::edge::CallRecord;
use tonic::{Code, Status};
use tracing::field::{Field, Visit};
use tracing::span;

use crate::support::{Ending, GET, Scripted, Stage, error, framed, grpc, item, messages};

type Line = BTreeMap<String, String>;

thread_local! {
    /// Lines of the target `millrace::call`. A test runs on a thread of its own.
    static LINES: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

/// Keeps lines in `LINES`.
struct Recorder;

/// Starts to keep lines, in the whole program: a subscriber for one test could come while another test's thread
/// decides, for good, that nobody wants a line.
pub(crate) fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| tracing::subscriber::set_global_default(Recorder).unwrap());
}

/// Returns the lines since the last call.
fn take() -> Vec<Line> {
    LINES.take()
}

struct Fields<'l>(&'l mut Line);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl tracing::Subscriber for Recorder {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "millrace::call"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line::new();
        event.record(&mut Fields(&mut line));
        LINES.with_borrow_mut(|lines| lines.push(line));
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

fn count(stage: &Stage, labels: &str) -> bool {
    stage
        .metrics()
        .contains(&format!("rpc_server_call_duration_seconds_count{{{labels}}} 1\n"))
}

#[tokio::test]
async fn a_line_says_everything_about_a_call() {
    let stage = Stage::new(|call| {
        call.extensions.get::<Arc<CallRecord>>().unwrap().set_shard(3);
        messages(&[item("items/7", 0)])
    });
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = Request::get("/v1/items/7?secret=1")
        .header("x-request-id", "r-1")
        .header("traceparent", trace);
    assert_eq!(stage.ask(request, "").await.status, 400);
    let refused = &take()[0];
    assert!(!format!("{refused:?}").contains("secret"), "queries are not logged");
    stage
        .ask(
            Request::get("/v1/items/7")
                .header("x-request-id", "r-1")
                .header("traceparent", trace),
            "",
        )
        .await;
    let [line] = &take()[..] else { panic!() };
    let expected = [
        ("door", "rest"),
        ("rpc.method", GET),
        ("rpc.code", "OK"),
        ("http.status", "200"),
        ("http.method", "GET"),
        ("http.path", "/v1/items/7"),
        ("request_id", "r-1"),
        ("trace_id", "0af7651916cd43dd8448eb211c80319c"),
        ("shard", "3"),
    ];
    for (field, value) in expected {
        assert_eq!(line.get(field).map(String::as_str), Some(value), "{field}: {line:?}");
    }
    assert!(line["ms"].parse::<f64>().unwrap() >= 0.0);
    assert!(!line.contains_key("user"), "what is not known is left out");
}

#[tokio::test]
async fn a_call_is_logged_and_counted_once_when_its_body_ends() {
    let stage = Stage::new(|_| {
        grpc(tonic::body::Body::new(Scripted::new(
            &[item("a", 1), item("b", 2)],
            Ending::Status(Status::new(Code::Aborted, "")),
        )))
    });
    let call = Request::post("/test.v1.Shop/WatchItems")
        .version(Version::HTTP_2)
        .header("content-type", "application/grpc");
    let mut response = stage.send(call, framed(b"")).await;
    let labels = r#"rpc_method="test.v1.Shop/WatchItems",rpc_status_code="ABORTED",door="grpc""#;
    assert!(take().is_empty(), "the call still runs");
    assert!(!count(&stage, labels));
    while response.body_mut().frame().await.is_some() {}
    let after = take();
    assert_eq!(after.len(), 1);
    assert_eq!((&*after[0]["rpc.code"], &*after[0]["http.status"]), ("ABORTED", "200"));
    drop(response);
    assert!(take().is_empty(), "once");
    assert!(count(&stage, labels), "{}", stage.metrics());
}

#[tokio::test]
async fn a_body_that_is_dropped_early_counts_as_cancelled() {
    let stage = Stage::new(|_| grpc(tonic::body::Body::new(Scripted::new(&[item("a", 1)], Ending::Never))));
    let grpc = Request::post("/test.v1.Shop/WatchItems")
        .version(Version::HTTP_2)
        .header("content-type", "application/grpc");
    let web = Request::post("/test.v1.Shop/WatchItems").header("content-type", "application/grpc-web");
    for (request, door) in [
        (grpc, "grpc"),
        (web, "grpc-web"),
        (Request::get("/v1/items:watch"), "rest"),
    ] {
        let body = if door == "rest" {
            bytes::Bytes::new()
        } else {
            framed(b"")
        };
        let mut response = stage.send(request, body).await;
        response.body_mut().frame().await.unwrap().unwrap();
        assert!(take().is_empty());
        drop(response);
        let after = take();
        assert_eq!(after.len(), 1, "{door}");
        assert_eq!((&*after[0]["rpc.code"], &*after[0]["door"]), ("CANCELLED", door));
        let labels = format!(r#"rpc_method="test.v1.Shop/WatchItems",rpc_status_code="CANCELLED",door="{door}""#);
        assert!(count(&stage, &labels), "{}", stage.metrics());
    }
}

#[tokio::test]
async fn a_caller_who_goes_before_the_answer_counts_as_cancelled() {
    let stage = Stage::new(|_| grpc(tonic::body::Body::new(Scripted::new(&[], Ending::Never))));
    let waiting = stage.send(Request::get("/v1/items/7"), "");
    assert!(
        tokio::time::timeout(std::time::Duration::from_millis(1), waiting)
            .await
            .is_err()
    );
    let after = take();
    assert_eq!(after.len(), 1);
    assert_eq!(
        (&*after[0]["rpc.code"], &*after[0]["http.status"]),
        ("CANCELLED", "499")
    );
    assert!(count(
        &stage,
        &format!(r#"rpc_method="{GET}",rpc_status_code="CANCELLED",door="rest""#)
    ));
}

#[tokio::test]
async fn refusals_and_errors_have_a_line_too() {
    let stage = Stage::new(|_| error(&Status::new(Code::NotFound, "")));
    let table = [
        (Request::get("/nothing"), "_OTHER", "NOT_FOUND", "404"),
        (Request::get("/v1/items/7"), GET, "NOT_FOUND", "404"),
        (Request::get("/v1/items/7?x=1"), GET, "INVALID_ARGUMENT", "400"),
        (Request::patch("/v1/items/7"), "_OTHER", "UNIMPLEMENTED", "405"),
    ];
    for (request, method, code, status) in table {
        stage.ask(request, "").await;
        let line = &take()[0];
        assert_eq!(
            (&*line["rpc.method"], &*line["rpc.code"], &*line["http.status"]),
            (method, code, status)
        );
    }
}
