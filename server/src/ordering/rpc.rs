//! The RPCs of ordering: parse, call the store, reply. Who may call was decided before, by the policy layer.

use std::cmp::Reverse;
use std::pin::Pin;

use futures_util::Stream;
use millrace_chassis::page::Binding;
use millrace_chassis::shard::UserScope;
use millrace_chassis::status::Violation;
use millrace_chassis::{Caller, Platform, name};
use millrace_proto::ordering::v1::ordering_service_server::OrderingService;
use millrace_proto::ordering::v1::{
    CancelOrderRequest, CreateOrderRequest, GetOrderRequest, ListOrdersRequest, ListOrdersResponse, Order, OrderEvent,
    WatchOrdersRequest,
};
use tonic::{Request, Response, Status};

use super::store::{self, StoredOrder};
use super::watched::Watched;
use super::{Error, cart, change, message, pricing, watch};
use crate::field::Check;
use crate::paging::Page;
use crate::replay;

const CREATE: &str = "millrace.ordering.v1.OrderingService/CreateOrder";
const LIST: &str = "millrace.ordering.v1.OrderingService/ListOrders";
/// The parent that stands for all users (AIP-159).
const ALL_USERS: &str = "users/-";

/// Ordering's gRPC service.
pub(super) struct Ordering {
    platform: Platform,
    watched: Watched,
}

impl Ordering {
    /// Ordering over the platform's shards.
    pub(super) fn new(platform: &Platform, watched: &Watched) -> Self {
        Self {
            platform: platform.clone(),
            watched: watched.clone(),
        }
    }

    async fn create(&self, scope: &UserScope, mut request: CreateOrderRequest) -> Result<Order, Error> {
        let request_id = std::mem::take(&mut request.request_id);
        // The same user by another name, as `users/me`, makes the same request.
        request.parent = name::of_user(scope.user().get());
        let hash = replay::body_hash(&request);
        let mut check = Check::default();
        check.request_id(&request_id);
        let cart = cart::read(&request.order.unwrap_or_default(), &mut check);
        check.done()?;

        // Asked before the transaction: it must not stay open over a call.
        let priced = pricing::price(&self.platform.local, &cart).await?;
        let claim = replay::key(CREATE, &request_id, &hash, self.platform.clock.now_us());
        let placed = change::place(&self.platform, scope, &priced, claim).await?;
        self.watched.publish(scope.user());
        Ok(placed)
    }

    async fn get(&self, scope: &UserScope, request: &GetOrderRequest) -> Result<Order, Error> {
        let order_id = order_id_of(scope, &request.name)?;
        let found = scope
            .fenced(async |scope| {
                let mut conn = scope.read().await?;
                // One state of the database: the history fits the order.
                conn.transaction(async |conn| {
                    let Some(order) = store::get(conn, order_id).await? else {
                        return Ok::<_, Error>(None);
                    };
                    Ok(Some((order, store::history(conn, order_id).await?)))
                })
                .await
            })
            .await?;
        let not_found = || Error::NotFound(message::name_of(scope.user().get(), order_id));
        let (order, history) = found.ok_or_else(not_found)?;
        Ok(Order {
            events: history.into_iter().map(OrderEvent::from).collect(),
            ..order.into()
        })
    }

    pub(super) async fn list(
        &self,
        caller: Caller,
        scope: Option<&UserScope>,
        request: &ListOrdersRequest,
    ) -> Result<ListOrdersResponse, Error> {
        let parent = scope.map_or_else(|| ALL_USERS.to_owned(), |scope| name::of_user(scope.user().get()));
        let binding = Binding {
            method: LIST,
            parent: &parent,
            filter: "",
            caller: caller.user(),
        };
        let mut page = Page::open(&self.platform.pages, binding, request.page_size, &request.page_token)?;
        let (before, limit) = (page.after_number().unwrap_or(i64::MAX), page.rows_to_read());
        let (mut orders, missed) = match scope {
            Some(scope) => (list_of_user(scope, before, limit).await?, Vec::new()),
            None => {
                let gathered = self
                    .platform
                    .shards
                    .scatter()
                    .gather(
                        limit,
                        request.return_partial_success,
                        |order: &StoredOrder| Reverse(order.row.order_id),
                        move |mut conn| async move { store::list_of_shard(&mut conn, before, limit).await },
                    )
                    .await?;
                (gathered.rows, gathered.missed)
            }
        };
        page.fit(&orders, StoredOrder::bytes);
        let end = page.close(&mut orders, &missed, |last| last.row.order_id.to_string());
        Ok(ListOrdersResponse {
            orders: orders.into_iter().map(Order::from).collect(),
            next_page_token: end.next_page_token,
            unreachable: end.unreachable,
        })
    }

    async fn cancel(&self, scope: &UserScope, request: &CancelOrderRequest) -> Result<Order, Error> {
        let order_id = order_id_of(scope, &request.name)?;
        let cancelled = change::cancel(&self.platform, scope, order_id, &request.etag).await?;
        self.watched.publish(scope.user());
        Ok(cancelled)
    }

    async fn watch(
        &self,
        scope: UserScope,
        request: &WatchOrdersRequest,
    ) -> Result<impl Stream<Item = Result<OrderEvent, Status>> + Send + use<>, Error> {
        let after = i64::from(request.after);
        let last = scope
            .fenced(async |scope| Ok::<_, Error>(store::last_event(&mut scope.read().await?).await?))
            .await?
            .ok_or_else(|| Error::no_user(scope.user()))?;
        if !(0..=last).contains(&after) {
            let problem = format!("is {after}: the user's events have the numbers 1 to {last}; 0 sends all");
            return Err(Error::Invalid(vec![Violation::new("after", problem)]));
        }
        Ok(watch::events(scope, &self.watched, after))
    }
}

async fn list_of_user(scope: &UserScope, before: i64, limit: usize) -> Result<Vec<StoredOrder>, Error> {
    scope
        .fenced(async |scope| {
            let mut conn = scope.read().await?;
            conn.transaction(async |conn| {
                if store::last_event(conn).await?.is_none() {
                    return Err(Error::no_user(scope.user()));
                }
                Ok(store::list_of_user(conn, before, limit).await?)
            })
            .await
        })
        .await
}

/// Reads the id of an order's name; one that is no number names no order.
fn order_id_of(scope: &UserScope, name: &str) -> Result<i64, Error> {
    let [_, order] = name::parse("name", name, "users/*/orders/*").map_err(|violation| vec![violation])?;
    let not_found = |_| Error::NotFound(format!("{}/orders/{order}", name::of_user(scope.user().get())));
    order.parse().map_err(not_found)
}

#[tonic::async_trait]
impl OrderingService for Ordering {
    type WatchOrdersStream = Pin<Box<dyn Stream<Item = Result<OrderEvent, Status>> + Send>>;

    async fn create_order(&self, request: Request<CreateOrderRequest>) -> Result<Response<Order>, Status> {
        let scope = UserScope::of(&request)?;
        Ok(Response::new(self.create(&scope, request.into_inner()).await?))
    }

    async fn get_order(&self, request: Request<GetOrderRequest>) -> Result<Response<Order>, Status> {
        let scope = UserScope::of(&request)?;
        Ok(Response::new(self.get(&scope, request.get_ref()).await?))
    }

    async fn list_orders(&self, request: Request<ListOrdersRequest>) -> Result<Response<ListOrdersResponse>, Status> {
        let caller = Caller::of(&request);
        let scope = match request.get_ref().parent.as_str() {
            ALL_USERS => None,
            _ => Some(UserScope::of(&request)?),
        };
        Ok(Response::new(
            self.list(caller, scope.as_ref(), request.get_ref()).await?,
        ))
    }

    async fn cancel_order(&self, request: Request<CancelOrderRequest>) -> Result<Response<Order>, Status> {
        let scope = UserScope::of(&request)?;
        Ok(Response::new(self.cancel(&scope, request.get_ref()).await?))
    }

    async fn watch_orders(
        &self,
        request: Request<WatchOrdersRequest>,
    ) -> Result<Response<Self::WatchOrdersStream>, Status> {
        let scope = UserScope::of(&request)?;
        let events = self.watch(scope, request.get_ref()).await?;
        Ok(Response::new(Box::pin(events)))
    }
}
