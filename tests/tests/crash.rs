//! kill -9 under write load, again and again: every acknowledged order is there afterwards and whole, one order per
//! request id, one user per e-mail.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use millrace_tests::parts;
use millrace_tests::platform::{Folder, TestPlatform};
use millrace_tests::rest::Rest;
use millrace_tests::shop::{self, Shopper, order_of, text, unique};
use serde_json::Value;

const WRITERS: usize = 4;

/// A hundred crashes, with `tests/run --long` a thousand.
fn rounds() -> usize {
    if parts::long() { 1_000 } else { 100 }
}

/// A request that was sent: its path, id and body, and the name in the answer if one came.
#[derive(Clone)]
struct Sent {
    path: String,
    id: String,
    body: Value,
    answered: Option<String>,
}

/// Writes until the connection breaks: orders of one user, and now and then a new user.
async fn write(rest: Rest, user: String, product: String) -> Vec<Sent> {
    let mut sent = Vec::new();
    for turn in 0.. {
        let (path, body) = match turn % 4 {
            3 => ("/v1/users".to_owned(), shop::new_user()),
            _ => (format!("/v1/{user}/orders"), order_of(&product, 1 + turn % 7)),
        };
        let mut this = Sent {
            path,
            id: format!("crash-{}", unique()),
            body,
            answered: None,
        };
        let headers = [("idempotency-key", this.id.as_str())];
        match rest
            .try_send(Method::POST, &this.path, &headers, this.body.to_string())
            .await
        {
            Ok(reply) => this.answered = Some(text(&reply.expect(201), "name")),
            Err(_) => {
                sent.push(this);
                break;
            }
        }
        sent.push(this);
    }
    sent
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_hundred_crashes() {
    let folder = Folder::new();
    let mut platform = TestPlatform::dev_with(&folder, &["--no-sample-data"]).await;
    let operator = shop::operator(&platform);
    let product = shop::product(&operator).await;
    let mut shoppers = Vec::new();
    for _ in 0..WRITERS {
        shoppers.push(Shopper::new(&operator).await);
    }

    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut unanswered = 0;
    for round in 0..rounds() {
        let operator = shop::operator(&platform);
        let writers: Vec<_> = shoppers
            .iter()
            .map(|shopper| tokio::spawn(write(operator.clone(), shopper.name.clone(), product.clone())))
            .collect();
        // A different moment each time.
        tokio::time::sleep(Duration::from_millis(30 + 7 * (round as u64 % 20))).await;
        platform.kill();
        let mut sent = Vec::new();
        for writer in writers {
            sent.extend(writer.await.unwrap());
        }

        platform = TestPlatform::dev_with(&folder, &["--no-sample-data"]).await;
        let operator = shop::operator(&platform);
        for Sent {
            path,
            id,
            body,
            answered,
        } in sent
        {
            unanswered += usize::from(answered.is_none());
            // The same request again: a half-done one is finished, a done one gets its first answer.
            let again = operator.post_keyed(&path, &id, &body).await.expect(201);
            let name = text(&again, "name");
            assert!(
                answered.is_none_or(|answered| answered == name),
                "round {round}: {id} is another one now"
            );
            if path != "/v1/users" {
                let order = operator.get(&format!("/v1/{name}")).await.expect(200);
                assert_eq!(order["lines"][0]["quantity"], body["lines"][0]["quantity"], "{order}");
                assert_eq!(order["events"].as_array().unwrap().len(), 1, "{order}");
                assert_ne!(order["total"]["minorUnits"], "0");
            } else {
                let user = operator.get(&format!("/v1/{name}")).await.expect(200);
                assert_eq!(user["email"], body["email"]);
                // The e-mail is taken, by this user only.
                operator.post("/v1/users", &body).await.refuses(409, "ALREADY_EXISTS");
            }
            assert!(names.insert(id, name).is_none());
        }
    }
    assert!(names.len() > rounds(), "only {} requests were made", names.len());
    assert!(unanswered > 0, "no request was under way at any of the crashes");

    // Nothing was written twice, and the users' histories have no gaps.
    let operator = shop::operator(&platform);
    for shopper in &shoppers {
        let expected = names
            .values()
            .filter(|name| name.starts_with(&format!("{}/orders/", shopper.name)))
            .count();
        let (mut count, mut token) = (0, String::new());
        loop {
            let path = format!("/v1/{}/orders?pageSize=1000&pageToken={token}", shopper.name);
            let page = operator.get(&path).await.expect(200);
            count += page["orders"].as_array().unwrap().len();
            token = text(&page, "nextPageToken");
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(count, expected, "orders of {}", shopper.name);

        let path = format!("/v1/{}/orders:watch", shopper.name);
        let mut stream = operator
            .open(&path, "application/x-ndjson", &[("grpc-timeout", "2S")])
            .await;
        let mut number = 0;
        while number < expected as u64 {
            let event: Value = serde_json::from_str(&stream.next().await.unwrap()).unwrap();
            number += 1;
            assert_eq!(event["number"], number, "the history of {} has a gap", shopper.name);
        }
    }
}
