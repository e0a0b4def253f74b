//! What goes wrong around the platform: files that are locked, a disk that is full, ports that are taken, settings that
//! make no sense. Each gets an error that names the file or setting and the remedy, and leaves nothing half-written.

use std::net::TcpListener;

use millrace_tests::door::{Call, DOORS};
use millrace_tests::platform::{Folder, TestPlatform, millrace};
use millrace_tests::shop::{self, Shopper, order_of, text};
use serde_json::{Value, json};

#[tokio::test]
async fn a_shard_that_is_gone_fails_its_users_only() {
    let platform = TestPlatform::dev().await;
    let operator = shop::operator(&platform);
    let product = shop::product(&operator).await;
    // One shopper on each shard.
    let mut shoppers: Vec<Option<Shopper>> = vec![None; 4];
    while shoppers.iter().any(Option::is_none) {
        let shopper = Shopper::new(&operator).await;
        let id: i64 = shopper.name.trim_start_matches("users/").parse().unwrap();
        shoppers[usize::try_from(id % 4).unwrap()] = Some(shopper);
    }
    // Another process holds the write lock of shard 2.
    let lock = lock(&platform.folder().path().join("shard-002.db"));
    for (shard, shopper) in shoppers.iter().flatten().enumerate() {
        let call = Call::new(
            "millrace.ordering.v1.OrderingService/CreateOrder",
            json!({"parent": shopper.name, "order": order_of(&product, 1)}),
        );
        for door in DOORS {
            let answer = call
                .clone()
                .key(&shopper.key)
                .deadline(std::time::Duration::from_secs(8))
                .through(door, platform.public)
                .await;
            let expected = if shard == 2 { (14, "STORE_UNAVAILABLE") } else { (0, "") };
            assert_eq!(
                (answer.code(), answer.reason().as_str()),
                expected,
                "shard {shard} through {door}: {}",
                answer.status
            );
        }
    }
    drop(lock);
    let shopper = shoppers[2].as_ref().unwrap();
    let listed = shopper
        .rest
        .get(&format!("/v1/{}/orders", shopper.name))
        .await
        .expect(200);
    assert_eq!(listed["orders"], json!([]), "nothing half-written");
    shopper.order(&product, 1).await;
}

/// Holds the write lock of a SQLite database until it is dropped.
fn lock(file: &std::path::Path) -> diesel::SqliteConnection {
    use diesel::Connection;
    use diesel::connection::SimpleConnection;
    let mut connection = diesel::SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    connection.batch_execute("BEGIN IMMEDIATE").unwrap();
    connection
}

#[tokio::test]
async fn a_full_disk_is_said_and_leaves_nothing_half_written() {
    // Files may grow to this many blocks of 1,024 bytes, which a shard reaches after some hundred orders.
    let platform = TestPlatform::dev_on_small_disk(&Folder::new(), 1_500).await;
    let operator = shop::operator(&platform);
    let (product, shopper) = (shop::product(&operator).await, Shopper::new(&operator).await);
    let path = format!("/v1/{}/orders", shopper.name);
    let mut placed = 0;
    let refused = loop {
        let lines: Value = json!({"lines": [{"product": product, "quantity": 1}]});
        let reply = shopper.rest.post(&path, &lines).await;
        if reply.status.as_u16() != 201 {
            break reply;
        }
        placed += 1;
        assert!(placed < 20_000, "the disk is never full");
    };
    refused.refuses(503, "STORE_UNAVAILABLE");
    // Reading goes on, and finds what was acknowledged.
    let (mut found, mut token) = (0, String::new());
    loop {
        let page = shopper
            .rest
            .get(&format!("{path}?pageSize=1000&pageToken={token}"))
            .await
            .expect(200);
        found += page["orders"].as_array().unwrap().len();
        token = text(&page, "nextPageToken");
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(found, placed);
}

#[tokio::test]
async fn a_bad_setting_is_named_with_its_remedy() {
    let folder = Folder::new();
    let data = folder.path().to_str().unwrap();
    let dev = [
        "dev",
        "--data-dir",
        data,
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        "off",
    ];
    let missing = folder.path().join("none.toml");
    for (arguments, environment, code, says) in [
        (vec!["dev", "--lisen", "x"], vec![], 2, "--listen"),
        (vec!["serv"], vec![], 2, "'serve'"),
        (
            vec![
                "dev",
                "--data-dir",
                data,
                "--listen",
                "nowhere",
                "--admin-listen",
                "off",
            ],
            vec![],
            2,
            "listen",
        ),
        (
            vec![
                "dev",
                "--data-dir",
                data,
                "--listen",
                "0.0.0.0:0",
                "--admin-listen",
                "off",
            ],
            vec![],
            3,
            "loopback",
        ),
        ([&dev[..], &["--shards", "0"]].concat(), vec![], 2, "shards"),
        ([&dev[..], &["--shards", "65"]].concat(), vec![], 2, "64"),
        (
            dev.to_vec(),
            vec![("MILLRACE_SERVER__LISTNE", "127.0.0.1:1")],
            3,
            "listen",
        ),
        (dev.to_vec(), vec![("MILLRACE_LIMITS__CALLS", "many")], 3, "calls"),
        (
            vec!["serve", "--config", missing.to_str().unwrap()],
            vec![],
            3,
            "none.toml",
        ),
        (vec!["serve"], vec![], 3, "database"),
    ] {
        let printed = millrace(&arguments, &environment);
        assert_eq!(printed.code, code, "{arguments:?} {environment:?}: {printed:?}");
        assert!(
            printed.err.to_lowercase().contains(says),
            "{arguments:?} {environment:?} does not say {says:?}: {}",
            printed.err
        );
        assert!(!printed.err.contains("panicked"), "{}", printed.err);
    }

    // A port that is taken, when it was asked for.
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let printed = millrace(
        &["dev", "--data-dir", data, "--listen", &taken, "--admin-listen", "off"],
        &[],
    );
    assert_eq!(printed.code, 4, "{printed:?}");
    assert!(printed.err.contains(&taken), "{}", printed.err);

    // A data folder that cannot be written: a file is in its place.
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let printed = millrace(
        &[
            "dev",
            "--data-dir",
            file.to_str().unwrap(),
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "off",
        ],
        &[],
    );
    assert!(printed.code == 4 || printed.code == 3, "{printed:?}");
    assert!(printed.err.contains(file.to_str().unwrap()), "{}", printed.err);
}
