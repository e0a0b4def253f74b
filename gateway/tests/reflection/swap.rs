//! The exchange itself: no call fails, and a call ends as it began.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use millrace_gateway::reload::Swappable;
use millrace_gateway::{GrpcService, HttpService};
use tokio::sync::Semaphore;
use tonic::body::Body;
use tower::util::BoxCloneSyncService;

use crate::protos::{SHOP, compiled};
use crate::scripted::framed;
use crate::stage::{built, get};

/// Answers every call with an item, once the gate lets it.
fn inner(gate: Arc<Semaphore>) -> GrpcService {
    BoxCloneSyncService::new(tower::service_fn(move |_: Request<Body>| {
        let gate = gate.clone();
        async move {
            gate.acquire().await.unwrap().forget();
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().unwrap());
            let body = Full::new(framed(b"\x0a\x017")).with_trailers(std::future::ready(Some(Ok(trailers))));
            let response = Response::builder().header("content-type", "application/grpc");
            Ok::<_, Infallible>(response.body(Body::new(body)).unwrap())
        }
    }))
}

/// The shop, whose field `id` is called otherwise in the answer of the second.
fn both(gate: &Arc<Semaphore>) -> [HttpService; 2] {
    let renamed = SHOP
        .1
        .replace("message Item { string id = 1;", "message Item { string code = 1;");
    [SHOP.1, &renamed].map(|source| {
        let set = compiled(&[(SHOP.0, source)]);
        built(&set, inner(gate.clone())).unwrap().service
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_fails_while_the_schema_is_exchanged() {
    const CALLS: usize = 10_000;
    const CALLERS: usize = 8;
    const SWAPS: usize = 100;
    let gate = Arc::new(Semaphore::new(CALLS));
    let [first, second] = both(&gate);
    let swappable = Swappable::new(first.clone());
    let (done, calls) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let is_second = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (service, done, calls) = (swappable.service(), done.clone(), calls.clone());
            tokio::spawn(async move {
                let mut seconds = 0;
                while calls.fetch_add(1, Ordering::SeqCst) < CALLS {
                    let (status, body) = get(&service, "/v1/items/7").await;
                    assert_eq!(status, 200);
                    match &body[..] {
                        br#"{"id":"7"}"# => {}
                        br#"{"code":"7"}"# => seconds += 1,
                        other => panic!("{}", String::from_utf8_lossy(other)),
                    }
                    done.fetch_add(1, Ordering::SeqCst);
                }
                seconds
            })
        })
        .collect();
    for swap in 1..=SWAPS {
        // Evenly among the calls.
        while done.load(Ordering::SeqCst) < (CALLS - CALLERS) * swap / (SWAPS + 1) {
            // A caller that failed ends the test below.
            if callers.iter().any(tokio::task::JoinHandle::is_finished) {
                break;
            }
            tokio::task::yield_now().await;
        }
        let next = is_second.fetch_xor(true, Ordering::SeqCst);
        swappable.swap(if next { first.clone() } else { second.clone() });
    }
    let mut seconds = 0;
    for caller in callers {
        seconds += caller.await.unwrap();
    }
    assert_eq!(done.load(Ordering::SeqCst), CALLS);
    assert!(
        seconds > 0 && seconds < CALLS,
        "{seconds} calls were answered by the second"
    );
}

#[tokio::test]
async fn a_running_call_keeps_the_plan_with_which_it_began() {
    let gate = Arc::new(Semaphore::new(0));
    let [first, second] = both(&gate);
    let swappable = Swappable::new(first);
    let service = swappable.service();
    let running = {
        let service = service.clone();
        tokio::spawn(async move { get(&service, "/v1/items/7").await })
    };
    // On one thread the call runs until it waits for the gate.
    tokio::task::yield_now().await;
    swappable.swap(second);
    gate.add_permits(2);
    assert_eq!(get(&service, "/v1/items/7").await.1, br#"{"code":"7"}"#[..]);
    assert_eq!(running.await.unwrap().1, br#"{"id":"7"}"#[..]);
}
