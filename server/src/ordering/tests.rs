//! Orders, on both engines: numbers without gaps, one order per request, lists over all shards, watching.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use millrace_chassis::idempotency::{ClaimError, Key};
use millrace_chassis::shard::UserScope;
use millrace_chassis::{Caller, Platform};
use millrace_proto::ordering::v1::{ListOrdersRequest, OrderState};

use super::pricing::{Priced, PricedLine, with_total};
use super::rpc::Ordering;
use super::watch::{self, Notices};
use super::{Error, change, store};
use crate::identity::{self, Account};
use crate::testing::TestPlatform;
use crate::{money, sample};

crate::testing::on_both_engines!(
    orders_that_come_at_once_are_numbered_without_gaps,
    one_request_id_is_one_order,
    nobody_has_no_orders_and_leaves_nothing,
    an_order_is_cancelled_once,
    a_watcher_gets_what_was_and_what_comes,
    sample_data_is_made_once_and_listed_over_all_shards,
);

async fn shopper(platform: &Platform) -> UserScope {
    let account = Account {
        display_name: "Ada".to_owned(),
        email: "ada@example.com".to_owned(),
    };
    platform
        .shards
        .for_user(identity::create_account(platform, &account).await.unwrap())
}

fn priced() -> Priced {
    let line = |product: &str, quantity, price| PricedLine {
        product_id: product.to_owned(),
        display_name: product.to_uppercase(),
        quantity,
        unit_price: money::of("EUR", price),
    };
    with_total(vec![line("tea", 2, 450), line("pot", 1, 3_000)]).unwrap()
}

fn key<'a>(request_id: &'a str, request_hash: &'a [u8; 32]) -> Key<'a> {
    Key {
        method: "test",
        request_id,
        request_hash,
        expires_at_us: i64::MAX,
    }
}

async fn numbers(scope: &UserScope) -> Vec<i64> {
    let mut conn = scope.read().await.unwrap();
    let events = store::events_after(&mut conn, 0, 1_000).await.unwrap();
    events.iter().map(|event| event.number).collect()
}

async fn orders_that_come_at_once_are_numbered_without_gaps(test: &TestPlatform) {
    let (scope, priced) = (shopper(&test.platform).await, priced());
    // The clock stands, so that ids collide and are drawn again.
    let placed = join_all((0..40).map(|_| change::place(&test.platform, &scope, &priced, None))).await;
    for order in &placed {
        let order = order.as_ref().unwrap();
        assert_eq!(order.total, Some(money::of("EUR", 3_900)));
        assert_eq!((order.state(), order.lines.len()), (OrderState::Placed, 2));
    }
    assert_eq!(numbers(&scope).await, (1..=40).collect::<Vec<_>>());
}

async fn one_request_id_is_one_order(test: &TestPlatform) {
    let (scope, priced) = (shopper(&test.platform).await, priced());
    let claim = Some(key("a1", &[1; 32]));
    let placed = join_all((0..12).map(|_| change::place(&test.platform, &scope, &priced, claim))).await;
    let first = placed[0].as_ref().unwrap();
    assert!(placed.iter().all(|order| order.as_ref().unwrap() == first));
    assert_eq!(numbers(&scope).await, [1]);
    let other = change::place(&test.platform, &scope, &priced, Some(key("a1", &[2; 32]))).await;
    assert!(matches!(other, Err(Error::Claim(ClaimError::Reused))), "{other:?}");
}

async fn nobody_has_no_orders_and_leaves_nothing(test: &TestPlatform) {
    let nobody = test.platform.shards.for_user(test.platform.ids.user_id());
    let claim = Some(key("a1", &[1; 32]));
    for _ in 0..2 {
        let refused = change::place(&test.platform, &nobody, &priced(), claim).await;
        assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
    }
    assert!(numbers(&nobody).await.is_empty());
    let refused = change::cancel(&test.platform, &nobody, 7, "").await;
    assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
}

async fn an_order_is_cancelled_once(test: &TestPlatform) {
    let scope = shopper(&test.platform).await;
    let placed = change::place(&test.platform, &scope, &priced(), None).await.unwrap();
    let id: i64 = placed.name.rsplit('/').next().unwrap().parse().unwrap();

    let refused = change::cancel(&test.platform, &scope, id, "other").await;
    assert!(matches!(refused, Err(Error::EtagMismatch(_))), "{refused:?}");
    let cancelled = change::cancel(&test.platform, &scope, id, &placed.etag).await.unwrap();
    assert_eq!(cancelled.state(), OrderState::Cancelled);
    assert_ne!(cancelled.etag, placed.etag);
    // A retry carries the etag of before; it changes nothing more.
    assert_eq!(
        change::cancel(&test.platform, &scope, id, &placed.etag).await.unwrap(),
        cancelled
    );
    assert_eq!(numbers(&scope).await, [1, 2]);
}

async fn a_watcher_gets_what_was_and_what_comes(test: &TestPlatform) {
    let (scope, notices) = (shopper(&test.platform).await, Notices::new());
    for _ in 0..3 {
        change::place(&test.platform, &scope, &priced(), None).await.unwrap();
    }
    let mut events = Box::pin(watch::events(scope.clone(), &notices, 1));
    for number in [2, 3] {
        assert_eq!(events.next().await.unwrap().unwrap().number, number);
    }
    // With a notice it comes at once, without one by the look once a second.
    for (number, noticed) in [(4, true), (5, false)] {
        change::place(&test.platform, &scope, &priced(), None).await.unwrap();
        if noticed {
            notices.publish(scope.bucket());
        }
        let limit = if noticed {
            Duration::from_millis(900)
        } else {
            Duration::from_secs(30)
        };
        let event = tokio::time::timeout(limit, events.next()).await.unwrap();
        assert_eq!(event.unwrap().unwrap().number, number);
    }
}

async fn sample_data_is_made_once_and_listed_over_all_shards(test: &TestPlatform) {
    let first = sample::seed(&test.platform, 1).await.unwrap();
    let again = sample::seed(&test.platform, 2).await.unwrap();
    assert!(first.new && !again.new);
    assert_eq!((again.seed, again.orders), (1, first.orders));

    let ordering = Ordering::new(&test.platform);
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListOrdersRequest {
            parent: "users/-".to_owned(),
            page_size: 7,
            page_token,
            return_partial_success: false,
        };
        let page = ordering.list(Caller::Anonymous, None, &request).await.unwrap();
        assert!(
            page.orders
                .iter()
                .all(|order| !order.lines.is_empty() && order.total.is_some())
        );
        found.extend(page.orders.iter().map(|order| {
            let id: i64 = order.name.rsplit('/').next().unwrap().parse().unwrap();
            id
        }));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(found.len(), first.orders);
    assert!(
        found.is_sorted_by(|newer, older| newer > older),
        "newest first, each once"
    );
}
