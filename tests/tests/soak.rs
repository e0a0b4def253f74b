//! Much work in one process: no call fails, every watcher sees every event once and in order, and nothing is left over,
//! neither open files nor memory.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use http::Method;
use millrace_tests::parts;
use millrace_tests::platform::{Folder, TestPlatform};
use millrace_tests::rest::Rest;
use millrace_tests::shop::{self, Shopper, order_of, text};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

const SHOPPERS: usize = 6;
/// Orders of each shopper before the comparison.
const WARM_UP: usize = 10;
/// Between two events of one history; a debug build on a busy machine is slow.
const EVENT_MAX: Duration = Duration::from_secs(60);

/// Orders of each shopper: with `tests/run --long` the work of a long day.
fn orders_each() -> usize {
    if parts::long() { 5_000 } else { 60 }
}

#[tokio::test(flavor = "multi_thread")]
async fn much_work_leaves_nothing_over() {
    let platform = TestPlatform::dev_with(&Folder::new(), &["--no-sample-data"]).await;
    let operator = shop::operator(&platform);
    let product = shop::product(&operator).await;
    let mut shoppers = Vec::new();
    for _ in 0..SHOPPERS {
        shoppers.push(Shopper::new(&operator).await);
    }
    // The pools and what else is made with the first calls are there before the comparison begins.
    work(&platform, &shoppers, &product, 0, WARM_UP).await;
    let before = Holdings::of(&platform);
    work(&platform, &shoppers, &product, WARM_UP * 3 / 2, orders_each()).await;

    // A pool may have made a connection or two more; a file left over by each call or connection would be more.
    let files_max = before.files + 32;
    let mut after = Holdings::of(&platform);
    // The server closes its side of a connection a moment after the client did.
    for _ in 0..500 {
        if after.files <= files_max {
            break;
        }
        sleep(Duration::from_millis(20)).await;
        after = Holdings::of(&platform);
    }
    assert!(after.files <= files_max, "files: before {before:?}, after {after:?}");
    // Caches fill up; a kilobyte left over by each call of a long run would be more.
    let calls = SHOPPERS * orders_each() * 3 / 2;
    let memory_max = before.memory_kib * 2 + 32 * 1_024 + calls / 4;
    assert!(
        after.memory_kib <= memory_max,
        "memory: before {before:?}, after {after:?}, at most {memory_max} KiB"
    );
}

/// Each shopper, whose history has so many events, places so many orders and cancels every second one, while a watcher
/// follows.
async fn work(platform: &TestPlatform, shoppers: &[Shopper], product: &str, seen: usize, orders: usize) {
    let mut tasks = Vec::new();
    for shopper in shoppers {
        // Connections of their own, which end with this.
        let rest = Rest::new(platform.public).with_key(&shopper.key);
        let path = format!("/v1/{}/orders", shopper.name);
        let watcher = watch(rest, path.clone(), seen, orders * 3 / 2);
        tasks.push(tokio::spawn(watcher));
        let (address, key) = (platform.public, shopper.key.clone());
        tasks.push(tokio::spawn(place(
            address,
            key,
            path,
            order_of(product, 1).to_string(),
            orders,
        )));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

async fn place(address: SocketAddr, key: String, path: String, order: String, orders: usize) {
    for number in 0..orders {
        // A new connection each time.
        let rest = Rest::new(address).with_key(&key);
        let placed = rest.send(Method::POST, &path, &[], order.clone()).await.expect(201);
        if number % 2 == 1 {
            let cancel = format!("/v1/{}:cancel", text(&placed, "name"));
            rest.post(&cancel, &json!({})).await.expect(200);
        }
    }
}

async fn watch(rest: Rest, path: String, seen: usize, events: usize) {
    let path = format!("{path}:watch?after={seen}");
    let mut stream = rest.open(&path, "application/x-ndjson", &[]).await;
    for number in seen + 1..=seen + events {
        let line = timeout(EVENT_MAX, stream.next()).await;
        let line = line.unwrap_or_else(|_| panic!("no event {number} of {path}"));
        let line = line.unwrap_or_else(|| panic!("{path} ended before event {number}"));
        let event: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(event["number"], number, "of {path}");
    }
}

/// What a process holds.
#[derive(Debug)]
struct Holdings {
    /// Open files and sockets.
    files: usize,
    /// Resident memory.
    memory_kib: usize,
}

impl Holdings {
    /// Reads them from `/proc`; where there is none they are 0.
    fn of(platform: &TestPlatform) -> Self {
        let folder = format!("/proc/{}", platform.pid());
        let status = fs::read_to_string(format!("{folder}/status")).unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        Self {
            files: fs::read_dir(format!("{folder}/fd")).map_or(0, Iterator::count),
            memory_kib: resident
                .and_then(|value| value.split_whitespace().next()?.parse().ok())
                .unwrap_or(0),
        }
    }
}
