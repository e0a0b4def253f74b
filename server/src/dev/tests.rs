//! The platform as `dev` starts it, in process.

use millrace_proto::catalog::v1::ListProductsRequest;
use millrace_proto::catalog::v1::catalog_service_client::CatalogServiceClient;
use millrace_proto::ordering::v1::ordering_service_client::OrderingServiceClient;
use millrace_proto::ordering::v1::{CreateOrderRequest, Order, OrderLine};
use tonic::{Code, Request};

use super::*;

fn order(product: &str, key: &str) -> Request<CreateOrderRequest> {
    let line = OrderLine {
        product: product.to_owned(),
        quantity: 2,
        ..Default::default()
    };
    let mut request = Request::new(CreateOrderRequest {
        parent: "users/me".to_owned(),
        order: Some(Order {
            lines: vec![line],
            ..Default::default()
        }),
        ..Default::default()
    });
    request
        .metadata_mut()
        .insert("authorization", format!("Bearer {key}").parse().unwrap());
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_serves_and_starts_again_with_the_same_data() {
    let folder = tempfile::tempdir().unwrap();
    let options = || DevOptions {
        sample_seed: Some(1),
        ..DevOptions::for_test(folder.path())
    };
    let dev = start(options()).await.unwrap();
    let request = ListProductsRequest::default();
    let listed = CatalogServiceClient::new(dev.running.channel())
        .list_products(request)
        .await
        .unwrap();
    let product = listed.into_inner().products[0].name.clone();

    let mut ordering = OrderingServiceClient::new(dev.running.channel());
    let key = dev.environment.api_key.clone();
    let placed = ordering.create_order(order(&product, &key)).await.unwrap().into_inner();
    assert!(
        placed.name.starts_with(&dev.environment.user),
        "`users/me` is the shopper"
    );
    let unknown = ordering.create_order(order("products/none", &key)).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    let nobody = ordering.create_order(order(&product, "mr_dev_none")).await.unwrap_err();
    assert_eq!(nobody.code(), Code::Unauthenticated);
    dev.running.shutdown();
    dev.running.wait().await;
    // Whoever holds a part of the platform keeps the folder.
    drop((dev.platform, ordering));

    let again = start(options()).await.unwrap();
    assert_eq!(
        (again.environment.api_key.as_str(), again.seeding.unwrap().new),
        (key.as_str(), false)
    );
    again.running.shutdown();
    again.running.wait().await;
}

#[tokio::test]
async fn addresses_that_others_reach_or_hold_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let listen = |address: &str| DevOptions {
        listen: Some(address.parse().unwrap()),
        ..DevOptions::for_test(folder.path())
    };
    let refused = start(listen("0.0.0.0:0")).await.err().unwrap();
    assert!(matches!(refused, DevError::Remote(_)), "{refused}");
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = start(listen(&holder.local_addr().unwrap().to_string()))
        .await
        .err()
        .unwrap();
    assert!(matches!(refused, DevError::Listen { .. }), "{refused}");
}

#[tokio::test]
async fn only_an_address_that_nobody_asked_for_gives_way() {
    let folder = tempfile::tempdir().unwrap();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap();
    let options = || DevOptions::for_test(folder.path());
    // Asked for, it is not moved even when somebody takes it after it was looked at.
    let asked = chassis_options(&Settings::default(), &options());
    assert_eq!(asked.free_port_if_taken, FreePort::default());

    let mut by_default = DevOptions {
        listen: None,
        admin_listen: None,
        ..options()
    };
    by_default.settings.server.listen = taken;
    by_default.settings.server.admin_listen = Some(taken);
    // Two defaults alike are a mistake in the settings; one of them moves out of the way of an address asked for.
    assert!(matches!(settings(&by_default), Err(DevError::Config(_))));
    by_default.admin_listen = Some(Some(taken));
    let moved = settings(&by_default);
    assert!(
        matches!(moved, Err(DevError::Listen { .. })),
        "the admin address is taken"
    );
    drop(holder);
    assert_eq!(settings(&by_default).unwrap().server.listen.port(), 0);
}
