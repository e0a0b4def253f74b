//! Calls that work, their deadlines, and callers who leave.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::Request;
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use millrace_gateway::RequestBody;
use millrace_gateway::upstream::{Settings, Table, Upstream};
use prost::Message;
use tokio::sync::{mpsc, watch};

use crate::front::{Answer, Front, serve_on_a_port, settings};
use crate::raw::{self, framed, item};
use crate::shop::{Item, Shop};

#[tokio::test]
async fn unary_calls_streams_and_errors_pass() {
    let shop = Shop::start().await;
    let front = Front::before(shop.address).await;

    let found = front.get("/v1/items/7").await;
    // No caller's deadline: the upstream is told ours.
    assert_eq!(
        (found.status, found.text()),
        (200, "{\"name\":\"items/7\",\"seq\":\"60\"}")
    );
    let missing = front.get("/v1/items/missing").await;
    assert_eq!(missing.refusal(), (404, 5));
    let stream = front.get("/v1/items:watch?after=3").await;
    assert_eq!((stream.status, stream.text().lines().count()), (200, 3));
    let none = front
        .ask(
            Request::post("/v1/items").header("content-type", "application/json"),
            "{}",
        )
        .await;
    assert_eq!(none.refusal(), (501, 12));
}

#[tokio::test]
async fn grpc_passes_through_with_its_trailers() {
    let shop = Shop::start().await;
    let front = Front::before(shop.address).await;
    let mut client = front.http2().await;

    let body = RequestBody::new(Full::new(framed(b"\x0a\x07items/7")));
    let mut request = front.grpc("GetItem", body);
    request.headers_mut().insert("grpc-timeout", "9S".parse().unwrap());
    let answer = Answer::of(client.send_request(request).await.unwrap()).await;
    let item = Item::decode(&answer.body[5..]).unwrap();
    assert_eq!(
        (item.name.as_str(), item.seq, answer.grpc_status()),
        ("items/7", 9, "0")
    );

    // A stream of the client's, message by message.
    let (send, receive) = mpsc::channel::<Bytes>(1);
    let messages = futures_util::stream::unfold(receive, |mut receive| async move {
        let message = receive.recv().await?;
        Some((Ok::<_, tonic::Status>(Frame::data(message)), receive))
    });
    let request = front.grpc("UploadItems", RequestBody::new(StreamBody::new(messages)));
    let answered = tokio::spawn(client.send_request(request));
    for _ in 0..100 {
        send.send(framed(&[0x10, 5])).await.unwrap();
    }
    drop(send);
    let answer = Answer::of(answered.await.unwrap().unwrap()).await;
    assert_eq!(Item::decode(&answer.body[5..]).unwrap().seq, 100);
}

#[tokio::test]
async fn the_server_sees_its_own_name_and_nothing_of_the_hop() {
    let (seen, mut heads) = mpsc::unbounded_channel();
    let (address, _) = raw::server(move |call| {
        seen.send((call.request.uri().clone(), call.request.headers().clone()))
            .unwrap();
        async move { raw::bytes_then_ok(call, item()) }
    })
    .await;
    let front = Front::before(address).await;
    let answer = front
        .ask(
            Request::get("/v1/items/7")
                .header("authorization", "Bearer x")
                .header("te", "gzip"),
            "",
        )
        .await;
    assert_eq!(answer.status, 200);
    let (uri, headers) = heads.recv().await.unwrap();
    assert_eq!(uri.to_string(), format!("http://{address}/test.v1.Shop/GetItem"));
    assert_eq!(
        (&headers["te"], &headers["authorization"]),
        (&"trailers".parse().unwrap(), &"Bearer x".parse().unwrap())
    );
    for absent in ["connection", "host", "content-length", "transfer-encoding"] {
        assert!(!headers.contains_key(absent), "{headers:?}");
    }
}

#[tokio::test]
async fn what_grpc_keeps_for_itself_is_not_the_callers_to_say() {
    const RESERVED: [&str; 9] = [
        "grpc-status",
        "grpc-message",
        "grpc-status-details-bin",
        "grpc-retry-pushback-ms",
        "grpc-previous-rpc-attempts",
        "grpc-trace-bin",
        "grpc-tags-bin",
        "grpc-metadata-colour",
        "grpc-of-the-future",
    ];
    let (seen, mut heads) = mpsc::unbounded_channel();
    let (address, _) = raw::server(move |call| {
        seen.send(call.request.headers().clone()).unwrap();
        async move { raw::bytes_then_ok(call, item()) }
    })
    .await;
    let front = Front::before(address).await;
    let rest = RESERVED
        .into_iter()
        .fold(Request::get("/v1/items/7"), |request, name| request.header(name, "0"));
    assert_eq!(front.ask(rest, "").await.status, 200);
    let mut client = front.http2().await;
    for content_type in ["application/grpc", "application/grpc-web+proto"] {
        let mut request = front.grpc("GetItem", RequestBody::new(Full::new(framed(b"\x0a\x07items/7"))));
        let headers = request.headers_mut();
        headers.insert("content-type", content_type.parse().unwrap());
        for name in RESERVED {
            headers.insert(name, "0".parse().unwrap());
        }
        for (name, value) in [
            ("grpc-timeout", "9S"),
            ("grpc-accept-encoding", "identity"),
            ("x-mine", "1"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let answer = Answer::of(client.send_request(request).await.unwrap()).await;
        assert_eq!(answer.status, 200);
    }
    for door in ["rest", "grpc", "grpc-web"] {
        let headers = heads.recv().await.unwrap();
        for name in RESERVED {
            assert!(!headers.contains_key(name), "{door}: {name}");
        }
        assert!(headers.contains_key("grpc-timeout"), "{door}");
        if door == "grpc" {
            assert_eq!(
                (&headers["grpc-accept-encoding"], &headers["x-mine"]),
                (&"identity".parse().unwrap(), &"1".parse().unwrap())
            );
        }
    }
}

#[tokio::test]
async fn a_query_behind_a_grpc_path_stays_here() {
    let (seen, mut uris) = mpsc::unbounded_channel();
    let (address, _) = raw::server(move |call| {
        seen.send(call.request.uri().clone()).unwrap();
        async move { raw::bytes_then_ok(call, item()) }
    })
    .await;
    let front = Front::before(address).await;
    let mut client = front.http2().await;
    for rpc in ["GetItem?/../Secret", "GetItem?", "GetItem"] {
        let body = RequestBody::new(Full::new(framed(b"\x0a\x07items/7")));
        let answer = Answer::of(client.send_request(front.grpc(rpc, body)).await.unwrap()).await;
        assert_eq!(answer.grpc_status(), "0", "{rpc}");
        let uri = uris.recv().await.unwrap();
        assert_eq!(
            uri.to_string(),
            format!("http://{address}/test.v1.Shop/GetItem"),
            "{rpc}"
        );
    }
}

#[tokio::test]
async fn a_deadline_ends_the_call_here_and_there() {
    let shop = Shop::start().await;
    let front = Front::before(shop.address).await;
    let answer = front
        .ask(Request::get("/v1/items/hang").header("grpc-timeout", "200m"), "")
        .await;
    assert_eq!(answer.refusal(), (504, 4));
    shop.seen.cancelled.notified().await;

    // Without a caller's deadline, the settings' is one.
    let front = Front::start(Settings {
        deadline: Duration::from_millis(200),
        ..settings(shop.address)
    });
    front.connected().await;
    assert_eq!(front.get("/v1/items/hang").await.refusal(), (504, 4));
    shop.seen.cancelled.notified().await;
}

#[tokio::test]
async fn a_deadline_ends_an_answer_that_stops_halfway() {
    let (reset, mut resets) = mpsc::unbounded_channel();
    let (address, _) = raw::server(move |mut call| {
        let reset = reset.clone();
        async move {
            let mut body = call.answer.send_response(raw::head(), false).unwrap();
            body.send_data(Bytes::from_static(&[0, 0, 0]), false).unwrap();
            let reason = std::future::poll_fn(|cx| body.poll_reset(cx)).await.unwrap();
            reset.send(reason).unwrap();
        }
    })
    .await;
    let front = Front::before(address).await;
    let answer = front
        .ask(Request::get("/v1/items/7").header("grpc-timeout", "200m"), "")
        .await;
    assert_eq!(answer.refusal(), (504, 4));
    assert_eq!(resets.recv().await, Some(Reason::CANCEL));
}

#[tokio::test]
async fn a_stream_ends_at_its_longest_life_and_says_that_it_can_go_on() {
    let (address, _) = raw::server(|mut call| async move {
        let mut body = call.answer.send_response(raw::head(), false).unwrap();
        body.send_data(item(), false).unwrap();
        let _ = std::future::poll_fn(|cx| body.poll_reset(cx)).await;
    })
    .await;
    let front = Front::start(Settings {
        stream_deadline: Duration::from_millis(300),
        deadline: Duration::from_millis(1),
        ..settings(address)
    });
    front.connected().await;
    let answer = front.get("/v1/items:watch").await;
    assert_eq!(answer.status, 200);
    assert!(
        answer.text().starts_with("{\"name\":\"items/7\"") && answer.text().contains("STREAM_CUT"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_caller_who_leaves_cancels_the_call() {
    let shop = Shop::start().await;
    let front = Arc::new(Front::before(shop.address).await);
    let called = front.clone();
    let call = tokio::spawn(async move { called.get("/v1/items/hang").await });
    shop.seen.hanging.notified().await;
    call.abort();
    shop.seen.cancelled.notified().await;
}

#[tokio::test]
async fn a_caller_who_leaves_an_upload_that_the_server_does_not_read_cancels_it() {
    let (event, mut events) = mpsc::unbounded_channel();
    let (address, _) = raw::server(move |mut call| {
        let event = event.clone();
        async move {
            // The head goes at once; of the request nothing is ever read.
            let mut body = call.answer.send_response(raw::head(), false).unwrap();
            event.send(None).unwrap();
            let reason = std::future::poll_fn(|cx| body.poll_reset(cx)).await.unwrap();
            event.send(Some(reason)).unwrap();
        }
    })
    .await;
    let front = Front::before(address).await;
    let (mut client, wire) = front.http2_over_a_wire().await;
    let sent = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = sent.clone();
    let chunks = futures_util::stream::repeat_with(move || {
        counted.fetch_add(64 << 10, Ordering::SeqCst);
        Ok::<_, tonic::Status>(Frame::data(Bytes::from(vec![0; 64 << 10])))
    });
    let request = front.grpc("UploadItems", RequestBody::new(StreamBody::new(chunks)));
    let response = client.send_request(request).await.unwrap();
    assert_eq!(events.recv().await, Some(None));
    // The windows on the way are full: what the server does not read, the caller cannot send.
    let mut before = usize::MAX;
    while before != sent.load(Ordering::SeqCst) {
        before = sent.load(Ordering::SeqCst);
        assert!(before < 8 << 20, "{before} bytes were taken");
        let _ = tokio::time::timeout(Duration::from_millis(300), events.recv()).await;
    }
    wire.send(()).unwrap();
    drop(response);
    assert_eq!(events.recv().await, Some(Some(Reason::CANCEL)));
}

#[tokio::test]
async fn each_call_goes_to_the_upstream_that_has_its_service() {
    let (shop, other) = (Shop::start().await, Shop::start().await);
    let (_stop, stopping) = watch::channel(false);
    let upstreams = [shop.address, other.address].map(|address| {
        let upstream = Upstream::new(settings(address)).unwrap();
        let (kept, stopping) = (upstream.clone(), stopping.clone());
        tokio::spawn(async move { kept.run(stopping).await });
        upstream
    });
    let [first, second] = upstreams;
    let table = Table::new(vec![
        (first, vec!["test.v1.Other".to_owned()]),
        (second, vec!["test.v1.Shop".to_owned()]),
    ]);
    let client = tokio::net::TcpStream::connect(serve_on_a_port(table.service()))
        .await
        .unwrap();
    let io = hyper_util::rt::TokioIo::new(client);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("/v1/items/7")
        .header("host", "localhost")
        .body(String::new())
        .unwrap();
    assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
    assert_eq!(other.seen.calls.load(Ordering::SeqCst), 1);
    assert_eq!(shop.seen.calls.load(Ordering::SeqCst), 0);
}
