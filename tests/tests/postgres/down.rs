//! `serve` with a shard whose server is down at the start: the others' users are served, and it joins by itself.

use std::net::{SocketAddr, TcpListener as StdListener};

use millrace_tests::rest::{Reply, Rest};
use millrace_tests::shop::{self, Shopper};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

use super::databases::{Databases, SHARDS};
use super::shard_of;

/// An address where nobody listens until [`Server::come_back`].
struct Server {
    here: SocketAddr,
    real: String,
}

impl Server {
    /// Takes the URL of a database, and returns it with the address of a server that is down.
    fn down(url: &str) -> (Self, String) {
        let free = StdListener::bind("127.0.0.1:0").unwrap();
        let here = free.local_addr().unwrap();
        drop(free);
        let (scheme_and_user, rest) = url.split_once('@').unwrap();
        let (real, database) = rest.split_once('/').unwrap();
        let server = Self {
            here,
            real: real.to_owned(),
        };
        (server, format!("{scheme_and_user}@{here}/{database}"))
    }

    /// Listens, and passes all on to the real server.
    async fn come_back(self) {
        let listener = TcpListener::bind(self.here).await.unwrap();
        tokio::spawn(async move {
            while let Ok((mut from, _)) = listener.accept().await {
                let real = self.real.clone();
                tokio::spawn(async move {
                    let mut to = TcpStream::connect(real).await.unwrap();
                    // Either end may go first.
                    let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
                });
            }
        });
    }
}

/// Asks again until the answer is as expected, for ten seconds at most.
async fn until(mut ask: impl AsyncFnMut() -> Reply, expected: impl Fn(&Reply) -> bool) -> Reply {
    let mut reply = ask().await;
    for _ in 0..100 {
        if expected(&reply) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        reply = ask().await;
    }
    assert!(expected(&reply), "{reply:?}");
    reply
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./tests/run starts it"]
async fn serve_starts_without_a_shard_and_takes_it_in_when_it_is_back() {
    let databases = Databases::migrated().await;
    let mut settings = databases.settings();
    let key = settings.first_key();
    let platform = settings.serve().await;
    let operator = Rest::new(platform.public).with_key(&key);
    let product = shop::product(&operator).await;
    let mut shoppers: Vec<Option<Shopper>> = vec![None; SHARDS.into()];
    while shoppers.iter().any(Option::is_none) {
        let shopper = Shopper::new(&operator).await;
        let shard = shard_of(&shopper.name);
        shoppers[shard] = Some(shopper);
    }
    let shoppers: Vec<Shopper> = shoppers.into_iter().flatten().collect();
    // The operator's key is a row of the operator's shard: another one is down.
    let operator_name = operator.get("/v1/users/me").await.expect(200)["name"].clone();
    let lost = (shard_of(operator_name.as_str().unwrap()) + 1) % usize::from(SHARDS);
    platform.kill();

    let (server, url) = Server::down(&settings.shards[lost]);
    settings.shards[lost] = url;
    // Who changes all shards wants all of them.
    let migrate = settings.run(&["migrate"]);
    assert_eq!(migrate.code, 4, "{migrate:?}");
    assert!(migrate.err.contains(&format!("shard {lost}")), "{}", migrate.err);

    let platform = settings.serve().await;
    let (operator, admin) = (Rest::new(platform.public).with_key(&key), Rest::new(platform.admin));
    let readiness = admin.get("/readiness").await.expect(200);
    let down = json!([{"database": format!("shard {lost}"), "reason": "it has been down since the start"}]);
    assert_eq!(readiness, json!({"status": "ready", "unreachable": down}));
    for (shard, shopper) in shoppers.iter().enumerate() {
        let own = Rest::new(platform.public).with_key(&shopper.key);
        let path = format!("/v1/{}/orders", shopper.name);
        if shard != lost {
            own.post(&path, &shop::order_of(&product, 1)).await.expect(201);
            continue;
        }
        // The shopper's own key is on the shard as well; the operator's is not.
        for rest in [&own, &operator] {
            let reply = rest.get(&path).await;
            reply.refuses(503, "STORE_UNAVAILABLE");
            let status = reply.json().to_string();
            assert!(status.contains(&format!("shard {lost} cannot be reached")), "{status}");
            assert!(
                status.contains("RetryInfo") && !status.contains("127.0.0.1"),
                "{status}"
            );
        }
    }
    let partial = operator
        .get("/v1/users/-/orders?returnPartialSuccess=true")
        .await
        .expect(200);
    assert_eq!(partial["unreachable"], json!([format!("shards/{lost}")]));

    server.come_back().await;
    let own = Rest::new(platform.public).with_key(&shoppers[lost].key);
    until(
        async || own.get("/v1/users/me/orders").await,
        |reply| reply.status.is_success(),
    )
    .await;
    let path = format!("/v1/{}/orders", shoppers[lost].name);
    // Of one key, so that it is one order however often it is asked for.
    let order = shop::order_of(&product, 1);
    let placed = until(
        async || own.post_keyed(&path, "k", &order).await,
        |reply| reply.status.is_success(),
    );
    placed.await.expect(201);
    let ready = json!({"status": "ready"});
    until(async || admin.get("/readiness").await, |reply| reply.json() == ready).await;
}
