//! The channel against a server that is a function: what it sends, how often, and when it stops. Time is paused.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use millrace_proto::ordering::v1::ordering_service_client::OrderingServiceClient;
use millrace_proto::ordering::v1::{CreateOrderRequest, GetOrderRequest, Order, WatchOrdersRequest};
use prost::Message;
use tokio::time::{Instant, sleep};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{BoxError, service_fn};

use super::*;
use crate::Error;

/// What one attempt looked like to the server.
struct Seen {
    headers: HeaderMap,
    message: Vec<u8>,
    at: Instant,
}

#[derive(Clone, Default)]
struct Server(Arc<Mutex<Vec<Seen>>>);

impl Server {
    /// A client whose `n`-th attempt (from 0) is answered by `answer(n)`.
    fn client<A, F>(&self, answer: A) -> OrderingServiceClient<Channel>
    where
        A: Fn(usize) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<Response<Body>, BoxError>> + Send + 'static,
    {
        OrderingServiceClient::new(self.channel(true, answer))
    }

    fn channel<A, F>(&self, knows_methods: bool, answer: A) -> Channel
    where
        A: Fn(usize) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<Response<Body>, BoxError>> + Send + 'static,
    {
        let seen = self.0.clone();
        let server = service_fn(move |request: Request<Body>| {
            let (seen, answer) = (seen.clone(), answer.clone());
            async move {
                let (head, body) = request.into_parts();
                let frame = body.collect().await?.to_bytes();
                let count = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(Seen {
                        headers: head.headers,
                        message: frame[5..].to_vec(),
                        at: Instant::now(),
                    });
                    seen.len() - 1
                };
                answer(count).await
            }
        });
        let mut methods = Methods::default();
        if knows_methods {
            methods.add(millrace_proto::FILE_DESCRIPTOR_SET).unwrap();
        }
        let random = Arc::new(Random::from_seed([1, 2]));
        let settings = Settings {
            methods,
            authorization: Some(HeaderValue::from_static("Bearer mr_key")),
            deadline: Some(Duration::from_secs(10)),
            retry: Retry::new(3, random.clone()),
            random,
        };
        Channel::new(Connection::new(server), settings)
    }

    fn attempts(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn headers(&self, name: &str) -> Vec<Option<String>> {
        let seen = self.0.lock().unwrap();
        let text = |seen: &Seen| Some(seen.headers.get(name)?.to_str().unwrap().to_owned());
        seen.iter().map(text).collect()
    }

    fn request_ids(&self) -> Vec<String> {
        let seen = self.0.lock().unwrap();
        let id = |seen: &Seen| CreateOrderRequest::decode(seen.message.as_slice()).unwrap().request_id;
        seen.iter().map(id).collect()
    }
}

/// An order, as a whole answer.
fn order() -> Response<Body> {
    let message = Order {
        name: "users/7/orders/9".into(),
        ..Default::default()
    };
    let message = message.encode_to_vec();
    let head = [&[0][..], &u32::try_from(message.len()).unwrap().to_be_bytes()].concat();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::new([head, message].concat().into()).with_trailers(async { Some(Ok(trailers)) });
    Response::builder()
        .header("content-type", "application/grpc")
        .body(Body::new(body))
        .unwrap()
}

fn refusal(status: Status) -> Response<Body> {
    status.into_http()
}

fn get() -> GetOrderRequest {
    GetOrderRequest {
        name: "users/7/orders/9".into(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_is_sent_again_until_the_server_is_back() {
    let server = Server::default();
    let mut client = server.client(|count| async move {
        Ok(if count < 2 {
            refusal(Status::unavailable("starting"))
        } else {
            order()
        })
    });
    let answer = client.get_order(get()).await.unwrap();
    assert_eq!(
        answer.metadata().get(REQUEST_ID).unwrap().to_str().unwrap(),
        server.headers(REQUEST_ID)[0].clone().unwrap()
    );
    assert_eq!(answer.into_inner().name, "users/7/orders/9");

    assert_eq!(server.attempts(), 3);
    assert_eq!(
        server.headers("authorization"),
        vec![Some("Bearer mr_key".to_owned()); 3]
    );
    let previous = [None, Some("1".to_owned()), Some("2".to_owned())];
    assert_eq!(server.headers("grpc-previous-rpc-attempts"), previous);
    // One id for the call, and ever less time.
    let ids = server.headers(REQUEST_ID);
    assert!(ids.iter().all(|id| id.is_some() && *id == ids[0]));
    let timeouts = server.headers("grpc-timeout");
    assert_eq!(timeouts[0].as_deref(), Some("10000000u"));
    assert!(
        timeouts[1] < Some("9999999u".into()) && timeouts[1].as_ref().unwrap().len() == 8,
        "{timeouts:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn gives_up_after_the_last_attempt_with_the_servers_failure() {
    let server = Server::default();
    let mut client = server.client(|count| async move { Ok(refusal(Status::unavailable(format!("no {count}")))) });
    let error = Error::from(client.get_order(get()).await.unwrap_err());
    assert!(error.is_unavailable());
    assert_eq!((error.message(), server.attempts()), ("no 2", 3));
    assert_eq!(error.request_id(), server.headers(REQUEST_ID)[0].as_deref());
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_is_unavailable_and_tried_again() {
    let server = Server::default();
    let mut client = server.client(|count| async move {
        if count == 0 {
            Err(std::io::Error::other("connection reset").into())
        } else {
            Ok(order())
        }
    });
    client.get_order(get()).await.unwrap();
    assert_eq!(server.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_unavailable_is_not_tried_again() {
    for code in [
        Code::Internal,
        Code::NotFound,
        Code::Aborted,
        Code::ResourceExhausted,
        Code::DeadlineExceeded,
    ] {
        let server = Server::default();
        let mut client = server.client(move |_| async move { Ok(refusal(Status::new(code, ""))) });
        assert_eq!(client.get_order(get()).await.unwrap_err().code(), code);
        assert_eq!(server.attempts(), 1, "{code:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_method_that_declares_nothing_is_sent_once_and_without_a_deadline() {
    let server = Server::default();
    let channel = server.channel(false, |_| async { Ok(refusal(Status::unavailable(""))) });
    let mut client = OrderingServiceClient::new(channel);
    client.get_order(get()).await.unwrap_err();
    assert_eq!(server.headers("grpc-timeout"), [None]);
}

#[tokio::test(start_paused = true)]
async fn a_create_without_a_key_gets_one_for_all_its_attempts() {
    let server = Server::default();
    let mut client = server.client(|count| async move {
        Ok(if count % 3 < 2 {
            refusal(Status::unavailable(""))
        } else {
            order()
        })
    });
    client.create_order(CreateOrderRequest::default()).await.unwrap();
    client.create_order(CreateOrderRequest::default()).await.unwrap();
    let keys = server.request_ids();
    assert_eq!(keys.len(), 6);
    assert_eq!(keys[0].len(), 32);
    assert!(keys[..3].iter().all(|key| *key == keys[0]));
    assert!(keys[3..].iter().all(|key| *key == keys[3]));
    assert_ne!(keys[0], keys[3]);
}

#[tokio::test(start_paused = true)]
async fn a_create_with_a_key_keeps_it() {
    let server = Server::default();
    let mut client = server.client(|_| async { Ok(order()) });
    let request = CreateOrderRequest {
        request_id: "mine".into(),
        ..Default::default()
    };
    client.create_order(request).await.unwrap();
    assert_eq!(server.request_ids(), ["mine"]);
}

#[tokio::test(start_paused = true)]
async fn retries_end_when_the_budget_is_spent() {
    let server = Server::default();
    let mut client = server.client(|_| async { Ok(refusal(Status::unavailable(""))) });
    for _ in 0..100 {
        client.get_order(get()).await.unwrap_err();
    }
    // Each failure takes a token, a call's last one too: three calls retry twice, then none does.
    assert_eq!(server.attempts(), 106);
}

#[tokio::test(start_paused = true)]
async fn one_failure_in_a_hundred_is_always_made_good() {
    let server = Server::default();
    let mut client = server.client(|count| async move {
        Ok(if count % 100 == 99 {
            refusal(Status::unavailable(""))
        } else {
            order()
        })
    });
    for _ in 0..990 {
        client.get_order(get()).await.unwrap();
    }
    assert_eq!(server.attempts(), 1_000 - 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_silent_costs_the_deadline_and_no_more() {
    let server = Server::default();
    let mut client = server.client(|_| async {
        sleep(Duration::from_secs(3_600)).await;
        Ok(order())
    });
    let start = Instant::now();
    let mut request = tonic::Request::new(get());
    request.set_timeout(Duration::from_millis(300));
    let error = Error::from(client.get_order(request).await.unwrap_err());
    assert!(error.is_deadline_exceeded());
    assert!(error.request_id().is_some());
    assert_eq!((start.elapsed(), server.attempts()), (Duration::from_millis(300), 1));
    // Without one of its own, a unary call has the default.
    assert_eq!(
        client.get_order(get()).await.unwrap_err().code(),
        Code::DeadlineExceeded
    );
    assert_eq!(start.elapsed(), Duration::from_millis(10_300));
}

#[tokio::test(start_paused = true)]
async fn no_retry_waits_past_the_deadline() {
    let server = Server::default();
    let mut client = server.client(|_| async {
        let mut status = Status::unavailable("busy");
        status.metadata_mut().insert("grpc-retry-pushback-ms", 5_000.into());
        Ok(refusal(status))
    });
    let start = Instant::now();
    let status = client.get_order(get()).await.unwrap_err();
    // At 0 s and 5 s; the third would begin at the deadline of 10 s, so the failure is told at once.
    assert_eq!((status.code(), server.attempts()), (Code::Unavailable, 2));
    assert_eq!(start.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn the_server_says_when_and_whether() {
    for (pushback, expected) in [("700", Some(Duration::from_millis(700))), ("-1", None), ("60000", None)] {
        let server = Server::default();
        let mut client = server.client(move |count| async move {
            let mut status = Status::unavailable("busy");
            status
                .metadata_mut()
                .insert("grpc-retry-pushback-ms", pushback.parse()?);
            Ok(if count == 0 { refusal(status) } else { order() })
        });
        let mut request = tonic::Request::new(get());
        request.set_timeout(Duration::from_secs(3_600));
        let answer = client.get_order(request).await;
        assert_eq!(answer.is_ok(), expected.is_some(), "{pushback}");
        let seen = server.0.lock().unwrap();
        let waited = seen.get(1).map(|second| second.at - seen[0].at);
        assert_eq!(waited, expected, "{pushback}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_begun_again_but_never_after_its_first_message() {
    let server = Server::default();
    let mut client = server.client(|count| async move {
        if count == 0 {
            return Ok(refusal(Status::unavailable("starting")));
        }
        // One event (empty, so it decodes as any message), and then the connection breaks.
        let event = Ok::<_, BoxError>(http_body::Frame::data(bytes::Bytes::from_static(&[0; 5])));
        let broken = Err(std::io::Error::other("connection reset").into());
        let frames = futures_util::stream::iter([event, broken]);
        Ok(Response::new(Body::new(http_body_util::StreamBody::new(frames))))
    });
    let mut events = client
        .watch_orders(WatchOrdersRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(server.headers("grpc-timeout"), [None, None]);
    assert!(events.message().await.unwrap().is_some());
    let error = Error::from(events.message().await.unwrap_err());
    assert!(error.is_unavailable(), "{error}");
    assert!(error.request_id().is_some());
    assert_eq!(server.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_callers_own_headers_stay() {
    let server = Server::default();
    let mut client = server.client(|_| async { Ok(order()) });
    let mut request = tonic::Request::new(get());
    request
        .metadata_mut()
        .insert("authorization", "Bearer mr_other".parse().unwrap());
    request.metadata_mut().insert(REQUEST_ID, "mine".parse().unwrap());
    client.get_order(request).await.unwrap();
    assert_eq!(server.headers("authorization"), [Some("Bearer mr_other".to_owned())]);
    assert_eq!(server.headers(REQUEST_ID), [Some("mine".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_malformed_timeout_and_a_request_too_large_are_refused_here() {
    let server = Server::default();
    let mut client = server.client(|_| async { Ok(order()) });
    let mut request = tonic::Request::new(get());
    request.metadata_mut().insert("grpc-timeout", "soon".parse().unwrap());
    assert_eq!(
        client.get_order(request).await.unwrap_err().code(),
        Code::InvalidArgument
    );
    let large = GetOrderRequest {
        name: "x".repeat(4 << 20),
    };
    assert_eq!(
        client.get_order(large).await.unwrap_err().code(),
        Code::ResourceExhausted
    );
    assert_eq!(server.attempts(), 0);
}
