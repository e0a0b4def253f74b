//! The order service of `benches/peers`, in process: it answers one order, or the one that it is given.

use futures_util::stream::Empty;
use tonic::{Response, Status};

/// Generated from `peers/orders/v1/orders.proto`.
#[expect(unreachable_pub, reason = "generated")]
mod generated {
    tonic::include_proto!("peers.orders.v1");
}

use generated::orders_service_server::OrdersService;
pub(crate) use generated::orders_service_server::OrdersServiceServer;
pub(crate) use generated::{CreateOrderRequest, GetOrderRequest, Order};
use generated::{Money, OrderEvent, OrderLine, OrderState, WatchOrdersRequest};

/// The descriptors.
pub(crate) const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/orders.binpb"));

/// Whose orders they are.
pub(crate) const PARENT: &str = "users/2612804094800205616";
/// The order that is read.
pub(crate) const NAME: &str = "users/2612804094800205616/orders/859827825691651782";

/// An order of so many lines, with every field set.
pub(crate) fn order(lines: usize) -> Order {
    let money = |minor_units: usize| {
        Some(Money {
            currency_code: "EUR".to_owned(),
            minor_units: i64::try_from(minor_units).unwrap_or_default(),
        })
    };
    let time = |seconds: i64| {
        Some(prost_types::Timestamp {
            seconds: 1_795_000_320 + seconds,
            nanos: 920_207_000,
        })
    };
    let line = |index: usize| OrderLine {
        product: format!("products/item-{index:03}-ip64un"),
        quantity: 1 + i32::try_from(index % 9).unwrap_or_default(),
        unit_price: money(300 + 17 * index),
        display_name: "Jolie Pêche Fleece Vest, Natural, Size M".to_owned(),
    };
    Order {
        name: NAME.to_owned(),
        state: OrderState::Reserved.into(),
        lines: (0..lines).map(line).collect(),
        total: money(lines * 1_234),
        create_time: time(0),
        update_time: time(14),
        etag: "wrpxfvku23adu91g".to_owned(),
    }
}

/// The service, with its answer made once.
pub(crate) struct Orders(pub(crate) Order);

#[tonic::async_trait]
impl OrdersService for Orders {
    async fn get_order(&self, _: tonic::Request<GetOrderRequest>) -> Result<Response<Order>, Status> {
        Ok(Response::new(self.0.clone()))
    }

    async fn create_order(&self, request: tonic::Request<CreateOrderRequest>) -> Result<Response<Order>, Status> {
        Ok(Response::new(request.into_inner().order.unwrap_or_default()))
    }

    type WatchOrdersStream = Empty<Result<OrderEvent, Status>>;

    async fn watch_orders(
        &self,
        _: tonic::Request<WatchOrdersRequest>,
    ) -> Result<Response<Self::WatchOrdersStream>, Status> {
        Err(Status::unimplemented("no events here"))
    }
}
