//! What most tests begin with: a platform, a product, a user with a key.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::platform::TestPlatform;
use crate::rest::Rest;

/// Price of the products that tests make, in cents.
pub const PRICE: i64 = 1_250;

/// A user with a key of its own.
#[derive(Clone)]
pub struct Shopper {
    /// `users/{user}`.
    pub name: String,
    /// The key.
    pub key: String,
    /// The REST door with that key.
    pub rest: Rest,
}

/// A number that no other call of this run got, for e-mails and request ids.
pub fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The REST door with the operator's key.
pub fn operator(platform: &TestPlatform) -> Rest {
    Rest::new(platform.public).with_key(&platform.keys().operator)
}

/// The body of a request for a new user that no other call names.
pub fn new_user() -> Value {
    json!({"displayName": "Ada", "email": format!("ada-{}-{}@example.com", std::process::id(), unique())})
}

/// Makes a product of [`PRICE`] as an operator and returns its name.
///
/// # Panics
/// The platform refuses.
pub async fn product(operator: &Rest) -> String {
    let body = json!({"displayName": "Kettle", "price": {"currencyCode": "EUR", "minorUnits": PRICE.to_string()}});
    let made = operator.post("/v1/products", &body).await.expect(201);
    text(&made, "name")
}

/// The body of an order of one product.
pub fn order_of(product: &str, quantity: i64) -> Value {
    json!({"lines": [{"product": product, "quantity": quantity}]})
}

/// A string field of a JSON object.
///
/// # Panics
/// It is absent.
pub fn text(value: &Value, field: &str) -> String {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("no {field} in {value}"))
        .to_owned()
}

impl Shopper {
    /// Makes a user and, as an operator, a key.
    ///
    /// # Panics
    /// The platform refuses.
    pub async fn new(operator: &Rest) -> Self {
        let user = operator.post("/v1/users", &new_user()).await.expect(201);
        let name = text(&user, "name");
        let key = operator
            .post(&format!("/v1/{name}/apiKeys"), &json!({"displayName": "test"}))
            .await
            .expect(201);
        let key = text(&key, "secret");
        Self {
            rest: operator.with_key(&key),
            name,
            key,
        }
    }

    /// Places an order and returns it.
    ///
    /// # Panics
    /// The platform refuses.
    pub async fn order(&self, product: &str, quantity: i64) -> Value {
        self.rest
            .post(&format!("/v1/{}/orders", self.name), &order_of(product, quantity))
            .await
            .expect(201)
    }
}
