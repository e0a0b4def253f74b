//! Two processes on the same databases: what one does, watchers of the other see in order; a request that goes to both
//! is carried out once; and a duplicate waits for the first as long as its own deadline allows, not longer.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use millrace_tests::door::{Call, Door};
use millrace_tests::parts;
use millrace_tests::platform::TestPlatform;
use millrace_tests::rest::Rest;
use millrace_tests::shop::{self, Shopper, order_of, text};
use serde_json::{Value, json};

use super::databases::{Databases, SHARDS};

/// Far longer than what is waited for takes.
const LONG: Duration = Duration::from_secs(30);

struct Two {
    databases: Databases,
    platforms: [TestPlatform; 2],
    product: String,
    shopper: Shopper,
}

impl Two {
    async fn start() -> Self {
        let databases = Databases::migrated().await;
        let settings = databases.settings();
        let platforms = [settings.serve().await, settings.serve().await];
        let operator = Rest::new(platforms[0].public).with_key(&settings.first_key());
        Self {
            product: shop::product(&operator).await,
            shopper: Shopper::new(&operator).await,
            databases,
            platforms,
        }
    }

    /// The shopper at one of the processes.
    fn rest(&self, platform: usize) -> Rest {
        Rest::new(self.platforms[platform].public).with_key(&self.shopper.key)
    }

    fn path(&self, after: &str) -> String {
        format!("/v1/{}/orders{after}", self.shopper.name)
    }

    /// Places an order at one of the processes as a client does: what is refused for now is sent again, as it was.
    async fn place(&self, platform: usize, key: &str) -> Value {
        let (rest, path, body) = (self.rest(platform), self.path(""), order_of(&self.product, 1));
        for _ in 0..200 {
            let reply = rest.post_keyed(&path, key, &body).await;
            match reply.status.as_u16() {
                503 => reply.refuses(503, "STORE_UNAVAILABLE"),
                409 => reply.refuses(409, "IN_PROGRESS"),
                _ => return reply.expect(201),
            };
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("refused, again and again");
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./tests/run starts it"]
async fn a_watcher_sees_what_both_do_in_order_and_without_gaps() {
    let two = Two::start().await;
    // The stream's headers come with its first event.
    two.place(0, "first").await;
    let mut lines = two.rest(0).open(&two.path(":watch"), "application/x-ndjson", &[]).await;
    let keys: Vec<String> = (0..20).map(|n| format!("order {n}")).collect();
    let writes = keys.iter().enumerate().map(|(n, key)| two.place(n % 2, key));
    join_all(writes).await;
    // The last one is the other process's alone: nothing in this one says that there is something to read.
    two.place(1, "last").await;
    let mut seen = Vec::new();
    while seen.len() < 22 {
        let line = tokio::time::timeout(LONG, lines.next()).await.unwrap().unwrap();
        let event: Value = serde_json::from_str(&line).unwrap();
        seen.push(event["number"].as_i64().unwrap());
    }
    assert_eq!(seen, (1..=22).collect::<Vec<_>>());
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./tests/run starts it"]
async fn one_request_at_two_processes_is_one_order() {
    let two = Two::start().await;
    let orders = join_all((0..20).map(|n| two.place(n % 2, "once"))).await;
    assert!(orders.iter().all(|order| *order == orders[0]), "{orders:?}");
    let listed = two.rest(0).get(&two.path("")).await.expect(200);
    assert_eq!(listed["orders"].as_array().unwrap().len(), 1);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./tests/run starts it"]
async fn a_duplicate_waits_until_its_deadline_and_not_longer() {
    let two = Two::start().await;
    let user: usize = two.shopper.name.trim_start_matches("users/").parse().unwrap();
    let shard = &two.databases.shards[user % usize::from(SHARDS)];
    let (client, connection) = tokio_postgres::connect(&parts::postgres(shard), tokio_postgres::NoTls)
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    // Somebody holds the user's row: the first call has claimed its request id and waits.
    let lock = format!("BEGIN; SELECT 1 FROM users WHERE user_id = {user} FOR UPDATE");
    client.simple_query(&lock).await.unwrap();
    let (rest, path, body) = (two.rest(0), two.path(""), order_of(&two.product, 1));
    let first = tokio::spawn({
        let (rest, path, body) = (rest.clone(), path.clone(), body.clone());
        async move { rest.post_keyed(&path, "held", &body).await }
    });
    let waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while client.simple_query(waiting).await.unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }

    let duplicate = Call::new(
        "millrace.ordering.v1.OrderingService/CreateOrder",
        json!({"parent": two.shopper.name, "order": body, "requestId": "held"}),
    );
    let answer = duplicate
        .key(&two.shopper.key)
        .deadline(Duration::from_millis(300))
        .through(Door::Grpc, two.platforms[1].public)
        .await;
    assert_eq!(answer.code(), 4, "{answer:?}");

    client.simple_query("COMMIT").await.unwrap();
    let placed = first.await.unwrap().expect(201);
    let again = two.rest(1).post_keyed(&path, "held", &body).await.expect(201);
    assert_eq!(again, placed);
    let names: BTreeSet<String> = rest.get(&path).await.expect(200)["orders"]
        .as_array()
        .unwrap()
        .iter()
        .map(|order| text(order, "name"))
        .collect();
    assert_eq!(names.len(), 1, "{names:?}");
    drop(client);
    connection.await.unwrap().unwrap();
}
