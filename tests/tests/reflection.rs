//! What somebody finds who has only grpcurl and the address: services, comments, rules, calls, readable errors.

use millrace_tests::parts::{Printed, grpcurl};
use millrace_tests::platform::TestPlatform;
use millrace_tests::shop::{self, Shopper};
use serde_json::{Value, json};

#[tokio::test]
#[ignore = "needs grpcurl: ./tests/run installs it"]
async fn grpcurl_lists_describes_and_calls() {
    let platform = TestPlatform::dev().await;
    let address = platform.public.to_string();
    let shopper = Shopper::new(&shop::operator(&platform)).await;
    let product = shop::product(&shop::operator(&platform)).await;

    let listed = good(grpcurl(&[&address, "list"]));
    for service in [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "millrace.catalog.v1.CatalogService",
        "millrace.identity.v1.IdentityService",
        "millrace.ordering.v1.OrderingService",
    ] {
        assert!(
            listed.lines().any(|line| line == service),
            "{service} is not in:\n{listed}"
        );
    }
    let methods = good(grpcurl(&[&address, "list", "millrace.ordering.v1.OrderingService"]));
    assert!(
        methods.contains("millrace.ordering.v1.OrderingService.WatchOrders"),
        "{methods}"
    );

    // Comments, REST rules and our own options travel with the descriptors.
    let described = good(grpcurl(&[
        &address,
        "describe",
        "millrace.ordering.v1.OrderingService.CancelOrder",
    ]));
    for part in [
        "Cancels an order that is PLACED, AUTHORIZED or RESERVED",
        "google.api.http",
        ":cancel",
        "POLICY_OWNER",
    ] {
        assert!(described.contains(part), "no {part} in:\n{described}");
    }
    let described = good(grpcurl(&[&address, "describe", "millrace.ordering.v1.Order"]));
    assert!(described.contains("Sum over the lines"), "{described}");
    good(grpcurl(&[&address, "describe", "google.rpc.ErrorInfo"]));

    // Calls, with a key and with a deadline.
    let authorization = format!("authorization: Bearer {}", shopper.key);
    let request = json!({"parent": shopper.name, "order": shop::order_of(&product, 2)}).to_string();
    let method = "millrace.ordering.v1.OrderingService/CreateOrder";
    let called = good(grpcurl(&[
        "-H",
        &authorization,
        "-max-time",
        "10",
        "-d",
        &request,
        &address,
        method,
    ]));
    let order: Value = serde_json::from_str(&called).unwrap();
    assert_eq!(order["state"], "ORDER_STATE_PLACED");

    let health = good(grpcurl(&[&address, "grpc.health.v1.Health/Check"]));
    assert!(health.contains("SERVING"), "{health}");
    let list = good(grpcurl(&[&address, "grpc.health.v1.Health/List"]));
    assert!(list.contains("millrace.ordering.v1.OrderingService"), "{list}");
}

#[tokio::test]
#[ignore = "needs grpcurl: ./tests/run installs it"]
async fn grpcurl_prints_details_readably() {
    let platform = TestPlatform::dev().await;
    let address = platform.public.to_string();
    let shopper = Shopper::new(&shop::operator(&platform)).await;
    let authorization = format!("authorization: Bearer {}", shopper.key);
    let request = json!({"parent": shopper.name, "order": {"lines": [{"product": "nonsense"}]}}).to_string();
    let method = "millrace.ordering.v1.OrderingService/CreateOrder";

    let refused = grpcurl(&["-H", &authorization, "-d", &request, &address, method]);
    assert!(!refused.success);
    for part in [
        "InvalidArgument",
        "google.rpc.ErrorInfo",
        "INVALID_FIELD",
        "google.rpc.BadRequest",
        "order.lines[0]",
    ] {
        assert!(refused.err.contains(part), "no {part} in:\n{}", refused.err);
    }
    let refused = grpcurl(&["-d", &request, &address, method]);
    for part in [
        "Unauthenticated",
        "\"reason\": \"UNAUTHENTICATED\"",
        "\"domain\": \"millrace\"",
    ] {
        assert!(refused.err.contains(part), "no {part} in:\n{}", refused.err);
    }
}

fn good(printed: Printed) -> String {
    assert!(printed.success, "{}{}", printed.out, printed.err);
    printed.out
}
