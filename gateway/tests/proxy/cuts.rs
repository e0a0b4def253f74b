//! Streams and calls that are open when the gateway will not wait for them any longer: each ends in its own words, and
//! never looks complete.

use std::sync::Arc;

use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use millrace_gateway::RequestBody;
use tokio::sync::Notify;

use crate::front::{Answer, Front};
use crate::raw::{self, framed, item};

/// Before a server whose streams stop after an item, and whose calls with one answer wait. What calls wait for, and
/// what tells that one has come.
async fn front() -> (Arc<Front>, Arc<Notify>, Arc<Notify>) {
    let (go, came) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (waits, told) = (go.clone(), came.clone());
    let (address, _) = raw::server(move |mut call| {
        let (go, came) = (waits.clone(), told.clone());
        async move {
            match call.request.uri().path() {
                "/test.v1.Shop/WatchItems" => {
                    let mut body = call.answer.send_response(raw::head(), false).unwrap();
                    body.send_data(item(), false).unwrap();
                    let _ = std::future::poll_fn(|cx| body.poll_reset(cx)).await;
                }
                // Not even a head.
                "/test.v1.Shop/TailItems" => {
                    came.notify_one();
                    let _ = std::future::poll_fn(|cx| call.answer.poll_reset(cx)).await;
                }
                _ => {
                    came.notify_one();
                    go.notified().await;
                    raw::bytes_then_ok(call, item());
                }
            }
        }
    })
    .await;
    (Arc::new(Front::before(address).await), go, came)
}

/// Reads the first part of a stream, and what comes when it is cut.
async fn cut(front: &Front, mut response: http::Response<Incoming>) -> (String, Answer) {
    let first = response.body_mut().frame().await.unwrap().unwrap();
    let first = first.into_data().unwrap();
    front.upstream.cut_streams();
    let rest = Answer::of(response).await;
    (String::from_utf8_lossy(&first).into_owned(), rest)
}

#[tokio::test]
async fn each_form_of_a_stream_says_that_it_was_cut() {
    const ITEM: &str = "{\"name\":\"items/7\",\"seq\":\"0\"}";
    for accept in ["text/event-stream", "application/x-ndjson", "application/json"] {
        let (front, ..) = front().await;
        let request = Request::get("/v1/items:watch").header("accept", accept);
        let (first, rest) = cut(&front, front.open(request, "").await).await;
        assert!(first.contains(ITEM), "{first}");
        match accept {
            // A browser comes back, and goes on after the last message: the error has no id, and is no end for good.
            "text/event-stream" => {
                let said = rest.text();
                assert!(said.starts_with("event: error\ndata: {\"code\":14,"), "{said}");
                assert!(said.contains("STREAM_CUT") && said.ends_with("}\n\n"), "{said}");
                assert!(
                    !said.contains("id: ") && !said.contains("event: end") && !rest.broken,
                    "{said}"
                );
            }
            "application/x-ndjson" => {
                assert!(rest.text().starts_with("{\"error\":"), "{}", rest.text());
                assert!(rest.text().contains("STREAM_CUT") && !rest.broken, "{}", rest.text());
            }
            _ => assert_eq!((rest.text(), rest.broken), ("", true)),
        }
    }
}

#[tokio::test]
async fn grpc_and_grpc_web_have_a_status_for_a_cut() {
    let (front, ..) = front().await;
    let mut client = front.http2().await;
    let request = front.grpc("WatchItems", RequestBody::new(Full::new(framed(&[]))));
    let (_, rest) = cut(&front, client.send_request(request).await.unwrap()).await;
    assert_eq!((rest.grpc_status(), rest.broken), ("14", false));
    let message = rest.trailers["grpc-message"].to_str().unwrap();
    assert!(message.starts_with("the gateway is stopping"), "{message}");

    // One that begins after the cut is refused in the same words.
    let mut request = front.grpc("WatchItems", RequestBody::new(Full::new(framed(&[]))));
    let web = "application/grpc-web+proto".parse().unwrap();
    request.headers_mut().insert("content-type", web);
    let answer = Answer::of(client.send_request(request).await.unwrap()).await;
    assert_eq!(answer.status, 200);
    let said = String::from_utf8_lossy(&answer.body).into_owned();
    let is_refused = answer.grpc_status() == "14" || said.contains("grpc-status:14");
    assert!(is_refused, "{answer:?}");
}

#[tokio::test]
async fn a_grpc_web_stream_has_its_trailers_in_the_body_when_it_is_cut() {
    let (front, ..) = front().await;
    let mut request = front.grpc("WatchItems", RequestBody::new(Full::new(framed(&[]))));
    let web = "application/grpc-web+proto".parse().unwrap();
    request.headers_mut().insert("content-type", web);
    let response = front.http2().await.send_request(request).await.unwrap();
    let (_, rest) = cut(&front, response).await;
    let said = String::from_utf8_lossy(&rest.body);
    assert!(
        said.contains("grpc-status:14") && said.contains("the gateway is stopping"),
        "{said:?}"
    );
    assert!(!rest.broken);
}

#[tokio::test]
async fn a_cut_ends_streams_that_have_not_begun_and_no_other_calls() {
    let (front, go, came) = front().await;
    let ask = |path: &'static str| {
        let front = front.clone();
        tokio::spawn(async move { front.get(path).await })
    };
    let unbegun = ask("/v1/items:tail");
    came.notified().await;
    let unary = ask("/v1/items/7");
    came.notified().await;
    front.upstream.cut_streams();
    let refused = unbegun.await.unwrap();
    assert_eq!(refused.refusal(), (503, 14));
    assert!(refused.text().contains("STREAM_CUT"), "{}", refused.text());
    assert_eq!(refused.headers["retry-after"], "1");
    assert!(!unary.is_finished());
    go.notify_one();
    assert_eq!(unary.await.unwrap().status, 200);
}

#[tokio::test]
async fn calls_without_an_answer_are_told_that_the_gateway_stops() {
    let (front, _, came) = front().await;
    let asked = front.clone();
    let rest = tokio::spawn(async move { asked.get("/v1/items/7").await });
    came.notified().await;
    let mut client = front.http2().await;
    let grpc = client.send_request(front.grpc("GetItem", RequestBody::new(Full::new(framed(&[])))));
    let grpc = tokio::spawn(async move { Answer::of(grpc.await.unwrap()).await });
    came.notified().await;
    let mut request = front.grpc("GetItem", RequestBody::new(Full::new(framed(&[]))));
    let web = "application/grpc-web+proto".parse().unwrap();
    request.headers_mut().insert("content-type", web);
    let web = client.send_request(request);
    let web = tokio::spawn(async move { Answer::of(web.await.unwrap()).await });
    came.notified().await;
    front.upstream.cut_streams();
    assert!(!rest.is_finished() && !grpc.is_finished() && !web.is_finished());
    front.upstream.end_calls();

    let refused = rest.await.unwrap();
    assert_eq!(refused.refusal(), (503, 14));
    assert!(refused.text().contains("GATEWAY_STOPPING"), "{}", refused.text());
    // It may have been done: nobody is told to do it again.
    assert!(!refused.headers.contains_key("retry-after"));
    assert_eq!(grpc.await.unwrap().grpc_status(), "14");
    let web = web.await.unwrap();
    let said = String::from_utf8_lossy(&web.body);
    assert!(web.grpc_status() == "14" || said.contains("grpc-status:14"), "{web:?}");
    // One that begins after that is told the same.
    assert_eq!(front.get("/v1/items/7").await.refusal(), (503, 14));
}

#[tokio::test]
async fn an_answer_that_stopped_halfway_is_an_error_at_the_end() {
    let came = Arc::new(Notify::new());
    let told = came.clone();
    let (address, _) = raw::server(move |mut call| {
        let came = told.clone();
        async move {
            let mut body = call.answer.send_response(raw::head(), false).unwrap();
            came.notify_one();
            let _ = std::future::poll_fn(|cx| body.poll_reset(cx)).await;
        }
    })
    .await;
    let front = Arc::new(Front::before(address).await);
    let asked = front.clone();
    let rest = tokio::spawn(async move { asked.get("/v1/items/7").await });
    came.notified().await;
    front.upstream.end_calls();
    assert_eq!(rest.await.unwrap().refusal(), (503, 14));
}
