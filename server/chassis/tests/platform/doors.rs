//! The one port: what follows from mounting a module at every door, and the built-in paths.

use bytes::Bytes;
use std::sync::Arc;

use crate::support::{exchange, http, options, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_module_is_served_over_rest() {
    let stage = start(options()).await;
    let alice = "x-api-key: mr_alice";
    // Head of the request; then the status line and a part of the body.
    let cases = [
        (
            format!("GET /v1/users/me HTTP/1.1\r\n{alice}"),
            "200 ",
            "\"name\":\"users/7\"",
        ),
        (format!("GET /v1/users/8 HTTP/1.1\r\n{alice}"), "404 ", "NOT_FOUND"),
        ("GET /v1/users/7 HTTP/1.1".to_owned(), "401 ", "UNAUTHENTICATED"),
        ("GET /v1/things/1 HTTP/1.1".to_owned(), "200 ", "\"name\":\"things/1\""),
        ("GET /v1/nope HTTP/1.1".to_owned(), "404 ", "\"code\":5"),
        ("DELETE /v1/things/1 HTTP/1.1".to_owned(), "405 ", "\"code\":12"),
        ("GET /v1/things/1?what=1 HTTP/1.1".to_owned(), "400 ", "\"code\":3"),
        // An RPC without an annotation is not REST.
        (
            format!("POST /test.v1.Shop/Count HTTP/1.1\r\n{alice}\r\ncontent-length: 0"),
            "404 ",
            "\"code\":5",
        ),
    ];
    for (request, status, part) in cases {
        let text = stage.http(&request).await;
        let body = text.replace(": ", ":");
        assert!(
            text.starts_with(&format!("HTTP/1.1 {status}")) && body.contains(part),
            "{request}\n{text}"
        );
        assert!(text.contains("x-request-id: "), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_under_me_may_be_sent_back_under_it() {
    let stage = start(options()).await;
    // Key, path and name in the body; then the status line and a part of the answer.
    let cases = [
        ("mr_alice", "users/me", "users/7", "200 ", "\"name\":\"users/7\""),
        ("mr_alice", "users/me", "users/me", "200 ", "\"name\":\"users/7\""),
        ("mr_alice", "users/7", "users/7", "200 ", "\"name\":\"users/7\""),
        ("mr_admin", "users/me", "users/9", "200 ", "\"name\":\"users/9\""),
        ("mr_alice", "users/me", "users/8", "400 ", "person.name: contradicts"),
        ("mr_alice", "users/7", "users/8", "400 ", "person.name: contradicts"),
        // It is the path that is asked for, by whoever the caller is found to be.
        ("mr_alice", "users/8", "users/8", "404 ", "NOT_FOUND"),
        ("mr_bob", "users/me", "users/7", "400 ", "person.name: contradicts"),
        // What a key says of itself gives no right.
        ("mr_alice_revoked", "users/me", "users/7", "401 ", "UNAUTHENTICATED"),
        (
            "mr_alice\r\nx-api-key: mr_bob",
            "users/me",
            "users/7",
            "400 ",
            "contradicts",
        ),
    ];
    for (key, path, name, status, part) in cases {
        let body = format!("{{\"name\":\"{name}\"}}");
        let request = format!(
            "PATCH /v1/{path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-api-key: {key}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let text = exchange(stage.address, request.as_bytes()).await;
        let answer = text.replace(": ", ":");
        assert!(
            text.starts_with(&format!("HTTP/1.1 {status}")) && (answer.contains(part) || text.contains(part)),
            "{key} {path} {name}\n{text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_comes_too_slowly_is_refused() {
    let mut slow = options();
    slow.limits.body_ms = 200;
    let stage = start(slow).await;
    let head = "POST /v1/things HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: ";
    let text = stage.http(&format!("{head}99")).await;
    assert!(
        text.starts_with("HTTP/1.1 408") && text.contains("DEADLINE_EXCEEDED") && text.contains("connection: close"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn built_in_paths_are_answered() {
    let mut with_pages = options();
    with_pages.pages = Some(Arc::new(|request| {
        (request.uri.path() == "/").then(|| http::Response::new(Bytes::from_static(b"<h1>the site</h1>")))
    }));
    let (plain, site) = (start(options()).await, start(with_pages).await);
    let cases = [
        (&plain, "/health", "200 OK", "{\"status\":\"alive\"}"),
        (&plain, "/readiness", "200 OK", "{\"status\":\"ready\"}"),
        (&plain, "/openapi.json", "200 OK", "\"openapi\": \"3.1.0\""),
        (&plain, "/", "200 OK", "Millrace"),
        (&site, "/", "200 OK", "<h1>the site</h1>"),
        (&site, "/other", "404 Not Found", "\"code\""),
        (&plain, "/metrics", "404 Not Found", "\"code\""),
    ];
    for (stage, path, status, part) in cases {
        let text = stage.http(&format!("GET {path} HTTP/1.1")).await;
        assert!(
            text.starts_with(&format!("HTTP/1.1 {status}")) && text.contains(part),
            "{path}\n{text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_answers_loopback_names_and_origins_only() {
    let mut dev = options();
    dev.loopback_only = true;
    let stage = start(dev).await;
    let ask = async |head: &str| {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut socket = tokio::net::TcpStream::connect(stage.address).await.unwrap();
        socket
            .write_all(format!("{head}\r\nconnection: close\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).await.unwrap();
        text
    };
    let show = "GET /v1/things/1 HTTP/1.1\r\nhost: ";
    assert!(ask(&format!("{show}localhost:8080")).await.starts_with("HTTP/1.1 200"));
    let rebound = ask(&format!("{show}localhost.evil.example")).await;
    assert!(
        rebound.starts_with("HTTP/1.1 421") && rebound.contains("HOST_NOT_ALLOWED"),
        "{rebound}"
    );
    let from = async |origin: &str| ask(&format!("{show}localhost\r\norigin: {origin}")).await;
    let allowed = "access-control-allow-origin: http://localhost:5173";
    assert!(from("http://localhost:5173").await.contains(allowed));
    assert!(
        !from("http://evil.example")
            .await
            .contains("access-control-allow-origin")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_counted_on_the_admin_listener() {
    let mut with_admin = options();
    with_admin.server.admin_listen = Some("127.0.0.1:0".parse().unwrap());
    let stage = start(with_admin).await;
    stage.http("GET /v1/things/1 HTTP/1.1").await;
    let admin = stage.running.admin_addr.unwrap();
    let metrics = http(admin, "GET /metrics HTTP/1.1").await;
    let line = metrics
        .lines()
        .find(|line| line.starts_with("rpc_server_call_duration_seconds_count") && line.contains("test.v1.Shop/Show"))
        .unwrap_or_else(|| panic!("no line for the call:\n{metrics}"));
    assert!(line.contains("OK") && line.ends_with(" 1"), "{line}");
    assert!(http(admin, "GET /readiness HTTP/1.1").await.contains("ready"));
    stage.running.shutdown();
    stage.running.wait().await;
    assert!(
        tokio::net::TcpStream::connect(admin).await.is_err(),
        "the admin listener ends with the platform"
    );
}
