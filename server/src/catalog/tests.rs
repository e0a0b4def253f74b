//! The catalog's RPCs, on both engines.

use millrace_chassis::Caller;
use millrace_chassis::idempotency::ClaimError;
use millrace_chassis::status::Fault;
use millrace_proto::catalog::v1::{
    BatchGetProductsRequest, CreateProductRequest, GetProductRequest, ListProductsRequest, Product,
    UpdateProductRequest,
};
use prost::Message;

use super::Error;
use super::rpc::{BATCH_MAX, Catalog};
use crate::money;
use crate::testing::TestPlatform;

crate::testing::on_both_engines!(
    a_product_is_created_once_for_one_request,
    an_update_needs_the_present_etag_if_it_sends_one,
    products_are_listed_page_by_page_and_fetched_in_order,
    the_largest_batch_and_page_fit_into_a_message,
);

fn product(display_name: &str) -> Option<Product> {
    Some(Product {
        display_name: display_name.to_owned(),
        price: Some(money::of("EUR", 450)),
        ..Default::default()
    })
}

fn create(id: &str, display_name: &str, request_id: &str) -> CreateProductRequest {
    CreateProductRequest {
        product_id: id.to_owned(),
        product: product(display_name),
        request_id: request_id.to_owned(),
    }
}

async fn a_product_is_created_once_for_one_request(test: &TestPlatform) {
    let catalog = Catalog::new(&test.platform);
    // Without an id of the caller's a retry could not know what it made.
    let first = catalog.create(create("", "Tea", "a1")).await.unwrap();
    assert_eq!(catalog.create(create("", "Tea", "a1")).await.unwrap(), first);
    let reused = catalog.create(create("", "Pot", "a1")).await;
    assert!(matches!(reused, Err(Error::Claim(ClaimError::Reused))), "{reused:?}");

    catalog.create(create("tea", "Tea", "")).await.unwrap();
    let taken = catalog.create(create("tea", "Tea", "a2")).await;
    assert!(matches!(taken, Err(Error::Exists(_))), "{taken:?}");
    let invalid = catalog.create(create("Tea", "", "")).await;
    let Err(Error::Invalid(violations)) = invalid else {
        panic!("{invalid:?}")
    };
    let fields: Vec<_> = violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["product_id", "product.display_name"]);
}

async fn an_update_needs_the_present_etag_if_it_sends_one(test: &TestPlatform) {
    let catalog = Catalog::new(&test.platform);
    let made = catalog.create(create("tea", "Tea", "")).await.unwrap();
    let update = |display_name: &str, etag: &str| UpdateProductRequest {
        product: Some(Product {
            name: "products/tea".to_owned(),
            display_name: display_name.to_owned(),
            etag: etag.to_owned(),
            ..Default::default()
        }),
        update_mask: None,
    };
    let changed = catalog.update(update("Green tea", &made.etag)).await.unwrap();
    assert_eq!(
        (changed.display_name.as_str(), &changed.price),
        ("Green tea", &made.price)
    );
    // The answer was lost, and the call is made again: it finds what it asks for, and changes nothing.
    let again = catalog.update(update(" Green tea", &made.etag)).await.unwrap();
    assert_eq!(again, changed);
    test.clock.advance_us(1);
    assert_eq!(catalog.update(update("Green tea", "")).await.unwrap(), changed);
    let refused = catalog.update(update("Black tea", &made.etag)).await;
    assert!(matches!(refused, Err(Error::EtagMismatch(_))), "{refused:?}");
    let name = "products/tea".to_owned();
    // The refused change has left no trace, not even in the version.
    assert_eq!(catalog.get(&GetProductRequest { name }).await.unwrap(), changed);
    catalog.update(update("Black tea", "")).await.unwrap();
}

async fn products_are_listed_page_by_page_and_fetched_in_order(test: &TestPlatform) {
    let catalog = Catalog::new(&test.platform);
    // In the order of their bytes, whatever the database's own is.
    for id in ["ab", "a", "a-c", "a1", "a-b"] {
        catalog.create(create(id, id, "")).await.unwrap();
    }
    let (mut found, mut page_token) = (Vec::new(), String::new());
    for size in [2, 2, 1] {
        let request = ListProductsRequest {
            page_size: 2,
            page_token,
        };
        let page = catalog.list(Caller::Anonymous, &request).await.unwrap();
        assert_eq!(page.products.len(), size);
        found.extend(page.products.into_iter().map(|product| product.display_name));
        page_token = page.next_page_token;
    }
    assert_eq!((found.join(" ").as_str(), page_token.as_str()), ("a a-b a-c a1 ab", ""));
    // What the caller hears is what the page says, field by field.
    for (page_size, page_token, field, rule) in [
        (-1, "", "page_size", "must not be negative"),
        (1, "old", "page_token", "start again from the first page"),
    ] {
        let page_token = page_token.to_owned();
        let refused = catalog
            .list(Caller::Anonymous, &ListProductsRequest { page_size, page_token })
            .await;
        let violations = refused.expect_err("the page is refused").violations();
        assert_eq!(violations.len(), 1);
        assert_eq!(violations[0].field, field);
        assert!(violations[0].description.contains(rule), "{violations:?}");
    }

    let names = |ids: &[&str]| BatchGetProductsRequest {
        names: ids.iter().map(|id| format!("products/{id}")).collect(),
    };
    let fetched = catalog.batch_get(&names(&["ab", "a", "ab"])).await.unwrap();
    let fetched: Vec<_> = fetched
        .products
        .iter()
        .map(|product| product.display_name.as_str())
        .collect();
    assert_eq!(fetched, ["ab", "a", "ab"]);
    let missing = catalog.batch_get(&names(&["a", "x", "a1", "y"])).await;
    let Err(Error::NotFound { violations, .. }) = missing else {
        panic!("{missing:?}")
    };
    let fields: Vec<_> = violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["names[1]", "names[3]"]);
}

async fn the_largest_batch_and_page_fit_into_a_message(test: &TestPlatform) {
    let catalog = Catalog::new(&test.platform);
    let largest = |id: String| CreateProductRequest {
        product_id: id,
        product: Some(Product {
            display_name: "\u{1F33E}".repeat(200),
            description: "\u{1F33E}".repeat(4_000),
            price: Some(money::of("EUR", i64::MAX)),
            ..Default::default()
        }),
        request_id: String::new(),
    };
    let id = format!("a{}", "b".repeat(62));
    let made = catalog.create(largest(id)).await.unwrap();
    // One that is named again and again is answered as often.
    let names = |count| BatchGetProductsRequest {
        names: vec![made.name.clone(); count],
    };
    let batch = catalog.batch_get(&names(BATCH_MAX)).await.unwrap();
    assert_eq!(batch.products.len(), BATCH_MAX);
    assert!(batch.encoded_len() < 4 << 20, "{} bytes", batch.encoded_len());
    for count in [0, BATCH_MAX + 1] {
        let refused = catalog.batch_get(&names(count)).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{count}");
    }

    for number in 0..250 {
        catalog.create(largest(format!("p{number:03}"))).await.unwrap();
    }
    let (mut found, mut request) = (0, ListProductsRequest::default());
    request.page_size = 1_000;
    loop {
        let page = catalog.list(Caller::Anonymous, &request).await.unwrap();
        assert!(page.encoded_len() < 4 << 20, "{} bytes", page.encoded_len());
        found += page.products.len();
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
        assert!(page.products.len() > 100, "{} products", page.products.len());
    }
    assert_eq!(found, 251);
}
