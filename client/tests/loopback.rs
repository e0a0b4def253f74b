//! The client over real HTTP/2 on loopback, against the generated server: connecting, reconnecting, and what is on the
//! wire. What needs no socket is tested beside the code, in paused time.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::stream::{self, BoxStream};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use millrace_client::ordering::v1::ordering_service_client::OrderingServiceClient;
use millrace_client::ordering::v1::ordering_service_server::{OrderingService, OrderingServiceServer};
use millrace_client::ordering::v1::{
    CancelOrderRequest, CreateOrderRequest, GetOrderRequest, ListOrdersRequest, ListOrdersResponse, Order, OrderEvent,
    WatchOrdersRequest,
};
use millrace_client::{Client, Error};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

/// Answers each order asked for after a while, and notes the metadata of every call.
#[derive(Clone, Default)]
struct Orders {
    answer_after: Duration,
    seen: Arc<Mutex<Vec<MetadataMap>>>,
}

#[tonic::async_trait]
impl OrderingService for Orders {
    type WatchOrdersStream = BoxStream<'static, Result<OrderEvent, Status>>;

    async fn get_order(&self, request: Request<GetOrderRequest>) -> Result<Response<Order>, Status> {
        self.seen.lock().unwrap().push(request.metadata().clone());
        let name = request.into_inner().name;
        tokio::time::sleep(self.answer_after).await;
        Ok(Response::new(Order {
            name,
            ..Default::default()
        }))
    }

    async fn create_order(&self, _: Request<CreateOrderRequest>) -> Result<Response<Order>, Status> {
        Err(Status::unimplemented("not in this test"))
    }

    async fn list_orders(&self, _: Request<ListOrdersRequest>) -> Result<Response<ListOrdersResponse>, Status> {
        Err(Status::unimplemented("not in this test"))
    }

    async fn cancel_order(&self, _: Request<CancelOrderRequest>) -> Result<Response<Order>, Status> {
        Err(Status::unimplemented("not in this test"))
    }

    async fn watch_orders(&self, _: Request<WatchOrdersRequest>) -> Result<Response<Self::WatchOrdersStream>, Status> {
        Ok(Response::new(Box::pin(stream::pending())))
    }
}

/// Serves until the task is aborted, which cuts its connections.
async fn serve(address: &str, orders: Orders) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            let service = TowerToHyperService::new(OrderingServiceServer::new(orders.clone()));
            connections.spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new());
                // A connection that breaks is the end of it, as for any server.
                let _ = builder.serve_connection(TokioIo::new(socket), service).await;
            });
        }
    });
    (address, task)
}

async fn stop(server: JoinHandle<()>) {
    server.abort();
    let _ = server.await;
}

fn get(name: &str) -> GetOrderRequest {
    GetOrderRequest { name: name.into() }
}

#[tokio::test]
async fn a_call_carries_key_deadline_user_agent_and_request_id() {
    let orders = Orders::default();
    let (address, server) = serve("127.0.0.1:0", orders.clone()).await;
    let client = Client::connect(format!("http://{address}"))
        .api_key("mr_dev_1")
        .user_agent("shop/1.2")
        .deadline(Duration::from_secs(7))
        .await
        .unwrap();
    let mut ordering = OrderingServiceClient::new(client.channel());
    let order = ordering.get_order(get("users/7/orders/9")).await.unwrap();
    assert_eq!(order.into_inner().name, "users/7/orders/9");

    let seen = orders.seen.lock().unwrap()[0].clone();
    let text = |name: &str| seen.get(name).unwrap().to_str().unwrap().to_owned();
    assert_eq!(text("authorization"), "Bearer mr_dev_1");
    assert!(
        text("user-agent").starts_with("shop/1.2 millrace-client/"),
        "{}",
        text("user-agent")
    );
    assert_eq!(text("x-request-id").len(), 32);
    let timeout = text("grpc-timeout");
    assert!(timeout.starts_with("69") && timeout.ends_with('u'), "{timeout}");
    stop(server).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let (address, server) = serve("127.0.0.1:0", Orders::default()).await;
    stop(server).await;
    let url = format!("http://{address}");
    let error = Client::connect(&url).await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    assert!(
        error.message().contains(&url) && error.message().contains("refused"),
        "{error}"
    );

    let client = Client::connect(&url).lazy().unwrap();
    let mut ordering = OrderingServiceClient::new(client.channel());
    let error = Error::from(ordering.get_order(get("x")).await.unwrap_err());
    assert!(error.is_unavailable(), "{error}");
    assert!(error.request_id().is_some());
}

#[tokio::test]
async fn a_read_survives_a_restart_of_the_server_in_the_middle() {
    let slow = Orders {
        answer_after: Duration::from_secs(3_600),
        ..Default::default()
    };
    let (address, server) = serve("127.0.0.1:0", slow.clone()).await;
    let client = Client::connect(format!("http://{address}")).attempts(5).await.unwrap();
    let mut ordering = OrderingServiceClient::new(client.channel());
    let events = ordering.watch_orders(WatchOrdersRequest::default()).await.unwrap();
    let read = tokio::spawn(async move { ordering.get_order(get("users/7/orders/9")).await });
    while slow.seen.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }

    stop(server).await;
    let (_, server) = serve(&address.to_string(), Orders::default()).await;
    let order = read.await.unwrap().unwrap().into_inner();
    assert_eq!(order.name, "users/7/orders/9");
    // The stream had begun, so it is not repeated: it ends as what it is, the server went away.
    let error = Error::from(events.into_inner().message().await.unwrap_err());
    assert!(error.is_unavailable(), "{error}");
    assert!(error.request_id().is_some());
    stop(server).await;
}

#[tokio::test]
async fn a_setting_that_cannot_be_used_is_said_at_once() {
    for (connect, expected) in [
        (Client::connect("https://example.com"), "TLS"),
        (Client::connect("127.0.0.1:8080"), "http://host:port"),
        (Client::connect("not a url"), "not a url"),
        (Client::connect("http://127.0.0.1:1").api_key("a\nb"), "API key"),
        (Client::connect("http://127.0.0.1:1").user_agent("a\nb"), "user agent"),
        (
            Client::connect("http://127.0.0.1:1").descriptors(b"\xFF"),
            "descriptors",
        ),
    ] {
        let error = connect.lazy().unwrap_err();
        assert!(error.is_invalid() && error.message().contains(expected), "{error}");
    }
}
