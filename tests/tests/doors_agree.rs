//! One promise: a call means the same through REST, gRPC and gRPC-Web. The matrix of doors and kinds of calls is
//! complete, and each row compares whole answers.

use std::time::Duration;

use millrace_tests::door::{Answer, Call, DOORS, Door};
use millrace_tests::platform::TestPlatform;
use millrace_tests::shop::{self, PRICE, Shopper, text};
use serde_json::{Value, json};

const ORDERING: &str = "millrace.ordering.v1.OrderingService";

/// What every door is asked.
struct Case {
    name: &'static str,
    call: Call,
    /// gRPC code, reason, and HTTP status over REST.
    expected: (i64, &'static str, u16),
}

/// A platform with two shoppers, one of whom has an order.
struct Shop {
    platform: TestPlatform,
    shopper: Shopper,
    other: Shopper,
    product: String,
    order: String,
}

impl Shop {
    async fn open() -> Self {
        let platform = TestPlatform::dev().await;
        let operator = shop::operator(&platform);
        let (shopper, other) = (Shopper::new(&operator).await, Shopper::new(&operator).await);
        let product = shop::product(&operator).await;
        let order = text(&shopper.order(&product, 2).await, "name");
        Self {
            platform,
            shopper,
            other,
            product,
            order,
        }
    }

    async fn ask(&self, call: &Call) -> Vec<(Door, Answer)> {
        let mut answers = Vec::new();
        for door in DOORS {
            answers.push((door, call.through(door, self.platform.public).await));
        }
        answers
    }
}

fn ordering(method: &str, request: Value) -> Call {
    Call::new(&format!("{ORDERING}/{method}"), request)
}

#[tokio::test]
async fn every_door_gives_the_same_answer() {
    let shop = Shop::open().await;
    let (user, key, order, product) = (&shop.shopper.name, &shop.shopper.key, &shop.order, &shop.product);
    let get = |name: &str| ordering("GetOrder", json!({"name": name}));
    let watch = |after: i64| ordering("WatchOrders", json!({"parent": user, "after": after}));
    let create = |lines: Value| ordering("CreateOrder", json!({"parent": user, "order": {"lines": lines}}));
    let line = |product: &str, quantity: i64| json!([{"product": product, "quantity": quantity}]);
    let soon = Duration::from_millis(400);

    let cases = [
        Case {
            name: "unary",
            call: get(order).key(key),
            expected: (0, "", 200),
        },
        Case {
            name: "unary, a list",
            call: ordering("ListOrders", json!({"parent": user, "pageSize": 10})).key(key),
            expected: (0, "", 200),
        },
        Case {
            name: "unary, sent twice",
            call: ordering(
                "CreateOrder",
                json!({"parent": user, "order": {"lines": line(product, 1)}, "requestId": "doors"}),
            )
            .key(key),
            expected: (0, "", 201),
        },
        Case {
            name: "error with details",
            call: create(line(product, -1)).key(key),
            expected: (3, "INVALID_FIELD", 400),
        },
        Case {
            name: "error with details, many",
            call: create((0..40).map(|_| json!({"product": "nonsense", "quantity": 0})).collect()).key(key),
            expected: (3, "INVALID_FIELD", 400),
        },
        Case {
            name: "error, a reason with an HTTP status of its own",
            call: ordering(
                "CreateOrder",
                json!({"parent": user, "order": {"lines": line(product, 9)}, "requestId": "doors"}),
            )
            .key(key),
            expected: (3, "IDEMPOTENCY_KEY_REUSED", 422),
        },
        Case {
            name: "error, not found",
            call: get(&format!("{user}/orders/1")).key(key),
            expected: (5, "NOT_FOUND", 404),
        },
        Case {
            name: "error before the first message of a stream",
            call: watch(-1).key(key),
            expected: (3, "INVALID_FIELD", 400),
        },
        Case {
            name: "deadline",
            call: get(order).key(key).deadline(Duration::ZERO),
            expected: (4, "DEADLINE_EXCEEDED", 504),
        },
        Case {
            name: "stream, ended by its deadline",
            call: watch(0).key(key).deadline(soon),
            expected: (4, "DEADLINE_EXCEEDED", 200),
        },
        Case {
            name: "stream without a message, ended by its deadline",
            call: ordering("WatchOrders", json!({"parent": shop.other.name}))
                .key(&shop.other.key)
                .deadline(soon),
            expected: (4, "DEADLINE_EXCEEDED", 504),
        },
        Case {
            name: "deadline that is none",
            call: get(order).key(key).header("grpc-timeout", "soon"),
            expected: (3, "INVALID_FIELD", 400),
        },
        Case {
            name: "unauthenticated",
            call: get(order),
            expected: (16, "UNAUTHENTICATED", 401),
        },
        Case {
            name: "unauthenticated, a stream",
            call: watch(0),
            expected: (16, "UNAUTHENTICATED", 401),
        },
        Case {
            name: "unauthenticated, a key that is none",
            call: get(order).key("mr_dev_nonsense"),
            expected: (16, "UNAUTHENTICATED", 401),
        },
        Case {
            name: "foreign object",
            call: get(order).key(&shop.other.key),
            expected: (5, "NOT_FOUND", 404),
        },
        Case {
            name: "foreign object, a stream",
            call: watch(0).key(&shop.other.key),
            expected: (5, "NOT_FOUND", 404),
        },
        Case {
            name: "foreign object that does not exist",
            call: get(&format!("{user}/orders/1")).key(&shop.other.key),
            expected: (5, "NOT_FOUND", 404),
        },
        Case {
            name: "for operators only",
            call: ordering("ListOrders", json!({"parent": "users/-"})).key(key),
            expected: (7, "PERMISSION_DENIED", 403),
        },
    ];

    let mut complaints = Vec::new();
    for case in &cases {
        let answers = shop.ask(&case.call).await;
        let (code, reason, http) = case.expected;
        let (_, first) = &answers[0];
        for (door, answer) in &answers {
            if (answer.code(), answer.reason().as_str()) != (code, reason) {
                complaints.push(format!(
                    "{} through {door}: {} instead of {code} {reason}",
                    case.name, answer.status
                ));
            } else if answer.status != first.status || answer.messages != first.messages {
                complaints.push(format!(
                    "{} through {door} differs:\n    {answer:?}\n    {first:?}",
                    case.name
                ));
            }
            let expected_http = if *door == Door::Rest { http } else { 200 };
            if answer.http != expected_http {
                complaints.push(format!(
                    "{} through {door}: HTTP {} instead of {expected_http}",
                    case.name, answer.http
                ));
            }
            if answer.headers.get("x-request-id").is_none() {
                complaints.push(format!("{} through {door}: no x-request-id", case.name));
            }
        }
    }
    assert!(complaints.is_empty(), "\n  {}\n", complaints.join("\n  "));
}

#[tokio::test]
async fn every_door_writes_the_same_row() {
    let shop = Shop::open().await;
    for door in DOORS {
        let request = json!({"parent": shop.shopper.name, "order": shop::order_of(&shop.product, 4)});
        let created = ordering("CreateOrder", request)
            .key(&shop.shopper.key)
            .through(door, shop.platform.public)
            .await;
        let mut created = created.message().clone();
        assert_eq!(created["total"]["minorUnits"], (4 * PRICE).to_string(), "{door}");

        let get = ordering("GetOrder", json!({"name": created["name"]})).key(&shop.shopper.key);
        for (other, answer) in shop.ask(&get).await {
            let mut read = answer.message().clone();
            created["events"] = read["events"].take();
            read["events"] = created["events"].clone();
            assert_eq!(read, created, "created through {door}, read through {other}");
        }
    }
}
