//! Lists over REST: page by page, of one user and over all shards.

use std::collections::BTreeSet;

use millrace_tests::platform::TestPlatform;
use millrace_tests::rest::Rest;
use millrace_tests::shop::{self, Shopper, text};
use serde_json::json;

#[tokio::test]
async fn lists_come_page_by_page() {
    let platform = TestPlatform::dev().await;
    let operator = shop::operator(&platform);
    let (product, shopper) = (shop::product(&operator).await, Shopper::new(&operator).await);
    let mut placed = Vec::new();
    for _ in 0..7 {
        placed.push(text(&shopper.order(&product, 1).await, "name"));
    }
    placed.reverse();

    let (mut seen, mut pages, mut token) = (Vec::new(), Vec::new(), String::new());
    loop {
        let path = format!("/v1/{}/orders?pageSize=3&pageToken={token}", shopper.name);
        let page = shopper.rest.get(&path).await.expect(200);
        let orders = page["orders"].as_array().unwrap();
        pages.push(orders.len());
        seen.extend(orders.iter().map(|order| text(order, "name")));
        token = text(&page, "nextPageToken");
        if token.is_empty() {
            break;
        }
        // A token belongs to its list and caller, and is not to be changed.
        let other = Shopper::new(&operator).await;
        for (rest, path) in [
            (&other.rest, format!("/v1/{}/orders?pageToken={token}", other.name)),
            (&operator, format!("/v1/{}/orders?pageToken={token}", shopper.name)),
            (&shopper.rest, format!("/v1/{}/apiKeys?pageToken={token}", shopper.name)),
            (
                &shopper.rest,
                format!("/v1/{}/orders?pageToken={}", shopper.name, forged(&token)),
            ),
            (&shopper.rest, format!("/v1/{}/orders?pageToken=x", shopper.name)),
        ] {
            rest.get(&path).await.refuses(400, "PAGE_TOKEN_INVALID");
        }
    }
    assert_eq!((seen, pages), (placed, vec![3, 3, 1]), "newest first, each once");
    shopper
        .rest
        .get(&format!("/v1/{}/orders?pageSize=-1", shopper.name))
        .await
        .refuses(400, "INVALID_FIELD");
}

/// The token with one letter changed.
fn forged(token: &str) -> String {
    let (start, rest) = token.split_at(token.len() / 2);
    let letter = if rest.starts_with('A') { 'B' } else { 'A' };
    format!("{start}{letter}{}", &rest[1..])
}

#[tokio::test]
async fn an_operator_lists_over_all_shards() {
    let platform = TestPlatform::dev().await;
    let operator = shop::operator(&platform);
    let product = shop::product(&operator).await;
    let before = names_of_all(&operator, "/v1/users/-/orders", "orders").await;
    let mut placed = Vec::new();
    for _ in 0..12 {
        let shopper = Shopper::new(&operator).await;
        placed.push(text(&shopper.order(&product, 1).await, "name"));
    }
    placed.reverse();

    let orders = names_of_all(&operator, "/v1/users/-/orders", "orders").await;
    assert_eq!(orders[..12], placed, "newest first over all shards");
    assert_eq!(orders[12..], before, "and each order once");
    let users = names_of_all(&operator, "/v1/users", "users").await;
    assert_eq!(users.iter().collect::<BTreeSet<_>>().len(), users.len());
    for order in &placed {
        assert!(users.contains(&order.split("/orders/").next().unwrap().to_owned()));
    }
}

#[tokio::test]
async fn keys_come_page_by_page_and_are_revoked_once() {
    let platform = TestPlatform::dev().await;
    let operator = shop::operator(&platform);
    let shopper = Shopper::new(&operator).await;
    let path = format!("/v1/{}/apiKeys", shopper.name);
    let mut made = Vec::new();
    for name in ["phone", "tablet", "watch", "car"] {
        let key = shopper
            .rest
            .post(&path, &json!({"displayName": name}))
            .await
            .expect(201);
        made.push(text(&key, "name"));
    }
    let revoke = format!("/v1/{}:revoke", made[1]);
    let revoked = shopper.rest.post(&revoke, &json!({})).await.expect(200);
    let again = shopper.rest.post(&revoke, &json!({})).await.expect(200);
    assert_eq!(again, revoked, "the time is that of the first call");
    shopper
        .rest
        .post(&format!("/v1/{}/apiKeys/7:revoke", shopper.name), &json!({}))
        .await
        .refuses(404, "NOT_FOUND");

    let (mut names, mut token) = (Vec::new(), String::new());
    loop {
        let page = shopper
            .rest
            .get(&format!("{path}?pageSize=2&pageToken={token}"))
            .await
            .expect(200);
        let keys = page["apiKeys"].as_array().unwrap();
        assert!((1..=2).contains(&keys.len()));
        names.extend(keys.iter().map(|key| text(key, "name")));
        token = text(&page, "nextPageToken");
        if token.is_empty() {
            break;
        }
    }
    // The first key is the one that the operator made for the shopper.
    assert_eq!(names.len(), 5);
    made.reverse();
    assert_eq!(names[..4], made, "newest first, revoked ones included, each once");
}

/// Reads a list to its end, five at a time.
async fn names_of_all(operator: &Rest, path: &str, field: &str) -> Vec<String> {
    let (mut names, mut token) = (Vec::new(), String::new());
    loop {
        let page = operator
            .get(&format!("{path}?pageSize=5&pageToken={token}"))
            .await
            .expect(200);
        names.extend(page[field].as_array().unwrap().iter().map(|item| text(item, "name")));
        token = text(&page, "nextPageToken");
        if token.is_empty() {
            assert_eq!(page["unreachable"], json!([]));
            return names;
        }
    }
}
