//! Requests that make no sense: each gets an error that names the field and what would be right, and leaves nothing
//! half-written.

use http::Method;
use millrace_tests::door::{Call, Door};
use millrace_tests::platform::TestPlatform;
use millrace_tests::shop::{self, Shopper, order_of, text};
use serde_json::{Value, json};

/// One bad request: what is sent, and what the answer must say.
struct Bad {
    method: Method,
    path: String,
    body: String,
    status: u16,
    reason: &'static str,
    /// Parts of the whole body of the answer: the field, the position, the remedy.
    says: &'static [&'static str],
}

fn post(path: &str, body: impl ToString, status: u16, reason: &'static str, says: &'static [&'static str]) -> Bad {
    Bad {
        method: Method::POST,
        path: path.to_owned(),
        body: body.to_string(),
        status,
        reason,
        says,
    }
}

fn get(path: &str, status: u16, reason: &'static str, says: &'static [&'static str]) -> Bad {
    Bad {
        method: Method::GET,
        path: path.to_owned(),
        body: String::new(),
        status,
        reason,
        says,
    }
}

#[tokio::test]
async fn a_bad_request_is_refused_with_its_field_and_writes_nothing() {
    let platform = TestPlatform::dev().await;
    let operator = shop::operator(&platform);
    let shopper = Shopper::new(&operator).await;
    let other = Shopper::new(&operator).await;
    let product = shop::product(&operator).await;
    let price = json!({"currencyCode": "JPY", "minorUnits": "5"});
    let yen = operator
        .post("/v1/products", &json!({"displayName": "Cup", "price": price}))
        .await
        .expect(201);
    let price = json!({"currencyCode": "EUR", "minorUnits": i64::MAX.to_string()});
    let dear = operator
        .post("/v1/products", &json!({"displayName": "Moon", "price": price}))
        .await
        .expect(201);
    let theirs = text(&other.order(&product, 1).await, "name");

    let orders = format!("/v1/{}/orders", shopper.name);
    let line = |product: &str, quantity: Value| json!({"lines": [{"product": product, "quantity": quantity}]});
    let many: Vec<Value> = (0..101).map(|_| json!({"product": product, "quantity": 1})).collect();
    let field = "INVALID_FIELD";
    let cases = [
        // JSON that is none, or not what the message is.
        post(&orders, "{\"lines\": [", 400, field, &["line 1"]),
        post(&orders, "", 400, field, &["order"]),
        post(&orders, "{} {}", 400, field, &["line 1"]),
        post(&orders, "\u{feff}{}", 400, field, &["line 1"]),
        post(&orders, "[]", 400, field, &["order"]),
        post(&orders, json!({"lines": "many"}), 400, field, &["lines"]),
        post(&orders, json!({"linse": []}), 400, field, &["linse"]),
        post(&orders, "{\"lines\": [], \"lines\": []}", 400, field, &["lines"]),
        post(
            &orders,
            json!({"lines": [{"product": product, "quantity": 1, "size": 3}]}),
            400,
            field,
            &["size"],
        ),
        post(&orders, line(&product, json!("two")), 400, field, &["quantity"]),
        post(&orders, line(&product, json!(1.5)), 400, field, &["quantity"]),
        post(
            &orders,
            line(&product, json!(3_000_000_000_u64)),
            400,
            field,
            &["quantity"],
        ),
        post(&orders, json!({"name": 7}), 400, field, &["name"]),
        // Fields that are missing or out of bounds.
        post(&orders, json!({}), 400, field, &["lines"]),
        post(
            &orders,
            json!({"lines": [{}]}),
            400,
            field,
            &["lines[0].product", "lines[0].quantity"],
        ),
        post(&orders, line(&product, json!(0)), 400, field, &["lines[0].quantity"]),
        post(&orders, line(&product, json!(-1)), 400, field, &["lines[0].quantity"]),
        post(
            &orders,
            line(&product, json!(10_001)),
            400,
            field,
            &["lines[0].quantity", "10,000"],
        ),
        post(
            &orders,
            line("kettle", json!(1)),
            400,
            field,
            &["lines[0].product", "products/"],
        ),
        post(&orders, json!({"lines": many}), 400, field, &["lines", "100"]),
        post(
            &orders,
            json!({"lines": [{"product": product, "quantity": 1}, {"product": product, "quantity": 1}]}),
            400,
            field,
            &["lines[1].product"],
        ),
        post(
            &orders,
            line("products/none-such", json!(1)),
            404,
            "NOT_FOUND",
            &["products/none-such"],
        ),
        // Sums that cannot be.
        post(
            &orders,
            line(&text(&dear, "name"), json!(2)),
            400,
            "AMOUNT_INVALID",
            &[],
        ),
        post(
            &orders,
            json!({"lines": [{"product": product, "quantity": 1}, {"product": text(&yen, "name"), "quantity": 1}]}),
            400,
            "AMOUNT_INVALID",
            &["EUR", "JPY"],
        ),
        // Users.
        post(
            "/v1/users",
            json!({"displayName": "A", "email": "nobody"}),
            400,
            field,
            &["email"],
        ),
        post(
            "/v1/users",
            json!({"displayName": "A", "email": ""}),
            400,
            field,
            &["email"],
        ),
        post(
            "/v1/users",
            json!({"email": "a@example.com"}),
            400,
            field,
            &["display_name"],
        ),
        post(
            "/v1/users",
            json!({"displayName": "x".repeat(201), "email": "a@example.com"}),
            400,
            field,
            &["200"],
        ),
        post(
            "/v1/users",
            json!({"displayName": "A", "email": format!("{}@example.com", "x".repeat(300))}),
            400,
            field,
            &["email", "254"],
        ),
        // Somebody else's, nobody's, and what is no name at all.
        get(&format!("/v1/{theirs}"), 404, "NOT_FOUND", &[]),
        get(&format!("{orders}/1"), 404, "NOT_FOUND", &[]),
        get("/v1/users/0", 404, "NOT_FOUND", &[]),
        get("/v1/users/9999999999999999999999", 404, "NOT_FOUND", &[]),
        get("/v1/users/someone/orders", 404, "NOT_FOUND", &[]),
        // Parameters.
        get(&format!("{orders}?pagesize=1"), 400, field, &["pagesize"]),
        get(&format!("{orders}?pageSize=many"), 400, field, &["page_size"]),
        get(&format!("{orders}?pageSize=1&pageSize=2"), 400, field, &["page_size"]),
        get(&format!("{orders}?pageSize=-1"), 400, field, &["page_size"]),
        get(&format!("{orders}?parent=users/7"), 400, field, &["parent"]),
        get(&format!("{orders}?pageToken=old"), 400, "PAGE_TOKEN_INVALID", &[]),
        get("/v1/users/%zz", 400, field, &[]),
    ];

    let mut complaints = Vec::new();
    for case in &cases {
        let content = [("content-type", "application/json")];
        let headers = if case.method == Method::POST { &content[..] } else { &[] };
        let reply = shopper
            .rest
            .send(case.method.clone(), &case.path, headers, case.body.clone())
            .await;
        let said = String::from_utf8_lossy(&reply.body);
        let missing: Vec<_> = case.says.iter().filter(|part| !said.contains(**part)).collect();
        if (reply.status.as_u16(), reply.reason().as_str()) != (case.status, case.reason) || !missing.is_empty() {
            let body: String = case.body.chars().take(100).collect();
            complaints.push(format!(
                "{} {} {body}\n    expected {} {} with {:?}, got {} {said}",
                case.method, case.path, case.status, case.reason, case.says, reply.status
            ));
        }
    }
    assert!(complaints.is_empty(), "\n  {}\n", complaints.join("\n  "));

    // Nothing of all that was written.
    assert_eq!(shopper.rest.get(&orders).await.expect(200)["orders"], json!([]));
    let theirs = other.rest.get(&format!("/v1/{}/orders", other.name)).await.expect(200);
    assert_eq!(theirs["orders"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_body_has_its_limits_and_type() {
    let platform = TestPlatform::dev().await;
    let shopper = Shopper::new(&shop::operator(&platform)).await;
    let orders = format!("/v1/{}/orders", shopper.name);
    let send = |headers: &'static [(&str, &str)], body: String| {
        let (rest, path) = (shopper.rest.clone(), orders.clone());
        async move { rest.send(Method::POST, &path, headers, body).await }
    };
    let json = &[("content-type", "application/json")];
    send(json, " ".repeat(2 << 20)).await.refuses(413, "TOO_LARGE");
    send(json, format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)))
        .await
        .refuses(400, "INVALID_FIELD");
    assert_eq!(
        send(&[("content-type", "text/plain")], "{}".into())
            .await
            .status
            .as_u16(),
        415
    );
    assert_eq!(
        send(&[("content-type", "application/grpc")], "{}".into())
            .await
            .status
            .as_u16(),
        415
    );

    // Keys: one that no store would keep, one that is too long.
    for key in ["k".repeat(129), "größe".into()] {
        let body = order_of("products/any", 1);
        let request = json!({"parent": shopper.name, "order": body, "requestId": key});
        let call = Call::new("millrace.ordering.v1.OrderingService/CreateOrder", request).key(&shopper.key);
        let answer = call.through(Door::Grpc, platform.public).await;
        assert_eq!(
            (answer.code(), answer.reason().as_str()),
            (3, "INVALID_FIELD"),
            "{}",
            answer.status
        );
    }
    // A message that is too large for gRPC.
    let long = json!({"name": "x".repeat(5 << 20)});
    let call = Call::new("millrace.catalog.v1.CatalogService/GetProduct", long);
    let answer = call.through(Door::Grpc, platform.public).await;
    assert_eq!(
        (answer.code(), answer.reason().as_str()),
        (8, "TOO_LARGE"),
        "{}",
        answer.status
    );
}
