//! Deadlines, caps, limits, panics.

use std::time::Duration;

use http_body_util::BodyExt;
use millrace_chassis::health::v1::health_check_response::ServingStatus;
use millrace_chassis::health::v1::{HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse};
use tokio::time::Instant;
use tonic_types::StatusExt;

use crate::support::{frame, named, options, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_ends_a_call_with_status_4() {
    let mut options = options();
    options.limits.deadline_default_ms = 300;
    let stage = start(options).await;
    let grpc = stage.grpc().await;
    // Method, grpc-timeout; then code and about how many milliseconds it took.
    type Case<'c> = (&'c str, &'c [(&'c str, &'c str)], i32, u128);
    let cases: &[Case<'_>] = &[
        ("Sleep", &[("grpc-timeout", "100m")], 4, 100),
        ("Sleep", &[], 4, 300),
        ("Sleep", &[("grpc-timeout", "2S")], 0, 500),
        ("Show", &[("grpc-timeout", "0m")], 4, 0),
        // Over a stream too, whose head was sent long before; it has no deadline of its own.
        ("Watch", &[("grpc-timeout", "400m")], 4, 400),
    ];
    for (method, headers, code, took_ms) in cases {
        let begin = Instant::now();
        let reply = grpc
            .call(&format!("/test.v1.Shop/{method}"), headers, &named("x"))
            .await;
        let took = begin.elapsed().as_millis();
        assert_eq!(reply.code(), *code, "{method} {headers:?}");
        assert!(
            (*took_ms..took_ms + 1_500).contains(&took),
            "{method} {headers:?}: {took} ms"
        );
        if *code == 4 {
            assert_eq!(reply.reason(), "DEADLINE_EXCEEDED");
        }
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn calls_above_the_cap_are_refused_and_health_is_not() {
    let mut options = options();
    options.limits.calls = 1;
    options.limits.streams = 1;
    let stage = start(options).await;
    let grpc = stage.grpc().await;
    let busy = tokio::spawn({
        let grpc = grpc.clone();
        async move { grpc.call("/test.v1.Shop/Sleep", &[], &named("x")).await.code() }
    });
    let watching = grpc.open("/test.v1.Shop/Watch", &[], frame(&named("x"))).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
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
    // A place is free again when the call has ended, and when a watcher has gone.
    assert_eq!(busy.await.unwrap(), 0);
    drop(watching);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(grpc.call("/test.v1.Shop/Show", &[], &named("x")).await.code(), 0);
    let again = grpc.open("/test.v1.Shop/Watch", &[], frame(&named("x"))).await;
    assert!(again.into_body().frame().await.unwrap().unwrap().is_data());
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
