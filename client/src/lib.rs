//! The Rust client of Millrace: the generated clients over one channel that adds what every call needs.
//!
//! ```no_run
//! use millrace_client::Client;
//! use millrace_client::catalog::v1::GetProductRequest;
//! use millrace_client::catalog::v1::catalog_service_client::CatalogServiceClient;
//!
//! # async fn example() -> Result<(), millrace_client::Error> {
//! let client = Client::connect("http://127.0.0.1:8080").api_key_env()?.await?;
//! let mut catalog = CatalogServiceClient::new(client.channel());
//! let product = catalog.get_product(GetProductRequest { name: "products/p-1".into() }).await?.into_inner();
//! println!("{}", product.display_name);
//! # Ok(())
//! # }
//! ```
//!
//! The way of a call: [`Channel`] adds the API key, a request id and the deadline; `retry` sends it, and sends it again
//! where that is safe; tonic's connection carries it. What is safe is read from the descriptors (`methods`), so a new
//! service needs no line here. Failures become [`Error`]; lists become streams by [`pages`].
//!
//! What it does not do yet: TLS, and balancing over several endpoints.

mod channel;
mod client;
mod deadline;
mod error;
mod key;
mod methods;
mod pages;
mod random;
mod reply;
mod retry;

pub use channel::Channel;
pub use client::{Client, Connect};
pub use error::Error;
pub use millrace_proto::{api, catalog, identity, ordering, r#type};
pub use pages::pages;
