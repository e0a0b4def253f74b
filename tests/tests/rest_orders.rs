//! What a shop's page or script does over REST: sign up, get a key, order, look, follow, cancel.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use millrace_tests::platform::TestPlatform;
use millrace_tests::rest::Rest;
use millrace_tests::shop::{self, PRICE, Shopper, order_of, text, unique};
use serde_json::json;

#[tokio::test]
async fn a_newcomer_signs_up_orders_and_cancels() {
    let platform = TestPlatform::dev().await;
    let operator = shop::operator(&platform);
    let product = shop::product(&operator).await;

    // Sign-up is open in `dev`; the first key comes from an operator.
    let signed_up = Rest::new(platform.public).post("/v1/users", &shop::new_user()).await;
    let user = text(&signed_up.expect(201), "name");
    assert_eq!(signed_up.header("location"), format!("/v1/{user}"));
    let key = operator
        .post(&format!("/v1/{user}/apiKeys"), &json!({"displayName": "laptop"}))
        .await
        .expect(201);
    let shopper = Rest::new(platform.public).with_key(&text(&key, "secret"));
    assert_eq!(
        shopper.get("/v1/users/me").await.expect(200)["name"],
        user,
        "the answer has the canonical name"
    );
    // What was read can be sent back to where it was read, changed or not, though the path has the other name.
    let mut mine = shopper.get("/v1/users/me").await.expect(200);
    mine["displayName"] = json!("Ada");
    let renamed = shopper.patch("/v1/users/me", &mine).await.expect(200);
    assert_eq!(
        (&renamed["name"], &renamed["displayName"]),
        (&json!(user), &json!("Ada"))
    );
    mine["name"] = json!("users/1");
    shopper.patch("/v1/users/me", &mine).await.refuses(400, "INVALID_FIELD");

    let placed = shopper.post("/v1/users/me/orders", &order_of(&product, 3)).await;
    let order = placed.expect(201);
    let name = text(&order, "name");
    assert!(name.starts_with(&format!("{user}/orders/")), "{name}");
    assert_eq!(placed.header("location"), format!("/v1/{name}"));
    assert_eq!(order["state"], "ORDER_STATE_PLACED");
    assert_eq!(
        order["total"],
        json!({"currencyCode": "EUR", "minorUnits": (3 * PRICE).to_string()})
    );
    assert_eq!(order["lines"][0]["displayName"], "Kettle");

    // The order keeps the price of the day.
    let dearer = json!({"price": {"currencyCode": "EUR", "minorUnits": "999999"}});
    operator.patch(&format!("/v1/{product}"), &dearer).await.expect(200);
    let read = shopper.get(&format!("/v1/{name}")).await.expect(200);
    assert_eq!(read["total"], order["total"]);
    assert_eq!(read["lines"][0]["unitPrice"]["minorUnits"], PRICE.to_string());
    assert_eq!(read["events"][0]["number"], 1);
    assert_eq!(read["events"][0]["state"], "ORDER_STATE_PLACED");

    let listed = shopper.get(&format!("/v1/{user}/orders")).await.expect(200);
    assert_eq!(listed["orders"].as_array().unwrap().len(), 1);
    assert_eq!(listed["orders"][0]["name"], name);
    assert_eq!(listed["orders"][0]["events"], json!([]), "lists leave the history out");

    // An etag that is not the order's is refused; a cancellation that is sent again is not.
    let cancel = format!("/v1/{name}:cancel");
    shopper
        .post(&cancel, &json!({"etag": "AAAAAAAAAAA"}))
        .await
        .refuses(412, "ETAG_MISMATCH");
    let cancelled = shopper.post(&cancel, &json!({"etag": read["etag"]})).await.expect(200);
    assert_eq!(cancelled["state"], "ORDER_STATE_CANCELLED");
    for body in [json!({}), json!({"etag": read["etag"]})] {
        let again = shopper.post(&cancel, &body).await.expect(200);
        assert_eq!(again["etag"], cancelled["etag"], "cancelling twice changes nothing");
    }
    let read = shopper.get(&format!("/v1/{name}")).await.expect(200);
    assert_eq!(read["events"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_retry_gets_the_first_answer() {
    let platform = TestPlatform::dev().await;
    let operator = shop::operator(&platform);
    let (product, shopper) = (shop::product(&operator).await, Shopper::new(&operator).await);
    let path = format!("/v1/{}/orders", shopper.name);

    // Many at once: each waits for the first, and there is one order.
    let body = order_of(&product, 2);
    let replies = join_all((0..20).map(|_| shopper.rest.post_keyed(&path, "once", &body))).await;
    let names: BTreeSet<String> = replies.iter().map(|reply| text(&reply.expect(201), "name")).collect();
    assert_eq!(names.len(), 1, "{names:?}");
    let listed = shopper.rest.get(&path).await.expect(200);
    assert_eq!(listed["orders"].as_array().unwrap().len(), 1);

    // The same id with another body is refused, and is free for another user.
    shopper
        .rest
        .post_keyed(&path, "once", &order_of(&product, 3))
        .await
        .refuses(422, "IDEMPOTENCY_KEY_REUSED");
    let other = Shopper::new(&operator).await;
    let theirs = other
        .rest
        .post_keyed(&format!("/v1/{}/orders", other.name), "once", &body)
        .await
        .expect(201);
    assert!(!names.contains(&text(&theirs, "name")));

    // The same for users and their e-mails.
    let (user, id) = (shop::new_user(), format!("user-{}", unique()));
    let first = operator.post_keyed("/v1/users", &id, &user).await.expect(201);
    assert_eq!(
        operator.post_keyed("/v1/users", &id, &user).await.expect(201)["name"],
        first["name"]
    );
    operator.post("/v1/users", &user).await.refuses(409, "ALREADY_EXISTS");
    operator
        .post_keyed("/v1/users", &id, &shop::new_user())
        .await
        .refuses(422, "IDEMPOTENCY_KEY_REUSED");
}

#[tokio::test]
async fn a_key_is_shown_once_and_ends_at_once() {
    let platform = TestPlatform::dev().await;
    let operator = shop::operator(&platform);
    let shopper = Shopper::new(&operator).await;
    let path = format!("/v1/{}/apiKeys", shopper.name);

    let body = json!({"displayName": "phone"});
    let made = shopper.rest.post_keyed(&path, "phone", &body).await.expect(201);
    let secret = text(&made, "secret");
    assert!(secret.starts_with("mr_"), "{secret}");
    let replay = shopper.rest.post_keyed(&path, "phone", &body).await.expect(201);
    assert_eq!((&replay["name"], &replay["secret"]), (&made["name"], &json!("")));

    let listed = shopper.rest.get(&path).await;
    assert!(
        !String::from_utf8_lossy(&listed.body).contains(&secret[8..]),
        "a list shows no secret"
    );
    assert_eq!(listed.expect(200)["apiKeys"].as_array().unwrap().len(), 2);

    // Only an operator makes an operator's key.
    shopper
        .rest
        .post(&path, &json!({"admin": true}))
        .await
        .refuses(403, "PERMISSION_DENIED");

    let phone = shopper.rest.with_key(&secret);
    phone.get("/v1/users/me").await.expect(200);
    shopper
        .rest
        .post(&format!("/v1/{}:revoke", text(&made, "name")), &json!({}))
        .await
        .expect(200);
    // A key is read on every call, so it stops working at once.
    phone.get("/v1/users/me").await.refuses(401, "UNAUTHENTICATED");
    shopper.rest.get("/v1/users/me").await.expect(200);
}

#[tokio::test]
async fn a_page_follows_orders_and_resumes() {
    let platform = TestPlatform::dev().await;
    let operator = shop::operator(&platform);
    let (product, shopper) = (shop::product(&operator).await, Shopper::new(&operator).await);
    let first = text(&shopper.order(&product, 1).await, "name");
    let path = format!("/v1/{}/orders:watch", shopper.name);

    let mut stream = shopper.rest.open(&path, "text/event-stream", &[]).await;
    assert_eq!(stream.status(), 200);
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let event = stream.next_event().await.unwrap();
    assert_eq!((event.id.as_str(), event.event.as_str()), ("1", ""));
    assert!(event.data.contains(&first), "{event:?}");

    // What happens while the stream is open arrives by itself.
    let second = text(&shopper.order(&product, 1).await, "name");
    let event = tokio::time::timeout(Duration::from_secs(5), stream.next_event())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(event.id, "2");
    assert!(event.data.contains(&second), "{event:?}");
    drop(stream);

    // A page that lost its connection says what it has seen.
    let mut stream = shopper
        .rest
        .open(&path, "text/event-stream", &[("last-event-id", "1")])
        .await;
    assert_eq!(stream.next_event().await.unwrap().id, "2");
    // A stream that ended on purpose is not run again.
    assert_eq!(
        shopper
            .rest
            .open(&path, "text/event-stream", &[("last-event-id", "2;end")])
            .await
            .status(),
        204
    );

    // The same for a script.
    let mut lines = shopper
        .rest
        .open(&format!("{path}?after=1"), "application/x-ndjson", &[])
        .await;
    let line = lines.next().await.unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap()["number"], 2);
}

#[tokio::test]
async fn data_outlives_the_process() {
    let platform = TestPlatform::dev().await;
    let (folder, operator) = (platform.folder().clone(), shop::operator(&platform));
    let (product, shopper) = (shop::product(&operator).await, Shopper::new(&operator).await);
    let order = text(&shopper.order(&product, 1).await, "name");
    let before = shopper.rest.get(&format!("/v1/{order}")).await.expect(200);
    platform.kill();

    let platform = TestPlatform::dev_with(&folder, &[]).await;
    let rest = Rest::new(platform.public).with_key(&shopper.key);
    assert_eq!(rest.get(&format!("/v1/{order}")).await.expect(200), before);
    assert_eq!(
        shop::operator(&platform)
            .get(&format!("/v1/{product}"))
            .await
            .expect(200)["name"],
        product
    );
}
