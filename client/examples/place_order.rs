//! Places an order: `cargo run -p millrace-client --example place_order [URL]`, with the API key in `MILLRACE_API_KEY`
//! (`millrace dev` writes it to `.millrace/dev.env`).

use millrace_client::catalog::v1::{ListProductsRequest, catalog_service_client::CatalogServiceClient};
use millrace_client::ordering::v1::ordering_service_client::OrderingServiceClient;
use millrace_client::ordering::v1::{CreateOrderRequest, Order, OrderLine};
use millrace_client::{Client, Error};

#[rustfmt::skip] // The README quotes it: short lines and few.
#[tokio::main]
async fn main() -> Result<(), Error> {
    let url = std::env::args().nth(1).unwrap_or("http://127.0.0.1:8080".into());
    let client = Client::connect(url).api_key_env()?.await?;
    let mut catalog = CatalogServiceClient::new(client.channel()); // generated; the channel adds
    let mut ordering = OrderingServiceClient::new(client.channel()); // key, deadline, retries, request id

    let products = catalog.list_products(ListProductsRequest::default()).await?.into_inner().products;
    let product = products.first().map(|product| product.name.clone()).unwrap_or_default();
    let lines = vec![OrderLine { product, quantity: 2, ..Default::default() }];
    let order = Some(Order { lines, ..Default::default() });
    let request = CreateOrderRequest { parent: "users/me".into(), order, ..Default::default() };
    let order = ordering.create_order(request).await?.into_inner();
    println!("{} {:?}", order.name, order.state());
    Ok(())
}
