//! REST, options that hold for some routes only.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use millrace_transcode::{Options, RouteOptions};

use crate::support::{Stage, builder, item, messages};

fn stage(selector: &str, options: RouteOptions, rpc_paths: bool) -> Stage {
    let overrides = vec![(selector.to_owned(), options)];
    let gateway = builder()
        .options(Options {
            overrides,
            rpc_paths,
            ..Options::default()
        })
        .build()
        .unwrap();
    let item = item("items/7", 3);
    Stage::of(&gateway, |_| {}, move |_| messages(std::slice::from_ref(&item)))
}

#[tokio::test]
async fn a_route_has_its_own_limits_and_success_code() {
    let options = RouteOptions {
        success_code: Some(202),
        body_bytes_max: Some(30),
        deadline_max: Some(Duration::from_secs(3)),
        json_proto_names: Some(true),
        ..RouteOptions::default()
    };
    let stage = stage("test.v1.Shop.CreateItem", options, false);
    let post = || Request::post("/v1/items").header("content-type", "application/json");
    assert_eq!(stage.ask(post(), r#"{"name":"items/7"}"#).await.status, 202);
    let asking = post().header("request-timeout", "60");
    assert_eq!(stage.ask(asking, "{}").await.status, 202);
    let shorter = post().header("request-timeout", "1");
    assert_eq!(stage.ask(shorter, "{}").await.status, 202);
    let large = format!(r#"{{"name":"{}"}}"#, "x".repeat(30));
    let refusal = stage.ask(post(), large.clone()).await;
    assert_eq!((refusal.status, refusal.json()["code"].clone()), (413, 8.into()));
    // Other routes are as they were.
    let other = stage.get("/v1/items/7").await;
    assert_eq!(other.status, 200);
    let calls = stage.seen();
    let timeouts: Vec<_> = calls.iter().map(|call| call.headers.get("grpc-timeout")).collect();
    let seconds = |at: usize| {
        let text = timeouts[at].unwrap().to_str().unwrap();
        let micros: u64 = text.strip_suffix('u').unwrap().parse().unwrap();
        micros.div_ceil(1_000_000)
    };
    assert_eq!([seconds(0), seconds(1), seconds(2)], [3, 3, 1]);
    assert!(timeouts[3].is_none());
}

#[tokio::test]
async fn an_rpc_without_a_rule_is_served_by_its_name() {
    let strict = Stage::new(|_| messages(&[Bytes::new()]));
    let post = || Request::post("/test.v1.Shop/Hidden").header("content-type", "application/json");
    assert_eq!(strict.ask(post(), "{}").await.status, 404);
    let open = stage("*", RouteOptions::default(), true);
    let answer = open.ask(post(), r#"{"name":"items/7"}"#).await;
    assert_eq!((answer.status, answer.json()["name"].clone()), (200, "items/7".into()));
    let [call] = &open.seen()[..] else { panic!() };
    assert_eq!(call.path, "/test.v1.Shop/Hidden");
}
