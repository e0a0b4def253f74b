//! The gRPC server behind everything: tonic, on one thread, with server reflection.

use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;

use futures_util::stream::{self, Iter};
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tonic::{Response, Status};

use crate::messages::orders_service_server::{OrdersService, OrdersServiceServer};
use crate::messages::{
    self, CreateOrderRequest, GetOrderRequest, ORDERS, Order, OrderEvent, TEN_SERVICES, WatchOrdersRequest,
};
use crate::routes;

/// More routes, for the cost of finding one.
const MANY_ROUTES: usize = 10_000;

/// Which schema reflection shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Schema {
    /// One service.
    #[default]
    Orders,
    /// Ten.
    Ten,
    /// 10,000 routes.
    Routes,
}

impl Schema {
    /// The encoded FileDescriptorSet.
    pub(crate) fn descriptors(self) -> Cow<'static, [u8]> {
        match self {
            Self::Orders => ORDERS.into(),
            Self::Ten => TEN_SERVICES.into(),
            Self::Routes => routes::added_to(ORDERS, MANY_ROUTES).into(),
        }
    }
}

/// Serves until the process ends.
pub(crate) async fn run(address: SocketAddr, schema: Schema) -> io::Result<()> {
    let orders = TowerToHyperService::new(OrdersServiceServer::new(Orders::new()));
    let builder = tonic_reflection::server::Builder::configure();
    let reflection = builder
        .register_encoded_file_descriptor_set(&schema.descriptors())
        .build_v1();
    let reflection = TowerToHyperService::new(reflection.map_err(io::Error::other)?);
    super::accept(address, move |stream| {
        let (orders, reflection) = (orders.clone(), reflection.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let (orders, reflection) = (orders.clone(), reflection.clone());
            async move {
                if request.uri().path().starts_with("/grpc.reflection.") {
                    return reflection.call(request).await;
                }
                orders.call(request).await
            }
        });
        async move {
            // A peer that goes away ends its connection, and nothing else.
            let _ = http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        }
    })
    .await
}

/// The service, with its answers made once.
pub(super) struct Orders {
    order: Order,
    events: Vec<OrderEvent>,
}

impl Orders {
    pub(super) fn new() -> Self {
        Self {
            order: messages::order(1),
            events: messages::events(crate::workload::EVENTS),
        }
    }
}

#[tonic::async_trait]
impl OrdersService for Orders {
    async fn get_order(&self, _: tonic::Request<GetOrderRequest>) -> Result<Response<Order>, Status> {
        Ok(Response::new(self.order.clone()))
    }

    async fn create_order(&self, request: tonic::Request<CreateOrderRequest>) -> Result<Response<Order>, Status> {
        Ok(Response::new(request.into_inner().order.unwrap_or_default()))
    }

    type WatchOrdersStream = Iter<std::vec::IntoIter<Result<OrderEvent, Status>>>;

    async fn watch_orders(
        &self,
        request: tonic::Request<WatchOrdersRequest>,
    ) -> Result<Response<Self::WatchOrdersStream>, Status> {
        let count = usize::try_from(request.into_inner().count).unwrap_or_default();
        let events: Vec<_> = self.events.iter().take(count).cloned().map(Ok).collect();
        Ok(Response::new(stream::iter(events)))
    }
}
