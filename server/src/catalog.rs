//! The catalog: products and their prices. Its rows are in the global database; it knows nothing of users or orders.

mod error;
mod import;
mod product;
mod rpc;
mod schema;
mod store;
#[cfg(test)]
mod tests;

use millrace_chassis::{Module, Platform};
use millrace_proto::catalog::v1::catalog_service_server::CatalogServiceServer;

pub use error::Error;
pub(crate) use import::import;

/// Returns the catalog as a module of the platform.
pub fn module(platform: &Platform) -> Module {
    Module::new("catalog", millrace_proto::FILE_DESCRIPTOR_SET)
        .service(CatalogServiceServer::new(rpc::Catalog::new(platform)))
        .global_schema(schema::GLOBAL)
}
