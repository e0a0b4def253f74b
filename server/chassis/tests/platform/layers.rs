//! Deadlines, caps, limits, panics.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use millrace_chassis::health::v1::health_check_response::ServingStatus;
use millrace_chassis::health::v1::{HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse};
use tokio::net::TcpStream;
use tonic_types::StatusExt;

use crate::support::{Gate, Named, PATIENCE, Reply, exchange, frame, named, options, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_ends_a_call_with_status_4() {
    let mut options = options();
    options.limits.deadline_default_ms = 200;
    let stage = start(options).await;
    let grpc = stage.grpc().await;
    // The last is over before it begins. A stream's head was sent long before; it has no deadline of its own.
    for (method, headers) in [
        ("Hold", &[("grpc-timeout", "100m")][..]),
        ("Hold", &[]),
        ("Watch", &[("grpc-timeout", "300m")]),
        ("Show", &[("grpc-timeout", "0m")]),
    ] {
        let reply = grpc
            .call(
                &format!("/test.v1.Shop/{method}"),
                headers,
                &named("held until its deadline"),
            )
            .await;
        assert_eq!(
            (reply.code(), reply.reason().as_str()),
            (4, "DEADLINE_EXCEEDED"),
            "{method} {headers:?}"
        );
    }
    // One that asks for more than the default has it.
    let path = "/test.v1.Shop/Hold";
    let timeout = [("grpc-timeout", "30S")];
    let message = named("held beyond the default");
    let long = grpc.call(path, &timeout, &message);
    let gate = Gate::of("held beyond the default");
    let release = async {
        gate.entered().await;
        // A call with the default ends in between.
        assert_eq!(grpc.call(path, &[], &named("held until its deadline")).await.code(), 4);
        gate.release();
    };
    assert_eq!(tokio::join!(long, release).0.code(), 0);
    for malformed in ["abc", "", "10", "10s", "123456789S", "-1S"] {
        let reply = grpc
            .call("/test.v1.Shop/Show", &[("grpc-timeout", malformed)], &named("x"))
            .await;
        assert_eq!(
            (reply.code(), reply.reason().as_str()),
            (3, "INVALID_FIELD"),
            "{malformed:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_internal_and_costs_one_call() {
    let stage = start(options()).await;
    let grpc = stage.grpc().await;
    for _ in 0..3 {
        let reply = grpc.call("/test.v1.Shop/Panic", &[], &named("x")).await;
        assert_eq!((reply.code(), reply.reason().as_str()), (13, "INTERNAL"));
        assert!(
            !reply.status.message().contains("as asked"),
            "the text of a panic stays inside"
        );
    }
    assert_eq!(grpc.call("/test.v1.Shop/Show", &[], &named("x")).await.code(), 0);
}

// On one thread, whose log it is.
#[tokio::test]
async fn a_panic_is_logged_once_and_ends_a_stream_as_internal() {
    let lines = Lines::default();
    let to = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_writer(move || to.clone());
    // While there is only one subscriber, tracing asks that of whichever thread comes first to a place, and other tests
    // have none.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let logging = tracing::subscriber::set_default(subscriber.finish());
    millrace_gateway::panics::log();
    let stage = start(options()).await;
    let grpc = stage.grpc().await;
    let cases = [
        ("Panic", "panics-unary", "as asked"),
        ("WatchPanic", "panics-in-a-stream", "as asked, in a stream"),
    ];
    let mut replies = Vec::new();
    for (method, id, _) in cases {
        let path = format!("/test.v1.Shop/{method}");
        replies.push(grpc.call(&path, &[("x-request-id", id)], &named("x")).await);
    }
    // From here on a panic is this test's.
    drop(logging);
    for ((_, id, text), reply) in cases.into_iter().zip(replies) {
        assert_eq!((reply.code(), reply.reason().as_str()), (13, "INTERNAL"));
        assert!(!reply.status.message().contains("as asked"));
        let of_call = lines.of(id);
        let errors: Vec<_> = of_call.iter().filter(|line| line["level"] == "ERROR").collect();
        let [error] = errors[..] else { panic!("{of_call:#?}") };
        assert_eq!(error["panic"], text, "{error}");
        assert!(error["location"].as_str().unwrap().contains("support.rs:"), "{error}");
    }
}

/// Log lines, as JSON.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// The lines that name a request.
    fn of(&self, id: &str) -> Vec<serde_json::Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().filter(|line| line.contains(id));
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// The body of a request whose message never comes, or of one that is whole.
type MaybeSilent = Either<StreamBody<stream::Pending<Result<Frame<Bytes>, std::convert::Infallible>>>, Full<Bytes>>;

// One thread: tasks begin in the order in which they are made.
#[tokio::test]
async fn a_call_without_its_message_keeps_nobody_out() {
    let mut options = options();
    options.limits.calls = 1;
    let stage = start(options).await;
    let grpc = stage.grpc().await;
    let socket = TcpStream::connect(stage.address).await.unwrap();
    let (mut sender, connection) = http2::handshake::<_, _, MaybeSilent>(TokioExecutor::new(), TokioIo::new(socket))
        .await
        .unwrap();
    tokio::spawn(connection);
    let post = |path: &str| {
        Request::post(format!("http://{}{path}", stage.address))
            .header("content-type", "application/grpc")
            .header("grpc-timeout", "60S")
    };
    let silence = MaybeSilent::Left(StreamBody::new(stream::pending()));
    let silent = sender.send_request(post("/test.v1.Shop/Show").body(silence).unwrap());
    // Comes after it on the same connection, and needs no place: once it is answered, the silent call has the only one.
    let check = MaybeSilent::Right(Full::new(frame(&HealthCheckRequest::default())));
    let check = sender.send_request(post("/grpc.health.v1.Health/Check").body(check).unwrap());
    assert_eq!(check.await.unwrap().status(), 200);
    assert_eq!(grpc.call("/test.v1.Shop/Show", &[], &named("x")).await.code(), 0);
    let refused = tokio::time::timeout(PATIENCE, silent)
        .await
        .expect("it gives way")
        .unwrap();
    assert_eq!(refused.headers()["grpc-status"], "14");
    assert_eq!(grpc.call("/test.v1.Shop/Show", &[], &named("x")).await.code(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_message_is_the_callers_mistake_under_every_policy() {
    let stage = start(options()).await;
    let grpc = stage.grpc().await;
    let show = frame(&named("x"));
    for body in [Bytes::new(), Bytes::from_static(&[0, 0]), show.slice(..show.len() - 1)] {
        let reply = grpc.send("/test.v1.Shop/Show", &[], body).await;
        assert_eq!((reply.code(), reply.reason().as_str()), (3, "INVALID_FIELD"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_the_one_message_is_the_callers_mistake_on_every_door() {
    let stage = start(options()).await;
    let grpc = stage.grpc().await;
    let one = frame(&HealthCheckRequest::default());
    let tails: [&[u8]; 4] = [b"\x09", &[0, 0, 0, 0, 9], &[0x80, 0, 0, 0, 0], &one];
    for path in [
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Watch",
        "/test.v1.Shop/Show",
    ] {
        for tail in tails {
            let body = [&one, tail].concat();
            let reply = grpc.send(path, &[], body.clone().into()).await;
            assert_eq!(
                (reply.code(), reply.reason().as_str()),
                (3, "INVALID_FIELD"),
                "{path} {tail:?}"
            );
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/grpc-web\r\n\
                 connection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let text = exchange(stage.address, &[head.as_bytes(), &body].concat()).await;
            assert!(text.contains("grpc-status: 3\r\n"), "{path} {tail:?}\n{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_above_the_cap_are_refused_and_health_is_not() {
    let mut options = options();
    options.limits.calls = 1;
    options.limits.streams = 1;
    let stage = start(options).await;
    let grpc = stage.grpc().await;
    let gate = Gate::of("at the cap");
    let busy = tokio::spawn({
        let grpc = grpc.clone();
        async move { grpc.call("/test.v1.Shop/Hold", &[], &named("at the cap")).await.code() }
    });
    gate.entered().await;
    let watching = grpc.open("/test.v1.Shop/Watch", &[], frame(&named("x"))).await;
    for method in ["Show", "Watch"] {
        let refused = grpc.call(&format!("/test.v1.Shop/{method}"), &[], &named("x")).await;
        assert_eq!(
            (refused.code(), refused.reason().as_str()),
            (14, "OVERLOADED"),
            "{method}"
        );
        let delay = refused.status.get_error_details().retry_info().unwrap().retry_delay;
        assert_eq!(delay, Some(Duration::from_secs(1)));
    }
    let health = grpc
        .call("/grpc.health.v1.Health/Check", &[], &HealthCheckRequest::default())
        .await;
    assert_eq!(health.message::<HealthCheckResponse>().status(), ServingStatus::Serving);
    // A place is free again when the call has ended, and when a watcher has gone: the server hears of that in its time.
    gate.release();
    assert_eq!(busy.await.unwrap(), 0);
    assert_eq!(grpc.call("/test.v1.Shop/Show", &[], &named("x")).await.code(), 0);
    drop(watching);
    let again = async {
        loop {
            let mut body = grpc
                .open("/test.v1.Shop/Watch", &[], frame(&named("x")))
                .await
                .into_body();
            if body.frame().await.is_some_and(|frame| frame.unwrap().is_data()) {
                return;
            }
        }
    };
    assert!(tokio::time::timeout(PATIENCE, again).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_without_a_key_leave_room_for_those_with_one() {
    let mut options = options();
    options.limits.streams = 32;
    let stage = start(options).await;
    let grpc = stage.grpc().await;
    let health = "/grpc.health.v1.Health/Watch";
    let ask = HealthCheckRequest::default();
    let mut watching = Vec::new();
    // A quarter is for strangers, a quarter of that for each address; a stream in the name of nobody is one too.
    for method in [health, "/test.v1.Shop/Watch"] {
        let mut opened = grpc.open(method, &[], frame(&ask)).await;
        assert!(opened.body_mut().frame().await.unwrap().unwrap().is_data(), "{method}");
        watching.push(opened);
    }
    for method in [health, "/test.v1.Shop/Watch"] {
        let refused = stage.grpc().await.call(method, &[], &ask).await;
        assert_eq!(
            (refused.code(), refused.reason().as_str()),
            (8, "OVERLOADED"),
            "{method}"
        );
        assert!(refused.status.message().contains("send a key"), "{:?}", refused.status);
    }
    // Whoever has a key has the rest, a refused stream keeps no place, and short calls are not meant.
    let alice = [("x-api-key", "mr_alice")];
    for _ in 0..30 {
        let mut opened = grpc.open("/test.v1.Shop/Watch", &alice, frame(&named("x"))).await;
        assert!(opened.body_mut().frame().await.unwrap().unwrap().is_data());
        watching.push(opened);
    }
    let full = grpc.call("/test.v1.Shop/Watch", &alice, &named("x")).await;
    assert_eq!(full.code(), 14);
    assert_eq!(grpc.call("/test.v1.Shop/Show", &[], &named("x")).await.code(), 0);
    // A stranger's place is free when the stream has ended.
    watching.clear();
    let again = async {
        loop {
            let mut opened = grpc.open(health, &[], frame(&ask)).await;
            if opened
                .body_mut()
                .frame()
                .await
                .is_some_and(|frame| frame.unwrap().is_data())
            {
                return;
            }
        }
    };
    assert!(tokio::time::timeout(PATIENCE, again).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_reads_takes_no_place() {
    let mut options = options();
    options.limits.calls = 1;
    let stage = start(options).await;
    let (slow, other) = (stage.grpc().await, stage.grpc().await);
    // Larger than the window of the client, which does not read.
    let large = named(&"x".repeat(3 << 20));
    let unread = slow.open("/test.v1.Shop/Show", &[], frame(&large)).await;
    for _ in 0..3 {
        assert_eq!(other.call("/test.v1.Shop/Show", &[], &named("x")).await.code(), 0);
    }
    let read = unread.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(read, frame(&large));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_on_behalf_of_another_is_part_of_it() {
    let mut options = options();
    options.limits.calls = 1;
    options.limits.streams = 1;
    let stage = start(options).await;
    let grpc = stage.grpc().await;
    let gate = Gate::of("relayed");
    assert!(gate.channel.set(stage.running.channel()).is_ok());
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let headers = [("x-request-id", "r-7"), ("traceparent", trace), ("grpc-timeout", "20S")];
    let check = |reply: &Reply| {
        assert_eq!(reply.code(), 0);
        let seen = reply.message::<Named>().name;
        let rest = seen.strip_prefix(&format!("r-7 {trace} ")).expect(&seen);
        let left: u64 = rest.strip_suffix('u').expect(&seen).parse().unwrap();
        assert!(left <= 20_000_000, "{seen}");
    };
    // Its own place is the only one.
    check(&grpc.call("/test.v1.Shop/Relay", &headers, &named("relayed")).await);
    // A stream has a place among the streams; the one among the calls is taken.
    let (timeout, message) = ([("grpc-timeout", "30S")], named("relayed"));
    let busy = grpc.call("/test.v1.Shop/Hold", &timeout, &message);
    let relays = async {
        gate.entered().await;
        check(&grpc.call("/test.v1.Shop/WatchRelay", &headers, &named("relayed")).await);
        gate.release();
    };
    assert_eq!(tokio::join!(busy, relays).0.code(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_above_the_limit_are_exhausted() {
    let mut options = options();
    options.limits.message_bytes = 1_000;
    let stage = start(options).await;
    let grpc = stage.grpc().await;
    let alice = [("x-api-key", "mr_alice")];
    for (method, length, code) in [("Show", 990, 0), ("Show", 1_001, 8), ("Get", 1_001, 8)] {
        let reply = grpc
            .call(&format!("/test.v1.Shop/{method}"), &alice, &named(&"x".repeat(length)))
            .await;
        assert_eq!(reply.code(), code, "{method} {length}");
        if code == 8 {
            assert_eq!(reply.reason(), "TOO_LARGE");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_checks_which_no_cap_bounds_are_small() {
    let stage = start(options()).await;
    let grpc = stage.grpc().await;
    for method in ["Check", "List"] {
        for (bytes, is_refused) in [(900, false), (1_100, true)] {
            let ask = HealthCheckRequest {
                service: "x".repeat(bytes),
            };
            let reply = grpc.call(&format!("/grpc.health.v1.Health/{method}"), &[], &ask).await;
            let (code, reason) = (reply.code(), reply.reason());
            assert_eq!(
                (code, reason.as_str()) == (8, "TOO_LARGE"),
                is_refused,
                "{method} {bytes}: {code} {reason}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_decoded_is_the_callers_mistake() {
    let stage = start(options()).await;
    let grpc = stage.grpc().await;
    let groups_without_end = [0x0B; 200];
    let body = [&[0, 0, 0, 0, 200][..], &groups_without_end].concat();
    let reply = grpc.send("/grpc.health.v1.Health/Check", &[], body.into()).await;
    assert_eq!(
        (reply.code(), reply.reason().as_str()),
        (3, "INVALID_FIELD"),
        "{:?}",
        reply.status
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn health_speaks_for_every_service() {
    let stage = start(options()).await;
    let grpc = stage.grpc().await;
    let ask = |service: &str| HealthCheckRequest {
        service: service.to_owned(),
    };
    for service in ["", "test.v1.Shop"] {
        let reply = grpc.call("/grpc.health.v1.Health/Check", &[], &ask(service)).await;
        assert_eq!(
            reply.message::<HealthCheckResponse>().status(),
            ServingStatus::Serving,
            "{service}"
        );
    }
    let unknown = grpc.call("/grpc.health.v1.Health/Check", &[], &ask("nope")).await;
    assert_eq!((unknown.code(), unknown.reason().as_str()), (5, "NOT_FOUND"));
    let listed = grpc
        .call("/grpc.health.v1.Health/List", &[], &HealthListRequest {})
        .await;
    let mut names: Vec<_> = listed.message::<HealthListResponse>().statuses.into_keys().collect();
    names.sort();
    assert_eq!(names, ["", "test.v1.Shop"]);
}
