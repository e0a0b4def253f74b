//! `millrace serve` on PostgreSQL: schema, first key, the same flows as on SQLite, and databases that are not the ones
//! they should be.

mod databases;
mod down;
mod two_processes;

use millrace_tests::door::{Call, DOORS};
use millrace_tests::parts;
use millrace_tests::rest::Rest;
use millrace_tests::shop::{self, Shopper, text};
use serde_json::json;

use databases::{Databases, SHARDS, count, execute};

#[tokio::test]
#[ignore = "needs PostgreSQL: ./tests/run starts it"]
async fn the_flows_are_the_same_on_postgres() {
    let databases = Databases::migrated().await;
    let settings = databases.settings();
    let again = settings.run(&["migrate"]);
    assert!(again.success, "migrating twice does nothing: {again:?}");

    let platform = settings.serve().await;
    let operator = Rest::new(platform.public).with_key(&settings.first_key());
    // Sign-up is closed in `serve`, and so is reflection.
    Rest::new(platform.public)
        .post("/v1/users", &shop::new_user())
        .await
        .refuses(401, "UNAUTHENTICATED");

    let product = shop::product(&operator).await;
    let mut shoppers = Vec::new();
    for _ in 0..12 {
        let shopper = Shopper::new(&operator).await;
        let order = shopper.order(&product, 2).await;
        let path = format!("/v1/{}/orders", shopper.name);
        let keyed = shopper
            .rest
            .post_keyed(&path, "k", &shop::order_of(&product, 3))
            .await
            .expect(201);
        assert_eq!(
            shopper
                .rest
                .post_keyed(&path, "k", &shop::order_of(&product, 3))
                .await
                .expect(201),
            keyed
        );
        shopper
            .rest
            .post_keyed(&path, "k", &shop::order_of(&product, 4))
            .await
            .refuses(422, "IDEMPOTENCY_KEY_REUSED");
        shopper
            .rest
            .post(&format!("/v1/{}:cancel", text(&order, "name")), &json!({}))
            .await
            .expect(200);
        let call = Call::new(
            "millrace.ordering.v1.OrderingService/ListOrders",
            json!({"parent": shopper.name}),
        );
        for door in DOORS {
            let answer = call.clone().key(&shopper.key).through(door, platform.public).await;
            assert_eq!(answer.message()["orders"].as_array().unwrap().len(), 2, "{door}");
        }
        shoppers.push(shopper);
    }
    operator
        .post("/v1/users", &json!({"displayName": "A", "email": "a@example.com"}))
        .await
        .expect(201);
    operator
        .post("/v1/users", &json!({"displayName": "A", "email": "A@Example.com"}))
        .await
        .refuses(409, "ALREADY_EXISTS");
    let all = operator.get("/v1/users/-/orders?pageSize=1000").await.expect(200);
    assert_eq!(all["orders"].as_array().unwrap().len(), 24);

    for (shard, database) in databases.shards.iter().enumerate() {
        let tables =
            "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'user_id'";
        assert!(count(database, tables).await >= 4, "users, keys, orders, events");
        for table in ["users", "orders"] {
            let foreign = format!("SELECT count(*) FROM {table} WHERE user_id % {SHARDS} <> {shard}");
            assert_eq!(count(database, &foreign).await, 0, "{database}.{table}");
        }
    }
    // What is there stays there.
    let order = text(&all["orders"][0], "name");
    platform.kill();
    let platform = settings.serve().await;
    let operator = Rest::new(platform.public).with_key(&settings.first_key());
    assert_eq!(
        text(&operator.get(&format!("/v1/{order}")).await.expect(200), "name"),
        order
    );
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./tests/run starts it"]
async fn databases_that_do_not_fit_are_refused_by_name() {
    let (empty, good, other) = (
        Databases::new().await,
        Databases::migrated().await,
        Databases::migrated().await,
    );
    empty.settings().refuses(3, &["migrate"]);
    // They may be somebody else's: only `migrate` writes into empty databases.
    for database in std::iter::once(&empty.global).chain(&empty.shards) {
        let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
        assert_eq!(count(database, tables).await, 0, "{database}");
    }
    let good = good.settings();

    let mut swapped = good.clone();
    swapped.shards.swap(1, 2);
    swapped.refuses(3, &["shard 1", "shard 2"]);

    let mut fewer = good.clone();
    fewer.shards.pop();
    fewer.refuses(3, &["3", "4", "shard"]);

    let mut twice = good.clone();
    twice.shards[3] = twice.shards[2].clone();
    twice.refuses(3, &["shard 3"]);

    let mut foreign = good.clone();
    foreign.shards[0] = other.settings().shards[0].clone();
    foreign.refuses(3, &["shard 0"]);

    let mut missing = good.clone();
    missing.shards[1] = parts::postgres("no_such_database");
    missing.refuses(4, &["shard 1"]);

    let mut unreachable = good.clone();
    unreachable.global = "postgres://postgres:sekret@127.0.0.1:1/x".to_owned();
    unreachable.refuses(4, &["global"]);

    let mut nonsense = good.clone();
    nonsense.global = "mysql://root:sekret@127.0.0.1/x".to_owned();
    nonsense.refuses(3, &["global"]);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./tests/run starts it"]
async fn a_dry_run_tells_what_migrating_does() {
    let databases = Databases::new().await;
    let settings = databases.settings();
    let planned = settings.run(&["migrate", "--dry-run"]);
    assert!(planned.success, "{planned:?}");
    for database in std::iter::once(&databases.global).chain(&databases.shards) {
        let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
        assert_eq!(count(database, tables).await, 0, "{database}");
    }
    for database in ["global database", "shard 0", "shard 1", "shard 2", "shard 3"] {
        let lines = planned.out.lines().filter(|line| line.starts_with(database));
        assert!(lines.count() >= 2, "the platform's and a service's: {planned:?}");
    }
    let done = settings.run(&["migrate"]);
    assert!(done.success, "{done:?}");
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&done.out), sorted(&planned.out));
    for again in [settings.run(&["migrate", "--dry-run"]), settings.run(&["migrate"])] {
        assert!(again.success && again.out.is_empty(), "{again:?}");
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./tests/run starts it"]
async fn a_newer_database_is_left_alone() {
    let databases = Databases::migrated().await;
    let newer = "INSERT INTO schema_ledger SELECT module, '9999_from_the_future', digest, applied_at FROM schema_ledger LIMIT 1";
    execute(&databases.shards[2], newer).await;
    databases.settings().refuses(3, &["9999_from_the_future", "newer"]);
    let migrate = databases.settings().run(&["migrate"]);
    assert!(
        !migrate.success && migrate.err.contains("9999_from_the_future"),
        "{migrate:?}"
    );
}

/// The shard of a user, given the name `users/ID`.
/// Page by page, the users of all shards but one, each once; the last page names the one that is missing.
async fn lists_of_users_go_on(operator: &Rest, shoppers: &[Shopper], lost: usize) {
    operator.get("/v1/users").await.refuses(503, "STORE_UNAVAILABLE");
    let (mut names, mut token) = (Vec::new(), String::new());
    let last = loop {
        let path = format!("/v1/users?returnPartialSuccess=true&pageSize=1&pageToken={token}");
        let page = operator.get(&path).await.expect(200);
        names.extend(page["users"].as_array().unwrap().iter().map(|user| text(user, "name")));
        token = text(&page, "nextPageToken");
        if token.is_empty() {
            break page;
        }
        assert_eq!(page["unreachable"], json!([]));
    };
    assert_eq!(last["unreachable"], json!([format!("shards/{lost}")]));
    assert!(names.iter().all(|name| shard_of(name) != lost), "{names:?}");
    let ids: Vec<usize> = names
        .iter()
        .map(|name| name["users/".len()..].parse().unwrap())
        .collect();
    assert!(ids.is_sorted_by(|one, next| one < next), "by id, each once: {names:?}");
    let reachable = shoppers.iter().filter(|shopper| shard_of(&shopper.name) != lost);
    assert!(reachable.map(|shopper| &shopper.name).all(|name| names.contains(name)));
}

fn shard_of(user: &str) -> usize {
    let id: usize = user.trim_start_matches("users/").parse().unwrap();
    id % usize::from(SHARDS)
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./tests/run starts it"]
async fn a_shard_that_goes_away_fails_its_users_only_and_comes_back() {
    let databases = Databases::migrated().await;
    let settings = databases.settings();
    let platform = settings.serve().await;
    let operator = Rest::new(platform.public).with_key(&settings.first_key());
    let product = shop::product(&operator).await;
    let mut shoppers: Vec<Option<Shopper>> = vec![None; SHARDS.into()];
    while shoppers.iter().any(Option::is_none) {
        let shopper = Shopper::new(&operator).await;
        let shard = shard_of(&shopper.name);
        shoppers[shard] = Some(shopper);
    }
    let shoppers: Vec<Shopper> = shoppers.into_iter().flatten().collect();

    // The operator's key is a row of the operator's shard: another one goes.
    let operator_name = operator.get("/v1/users/me").await.expect(200)["name"].clone();
    let lost = (shard_of(operator_name.as_str().unwrap()) + 1) % usize::from(SHARDS);

    // Nobody may connect to it, and who is connected is thrown out.
    let gone = &databases.shards[lost];
    execute("postgres", &format!("ALTER DATABASE {gone} ALLOW_CONNECTIONS false")).await;
    execute(
        "postgres",
        &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{gone}'"),
    )
    .await;
    for (shard, shopper) in shoppers.iter().enumerate() {
        let path = format!("/v1/{}/orders", shopper.name);
        let reply = shopper.rest.post(&path, &shop::order_of(&product, 1)).await;
        if shard == lost {
            reply.refuses(503, "STORE_UNAVAILABLE");
        } else {
            reply.expect(201);
        }
    }
    operator
        .get("/v1/users/-/orders")
        .await
        .refuses(503, "STORE_UNAVAILABLE");
    let partial = operator
        .get("/v1/users/-/orders?returnPartialSuccess=true")
        .await
        .expect(200);
    assert_eq!(partial["orders"].as_array().unwrap().len(), 3);
    assert_eq!(partial["unreachable"], json!([format!("shards/{lost}")]));
    lists_of_users_go_on(&operator, &shoppers, lost).await;
    // Who is new is no user of the lost shard, and has one of the others.
    for _ in 0..12 {
        let user = operator.post("/v1/users", &shop::new_user()).await.expect(201);
        assert_ne!(shard_of(&text(&user, "name")), lost);
    }
    assert_eq!(
        Rest::new(platform.admin).get("/readiness").await.status.as_u16(),
        200,
        "most users are served"
    );

    execute("postgres", &format!("ALTER DATABASE {gone} ALLOW_CONNECTIONS true")).await;
    let mut reply = shoppers[lost].rest.get("/v1/users/me/orders").await;
    for _ in 0..50 {
        if reply.status.is_success() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        reply = shoppers[lost].rest.get("/v1/users/me/orders").await;
    }
    assert_eq!(reply.expect(200)["orders"], json!([]), "nothing half-written");
}
