//! Ordering: orders and their history. All its rows are on the users' shards; prices come from the catalog by its API.
//! Of the user's row, which is identity's, it writes one column: the number of the last event.

mod cart;
mod change;
mod error;
mod import;
mod message;
mod order;
mod pricing;
mod rpc;
mod schema;
mod store;
#[cfg(test)]
mod tests;
mod watch;
mod watched;

use millrace_chassis::{Module, Platform};
use millrace_proto::ordering::v1::ordering_service_server::OrderingServiceServer;

pub use error::Error;
pub(crate) use import::{ImportedLine, ImportedOrder, import};
use watched::Watched;

/// Returns ordering as a module of the platform.
pub fn module(platform: &Platform) -> Module {
    let watched = Watched::default();
    Module::new("ordering", millrace_proto::FILE_DESCRIPTOR_SET)
        .service(OrderingServiceServer::new(rpc::Ordering::new(platform, &watched)))
        .shard_schema(schema::SHARD)
        .worker("watch", watched::worker(platform, &watched))
}
