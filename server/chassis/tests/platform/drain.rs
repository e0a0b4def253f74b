//! The end of a platform, in order and in time, whatever the peers do.

use http_body_util::BodyExt;
use millrace_chassis::health::v1::HealthCheckRequest;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tonic::Status;

use crate::support::{Gate, PATIENCE, PROTO, Stage, frame, http as get, named, options, shop, start, start_in};

#[tokio::test(flavor = "multi_thread")]
async fn calls_finish_streams_end_and_the_port_closes() {
    let mut with_admin = options();
    with_admin.server.admin_listen = Some("127.0.0.1:0".parse().unwrap());
    let stage = start(with_admin).await;
    let (address, admin) = (stage.address, stage.running.admin_addr.unwrap());
    let mut idle = TcpStream::connect(address).await.unwrap();
    let grpc = stage.grpc().await;
    let mut watch = grpc
        .open("/test.v1.Shop/Watch", &[], frame(&named("x")))
        .await
        .into_body();
    let mut health = grpc
        .open(
            "/grpc.health.v1.Health/Watch",
            &[],
            frame(&HealthCheckRequest::default()),
        )
        .await;
    for body in [&mut watch, health.body_mut()] {
        assert!(body.frame().await.unwrap().unwrap().is_data());
    }
    let gate = Gate::of("held in a drain");
    let call = tokio::spawn({
        let grpc = grpc.clone();
        async move { grpc.call("/test.v1.Shop/Hold", &[], &named("held in a drain")).await }
    });
    gate.entered().await;

    stage.running.shutdown();
    assert_eq!(
        idle.read(&mut [0]).await.unwrap(),
        0,
        "a socket without a request is closed"
    );
    assert!(get(admin, "GET /readiness HTTP/1.1").await.contains("draining"));
    assert!(
        get(admin, "GET /health HTTP/1.1").await.contains("alive"),
        "a drain is no reason to be killed"
    );
    assert!(TcpStream::connect(address).await.is_err(), "no new connections");

    // The health watch learns of it before it ends: NOT_SERVING is field 1 with value 2.
    let told = health.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(told.as_ref(), [0, 0, 0, 0, 2, 8, 2]);
    for body in [&mut watch, health.body_mut()] {
        let trailers = body.frame().await.unwrap().unwrap().into_trailers().unwrap();
        let status = Status::from_header_map(&trailers).unwrap();
        assert_eq!(status.code(), tonic::Code::Unavailable, "{status:?}");
        assert!(
            tonic_types::StatusExt::get_error_details(&status)
                .retry_info()
                .is_some()
        );
    }
    gate.release();
    assert_eq!(call.await.unwrap().code(), 0, "a call in progress finishes");
    drop(grpc);
    stage.running.wait().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_is_over_in_its_time_even_if_a_call_hangs() {
    let mut short = options();
    short.limits.drain_ms = 400;
    let stage = start(short).await;
    let grpc = stage.grpc().await;
    let gate = Gate::of("hangs in a drain");
    let timeout = [("grpc-timeout", "60S")];
    let hangs = tokio::spawn(async move {
        grpc.call("/test.v1.Shop/Hold", &timeout, &named("hangs in a drain"))
            .await
    });
    gate.entered().await;
    stage.running.shutdown();
    // Long before the call's own deadline.
    assert!(tokio::time::timeout(PATIENCE, stage.running.wait()).await.is_ok());
    hangs.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_that_has_ended_lets_go_of_its_files() {
    let Stage { running, files, .. } = start(options()).await;
    let channel = running.channel();
    running.shutdown();
    running.wait().await;
    let request = http::Request::new(tonic::body::Body::empty());
    let late = tower::ServiceExt::oneshot(channel, request).await.unwrap();
    assert_eq!(late.headers()["grpc-status"], "14");
    // The folder is locked while a platform has it, so this would fail.
    let again = start_in(files, options(), [shop(PROTO)]).await.unwrap();
    assert_eq!(
        again
            .grpc()
            .await
            .call("/test.v1.Shop/Show", &[], &named("x"))
            .await
            .code(),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_that_is_dropped_drains() {
    let stage = start(options()).await;
    let address = stage.address;
    drop(stage);
    let gone = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, gone).await.is_ok());
}
