//! A service that the platform has never heard of: its crate is `tests/fixtures/new_service`, and one line mounts it.
//! All else follows from its descriptors: REST, reflection, health, OpenAPI, rights, metrics, tables.

use std::pin::Pin;
use std::sync::Arc;

use http::Method;
use millrace_chassis::caller::Authenticator;
use millrace_chassis::chassis::{Options, Running};
use millrace_chassis::clock::Clock;
use millrace_chassis::config::{Database, Server};
use millrace_chassis::id::Ids;
use millrace_chassis::page::PageTokens;
use millrace_chassis::shard::{Shards, StoreError, UserId};
use millrace_chassis::{Caller, Chassis, Module, Platform};
use millrace_tests::parts::grpcurl;
use millrace_tests::rest::Rest;
use serde_json::json;
use tempfile::TempDir;

/// The one line.
fn shipping(platform: &Platform) -> Vec<Module> {
    vec![new_service_fixture::module(platform)]
}

/// Keys of the form `user:7` and `admin:7`: whose keys they are is not what is tested here.
struct TestKeys;

impl Authenticator for TestKeys {
    fn authenticate<'a>(
        &'a self,
        credential: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Option<Caller>, StoreError>> + Send + 'a>> {
        let caller = credential.split_once(':').and_then(|(kind, user)| {
            let (user, admin): (UserId, _) = (user.parse().ok()?, kind == "admin");
            Some(Caller::Key { user, key_id: 1, admin })
        });
        Box::pin(async move { Ok(caller) })
    }
}

/// A platform in this process with services of a test's own.
pub(super) struct InProcess {
    pub(super) running: Running,
    _folder: TempDir,
}

impl InProcess {
    pub(super) async fn start(modules: impl FnOnce(&Platform) -> Vec<Module>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let ids = Ids::system(clock.clone());
        let database = Database::Embedded {
            data_dir: folder.path().to_owned(),
            shards: 4,
        };
        let platform = Platform {
            shards: Shards::open(&database, clock.clone(), ids.clone()).await.unwrap(),
            pages: PageTokens::new(&["secret".to_owned()], clock.clone()),
            local: Default::default(),
            clock,
            ids,
        };
        let server = Server {
            listen: ([127, 0, 0, 1], 0).into(),
            admin_listen: Some(([127, 0, 0, 1], 0).into()),
            reflection: true,
            ..Server::default()
        };
        let chassis = Chassis::new(
            platform.clone(),
            Options {
                server,
                ..Options::default()
            },
        )
        .mount([Module::new("keys", new_service_fixture::FILE_DESCRIPTOR_SET).authenticator(Arc::new(TestKeys))])
        .mount(modules(&platform));
        chassis.migrate().await.unwrap();
        Self {
            running: chassis.start().await.unwrap(),
            _folder: folder,
        }
    }

    fn rest(&self, key: &str) -> Rest {
        Rest::new(self.running.public_addr).with_key(key)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_found_everywhere() {
    let platform = InProcess::start(shipping).await;
    let (owner, other, admin) = (
        platform.rest("user:7"),
        platform.rest("user:8"),
        platform.rest("admin:1"),
    );
    let anonymous = Rest::new(platform.running.public_addr);

    // REST, and the table on the user's shard.
    let body = json!({"address": "1 Mill Lane, Leeds"});
    let made = owner.post("/v1/users/7/shipments", &body).await;
    let shipment = made.expect(201);
    let name = shipment["name"].as_str().unwrap();
    assert_eq!(made.header("location"), format!("/v1/{name}"));
    assert_eq!(owner.get(&format!("/v1/{name}")).await.expect(200), shipment);
    assert_eq!(owner.get("/v1/users/me/shipments/1").await.status, 404);
    owner
        .post("/v1/users/7/shipments", &json!({"address": ""}))
        .await
        .refuses(400, "INVALID_FIELD");

    // Both versions, side by side, on the same rows.
    let second = owner.get(&format!("/v2/{name}")).await.expect(200);
    assert_eq!(second["address"]["lines"], json!(["1 Mill Lane", "Leeds"]));

    // Rights, from its options alone.
    for version in ["v1", "v2"] {
        let path = format!("/{version}/{name}");
        anonymous.get(&path).await.refuses(401, "UNAUTHENTICATED");
        other.get(&path).await.refuses(404, "NOT_FOUND");
        admin.get(&path).await.expect(200);
    }
    assert_eq!(
        anonymous.get("/v1/carriers").await.expect(200)["carriers"]
            .as_array()
            .unwrap()
            .len(),
        2
    );

    // OpenAPI, with its comments.
    let document = anonymous.get("/openapi.json").await.expect(200);
    let text = document.to_string();
    for part in [
        "/v1/carriers",
        "/v2/users/{",
        "Where it goes; 1 to 200 characters.",
        "Lists who carries parcels.",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }

    // Metrics.
    let metrics = Rest::new(platform.running.admin_addr.unwrap()).get("/metrics").await;
    let text = String::from_utf8_lossy(&metrics.body).into_owned();
    for method in [
        "acme.shipping.v1.ShippingService/CreateShipment",
        "acme.shipping.v2.ShippingService/GetShipment",
    ] {
        assert!(text.contains(method), "no {method} in:\n{text}");
    }
    // A route of nobody stays nobody's.
    assert_eq!(anonymous.send(Method::GET, "/v1/shipments", &[], "").await.status, 404);
    platform.running.shutdown();
    platform.running.wait().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs grpcurl: ./tests/run installs it"]
async fn grpcurl_finds_both_versions() {
    let platform = InProcess::start(shipping).await;
    let address = platform.running.public_addr.to_string();
    // grpcurl blocks its thread, so the platform runs on others.
    let ask = |arguments: Vec<String>| {
        tokio::task::spawn_blocking(move || grpcurl(&arguments.iter().map(String::as_str).collect::<Vec<_>>()))
    };

    let listed = ask(vec![address.clone(), "list".into()]).await.unwrap();
    for service in [
        "acme.shipping.v1.ShippingService",
        "acme.shipping.v2.ShippingService",
        "grpc.health.v1.Health",
    ] {
        assert!(
            listed.out.lines().any(|line| line == service),
            "no {service} in {listed:?}"
        );
    }
    let described = ask(vec![
        address.clone(),
        "describe".into(),
        "acme.shipping.v2.Address".into(),
    ])
    .await
    .unwrap();
    assert!(
        described.out.contains("Its lines, as they are printed"),
        "{described:?}"
    );
    for service in ["acme.shipping.v1.ShippingService", "acme.shipping.v2.ShippingService"] {
        let request = format!("{{\"service\": \"{service}\"}}");
        let health = ask(vec![
            "-d".into(),
            request,
            address.clone(),
            "grpc.health.v1.Health/Check".into(),
        ])
        .await
        .unwrap();
        assert!(health.out.contains("\"SERVING\""), "{service}: {health:?}");
    }
    let called = ask(vec![
        address.clone(),
        "acme.shipping.v1.ShippingService/ListCarriers".into(),
    ])
    .await
    .unwrap();
    assert!(called.out.contains("Slow Boat"), "{called:?}");
    platform.running.shutdown();
    platform.running.wait().await;
}
