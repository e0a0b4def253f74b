//! Orders, on both engines: numbers without gaps, one order per request, lists over all shards, watching.

use std::collections::BTreeSet;

use futures_util::StreamExt;
use futures_util::future::join_all;
use millrace_chassis::idempotency::{ClaimError, Key};
use millrace_chassis::shard::{UserId, UserScope};
use millrace_chassis::{Caller, Platform};
use millrace_proto::ordering::v1::{ListOrdersRequest, OrderState};
use prost::Message;

use super::pricing::{Priced, PricedLine, with_total};
use super::rpc::Ordering;
use super::watched::{self, Watched};
use super::{Error, ImportedLine, ImportedOrder, change, store, watch};
use crate::identity::{self, Account};
use crate::testing::TestPlatform;
use crate::{money, sample};

crate::testing::on_both_engines!(
    orders_that_come_at_once_are_numbered_without_gaps,
    one_request_id_is_one_order,
    nobody_has_no_orders_and_leaves_nothing,
    an_order_is_cancelled_once,
    a_watcher_gets_what_was_and_what_comes,
    watchers_without_news_cost_one_statement_a_shard,
    events_are_seen_in_order_and_without_gaps_while_many_write,
    a_page_of_long_orders_ends_early_and_none_is_left_out,
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
    let (scope, watched) = (shopper(&test.platform).await, Watched::default());
    for _ in 0..3 {
        change::place(&test.platform, &scope, &priced(), None).await.unwrap();
    }
    let mut events = Box::pin(watch::events(scope.clone(), &watched, 1));
    for number in [2, 3] {
        assert_eq!(events.next().await.unwrap().unwrap().number, number);
    }
    // With a notice it comes at once; what another process wrote, by a look.
    change::place(&test.platform, &scope, &priced(), None).await.unwrap();
    watched.publish(scope.user());
    assert_eq!(events.next().await.unwrap().unwrap().number, 4);
    let waiting = watched.subscribe(scope.user(), 4);
    change::place(&test.platform, &scope, &priced(), None).await.unwrap();
    assert!(!waiting.is_woken());
    assert_eq!(watched::look(&test.platform, &watched).await, 1);
    assert!(waiting.is_woken());
    assert_eq!(events.next().await.unwrap().unwrap().number, 5);
}

async fn watchers_without_news_cost_one_statement_a_shard(test: &TestPlatform) {
    sample::seed(&test.platform, 1).await.unwrap();
    let (watched, mut streams) = (Watched::default(), Vec::new());
    let users = users_of(&test.platform).await;
    let shards: BTreeSet<_> = users.iter().map(|user| test.platform.shards.locate(*user)).collect();
    for user in &users {
        let scope = test.platform.shards.for_user(*user);
        let mut conn = scope.read().await.unwrap();
        let last = store::last_event(&mut conn).await.unwrap().unwrap();
        drop(conn);
        // Twenty calls each.
        streams.extend((0..20).map(|_| watched.subscribe(*user, last)));
    }
    assert_eq!(watched::look(&test.platform, &watched).await, shards.len());
    assert!(streams.iter().all(|stream| !stream.is_woken()), "nobody has news");

    // Whose shard knows nothing of the user looks by itself.
    let stranger = watched.subscribe(test.platform.ids.user_id(), 0);
    watched::look(&test.platform, &watched).await;
    assert!(stranger.is_woken());
    drop(streams);
    drop(stranger);
    assert_eq!(watched::look(&test.platform, &watched).await, 0);
}

async fn users_of(platform: &Platform) -> Vec<UserId> {
    let page = Ordering::new(platform, &Watched::default())
        .list(Caller::Anonymous, None, &all_orders(1_000))
        .await
        .unwrap();
    let user = |name: &str| name.split('/').nth(1).unwrap().parse().unwrap();
    let users: BTreeSet<UserId> = page.orders.iter().map(|order| user(&order.name)).collect();
    users.into_iter().collect()
}

fn all_orders(page_size: i32) -> ListOrdersRequest {
    ListOrdersRequest {
        parent: "users/-".to_owned(),
        page_size,
        ..Default::default()
    }
}

async fn events_are_seen_in_order_and_without_gaps_while_many_write(test: &TestPlatform) {
    let (scope, priced, watched) = (shopper(&test.platform).await, priced(), Watched::default());
    let writers = (0..12).map(|_| async {
        let placed = change::place(&test.platform, &scope, &priced, None).await.unwrap();
        watched.publish(scope.user());
        let id: i64 = placed.name.rsplit('/').next().unwrap().parse().unwrap();
        change::cancel(&test.platform, &scope, id, "").await.unwrap();
        watched.publish(scope.user());
    });
    let watchers = (0..4).map(|_| async {
        let events = watch::events(scope.clone(), &watched, 0).take(24);
        events.map(|event| event.unwrap().number).collect::<Vec<_>>().await
    });
    let (seen, _) = tokio::join!(join_all(watchers), join_all(writers));
    for numbers in seen {
        assert_eq!(numbers, (1..=24).collect::<Vec<_>>());
    }
}

async fn a_page_of_long_orders_ends_early_and_none_is_left_out(test: &TestPlatform) {
    let mut placed = Vec::new();
    // On two shards, 2 × 25 orders of 100 lines, each line as long as it may be: about 100 KB an order.
    for email in ["ada@example.com", "eve@example.com"] {
        let account = Account {
            display_name: "Ada".to_owned(),
            email: email.to_owned(),
        };
        let user = identity::create_account(&test.platform, &account).await.unwrap();
        let bucket = user.bucket();
        let order = |_| ImportedOrder {
            // An import draws no number again, so each has a millisecond of its own.
            order_id: {
                test.clock.advance_us(1_000);
                test.platform.ids.row_id(bucket)
            },
            placed_at: test.platform.clock.now_us(),
            cancelled_at: None,
            lines: (0..100)
                .map(|line| ImportedLine {
                    product: format!("products/{line:063}"),
                    display_name: "\u{1F33E}".repeat(200),
                    quantity: 1,
                    unit_price: money::of("EUR", 1),
                })
                .collect(),
        };
        let orders: Vec<_> = (0..25).map(order).collect();
        super::import(&test.platform, user, &orders).await.unwrap();
        placed.extend(orders.iter().map(|order| order.order_id));
    }
    placed.sort_unstable_by(|one, other| other.cmp(one));
    placed.dedup();

    let ordering = Ordering::new(&test.platform, &Watched::default());
    let (mut found, mut request) = (Vec::new(), all_orders(1_000));
    loop {
        let page = ordering.list(Caller::Anonymous, None, &request).await.unwrap();
        assert!(page.encoded_len() < 4 << 20, "{} bytes", page.encoded_len());
        assert!(page.orders.len() >= 20, "{} orders", page.orders.len());
        let id = |name: &str| name.rsplit('/').next().unwrap().parse::<i64>().unwrap();
        found.extend(page.orders.iter().map(|order| id(&order.name)));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(found, placed);
}

async fn sample_data_is_made_once_and_listed_over_all_shards(test: &TestPlatform) {
    let first = sample::seed(&test.platform, 1).await.unwrap();
    let again = sample::seed(&test.platform, 2).await.unwrap();
    assert!(first.new && !again.new);
    assert_eq!((again.seed, again.orders), (1, first.orders));

    let ordering = Ordering::new(&test.platform, &Watched::default());
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
