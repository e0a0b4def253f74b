//! Who may call what: every RPC of the contract, for everybody who may knock, at every door. The expected outcome is
//! derived from the method's declared policy; a new RPC without an example request below fails here.

use std::time::Duration;

use millrace_tests::door::{Call, DOORS, Door};
use millrace_tests::platform::{Folder, TestPlatform, millrace};
use millrace_tests::rest::Rest;
use millrace_tests::schema::{self, Policy};
use millrace_tests::shop::{self, Shopper, text, unique};
use serde_json::{Value, json};

/// Who knocks.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Who {
    Anonymous,
    Other,
    Owner,
    Admin,
}

const EVERYBODY: [Who; 4] = [Who::Anonymous, Who::Other, Who::Owner, Who::Admin];

/// The things of the owner that the example requests name.
struct Things {
    user: String,
    order: String,
    spare_key: String,
    product: String,
}

/// A request that the owner, or an operator, may make with success as often as wanted.
fn example(method: &str, things: &Things) -> Value {
    let Things {
        user,
        order,
        spare_key,
        product,
    } = things;
    let price = json!({"currencyCode": "EUR", "minorUnits": "100"});
    match method {
        "millrace.catalog.v1.CatalogService/CreateProduct" => {
            json!({"product": {"displayName": "Pan", "price": price}})
        }
        "millrace.catalog.v1.CatalogService/GetProduct" => json!({"name": product}),
        "millrace.catalog.v1.CatalogService/UpdateProduct" => {
            json!({"product": {"name": product, "displayName": "Pan"}, "updateMask": "displayName"})
        }
        "millrace.catalog.v1.CatalogService/ListProducts" => json!({"pageSize": 1}),
        "millrace.catalog.v1.CatalogService/BatchGetProducts" => json!({"names": [product]}),
        "millrace.identity.v1.IdentityService/CreateUser" => json!({"user": shop::new_user()}),
        "millrace.identity.v1.IdentityService/GetUser" => json!({"name": user}),
        "millrace.identity.v1.IdentityService/UpdateUser" => {
            json!({"user": {"name": user, "displayName": "Grace"}, "updateMask": "displayName"})
        }
        "millrace.identity.v1.IdentityService/ListUsers" => json!({"pageSize": 1}),
        "millrace.identity.v1.IdentityService/CreateApiKey" => json!({"parent": user, "apiKey": {}}),
        "millrace.identity.v1.IdentityService/ListApiKeys" => json!({"parent": user}),
        "millrace.identity.v1.IdentityService/RevokeApiKey" => json!({"name": spare_key}),
        "millrace.ordering.v1.OrderingService/CreateOrder" => {
            json!({"parent": user, "order": shop::order_of(product, 1)})
        }
        "millrace.ordering.v1.OrderingService/GetOrder" => json!({"name": order}),
        "millrace.ordering.v1.OrderingService/ListOrders" => json!({"parent": user}),
        "millrace.ordering.v1.OrderingService/CancelOrder" => json!({"name": order}),
        "millrace.ordering.v1.OrderingService/WatchOrders" => json!({"parent": user}),
        unknown => panic!("{unknown} is new: add a request for it here"),
    }
}

/// The code and reason that a call ends with.
fn expected(policy: Policy, who: Who) -> (i64, &'static str) {
    match (policy, who) {
        (Policy::Unspecified, _) => panic!("a method without a policy"),
        (Policy::Public, _) | (_, Who::Admin) | (Policy::Owner, Who::Owner) => (0, ""),
        (_, Who::Anonymous) => (16, "UNAUTHENTICATED"),
        // Whether it exists is the owner's business.
        (Policy::Owner, Who::Other) => (5, "NOT_FOUND"),
        (Policy::Admin, Who::Other | Who::Owner) => (7, "PERMISSION_DENIED"),
    }
}

#[tokio::test]
async fn every_rpc_is_open_to_whom_its_policy_says_at_every_door() {
    let platform = TestPlatform::dev().await;
    let operator = shop::operator(&platform);
    let (owner, other) = (Shopper::new(&operator).await, Shopper::new(&operator).await);
    let product = shop::product(&operator).await;
    let spare = operator
        .post(&format!("/v1/{}/apiKeys", owner.name), &json!({}))
        .await
        .expect(201);
    let things = Things {
        user: owner.name.clone(),
        order: text(&owner.order(&product, 1).await, "name"),
        spare_key: text(&spare, "name"),
        product,
    };
    let admin = platform.keys().operator;
    let key_of = |who: Who| match who {
        Who::Anonymous => None,
        Who::Other => Some(other.key.as_str()),
        Who::Owner => Some(owner.key.as_str()),
        Who::Admin => Some(admin.as_str()),
    };

    let (mut asked, mut complaints) = (0, Vec::new());
    for method in schema::methods().filter(|method| method.full_name().starts_with("millrace.")) {
        let name = format!("{}/{}", method.parent_service().full_name(), method.name());
        // `dev` opens the methods that a setting may open.
        let policy = if schema::open_by(&method).is_empty() {
            schema::policy(&method)
        } else {
            Policy::Public
        };
        for who in EVERYBODY {
            for door in DOORS {
                let call = Call::new(&name, example(&name, &things)).maybe_key(key_of(who));
                if door == Door::Rest && !call.is_rest() {
                    continue;
                }
                let (mut code, reason) = expected(policy, who);
                let mut call = call;
                if method.is_server_streaming() && code == 0 {
                    // A stream that is open runs until its deadline.
                    call = call.deadline(Duration::from_millis(200));
                    code = 4;
                }
                let answer = call.through(door, platform.public).await;
                asked += 1;
                if answer.code() != code || (code != 4 && answer.reason() != reason) {
                    complaints.push(format!(
                        "{name} by {who:?} through {door}: {} instead of {code} {reason}",
                        answer.status
                    ));
                }
            }
        }
    }
    assert!(complaints.is_empty(), "\n  {}\n", complaints.join("\n  "));
    assert!(asked > 150, "only {asked} calls were made");
}

#[tokio::test]
async fn credentials_are_read_alike_at_every_door() {
    let platform = TestPlatform::dev().await;
    let shopper = Shopper::new(&shop::operator(&platform)).await;
    let call = || {
        Call::new(
            "millrace.identity.v1.IdentityService/GetUser",
            json!({"name": "users/me"}),
        )
    };
    // The last letter of a key is part of its checksum.
    let (start, last) = shopper.key.split_at(shopper.key.len() - 1);
    let forged = format!("{start}{}", if last == "a" { "b" } else { "a" });
    for door in DOORS {
        for (headers, code) in [
            (vec![], 16),
            (vec![("authorization", format!("Bearer {}", shopper.key))], 0),
            (vec![("authorization", format!("bearer {}", shopper.key))], 0),
            (vec![("x-api-key", shopper.key.clone())], 0),
            (vec![("authorization", shopper.key.clone())], 16),
            (vec![("authorization", format!("Basic {}", shopper.key))], 16),
            (vec![("authorization", format!("Bearer {forged}"))], 16),
            (vec![("authorization", "Bearer ".to_owned())], 16),
            (vec![("x-api-key", "x".repeat(4_000))], 16),
            // Nobody names a user from outside.
            (vec![("x-millrace-user", shopper.name.clone())], 16),
        ] {
            let call = headers
                .iter()
                .fold(call(), |call, (name, value)| call.header(name, value));
            let answer = call.through(door, platform.public).await;
            assert_eq!(answer.code(), code, "{headers:?} through {door}: {}", answer.status);
        }
    }
}

#[tokio::test]
async fn sign_up_is_for_operators_where_it_is_closed() {
    let folder = Folder::new();
    let data = folder.path().join("data").to_string_lossy().into_owned();
    let settings = [
        ("MILLRACE_DATABASE__DATA_DIR", data.as_str()),
        ("MILLRACE_SECRETS__PAGE_TOKEN", "[\"0123456789abcdef0123456789abcdef\"]"),
    ];
    let migrated = millrace(&["migrate"], &settings);
    assert!(migrated.success, "{migrated:?}");
    let made = millrace(&["key", "create", "--admin"], &settings);
    let admin = made.out.trim();
    assert!(made.success && admin.starts_with("mr_"), "{made:?}");

    let platform = TestPlatform::start(&folder, &["serve"], &settings).await;
    for door in DOORS {
        let request = json!({"user": shop::new_user(), "requestId": unique().to_string()});
        let call = Call::new("millrace.identity.v1.IdentityService/CreateUser", request);
        let answer = call.through(door, platform.public).await;
        assert_eq!(
            (answer.code(), answer.reason().as_str()),
            (16, "UNAUTHENTICATED"),
            "{door}: {}",
            answer.status
        );
        let answer = call.key(admin).through(door, platform.public).await;
        assert_eq!(answer.code(), 0, "{door}: {}", answer.status);
    }
}

#[tokio::test]
async fn an_open_stream_ends_when_its_key_is_revoked() {
    let platform = TestPlatform::dev().await;
    let operator = shop::operator(&platform);
    let (product, shopper) = (shop::product(&operator).await, Shopper::new(&operator).await);
    shopper.order(&product, 1).await;
    let spare = operator
        .post(&format!("/v1/{}/apiKeys", shopper.name), &json!({}))
        .await
        .expect(201);
    let path = format!("/v1/{}/orders:watch", shopper.name);
    let with_spare = Rest::new(platform.public).with_key(&text(&spare, "secret"));
    let mut revoked = with_spare.open(&path, "application/x-ndjson", &[]).await;
    let mut kept = shopper.rest.open(&path, "application/x-ndjson", &[]).await;
    for stream in [&mut revoked, &mut kept] {
        assert!(stream.next().await.unwrap().contains("\"number\":1"));
    }
    let call = Call::new(
        "millrace.ordering.v1.OrderingService/WatchOrders",
        json!({"parent": shopper.name}),
    );
    let secret = text(&spare, "secret");
    let grpc = tokio::spawn({
        let (call, address) = (call.key(&secret).deadline(Duration::from_secs(60)), platform.public);
        async move { call.through(Door::Grpc, address).await }
    });

    operator
        .post(&format!("/v1/{}:revoke", text(&spare, "name")), &json!({}))
        .await
        .expect(200);
    let ended = async {
        let mut last = String::new();
        while let Some(line) = revoked.next().await {
            last = line;
        }
        (last, grpc.await.unwrap())
    };
    let (last, answer) = tokio::time::timeout(Duration::from_secs(30), ended)
        .await
        .expect("the streams end");
    assert!(last.contains("\"error\"") && last.contains("UNAUTHENTICATED"), "{last}");
    assert_eq!(
        (answer.code(), answer.reason().as_str()),
        (16, "UNAUTHENTICATED"),
        "{}",
        answer.status
    );
    // The stream of the other key goes on.
    shopper.order(&product, 1).await;
    assert!(kept.next().await.unwrap().contains("\"number\":2"));
}
