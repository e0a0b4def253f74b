//! Identity: users and their API keys. A user's rows live on the user's shard; the global database knows which user an
//! e-mail belongs to. Identity is also who the platform asks for the caller of a credential.

mod api_key;
mod authenticator;
mod config;
mod email;
mod error;
mod import;
mod key_text;
mod operator;
mod reaper;
mod rpc;
mod schema;
mod sign_up;
mod store;
#[cfg(test)]
mod tests;
mod update;
mod user;

use std::sync::Arc;

use millrace_chassis::{Module, Platform};
use millrace_proto::identity::v1::identity_service_server::IdentityServiceServer;

pub use config::Identity;
pub use error::Error;
pub(crate) use import::{ImportedUser, import};
pub use operator::{Account, Credential, authenticates, create_account, create_key};

/// Returns identity as a module of the platform.
pub fn module(platform: &Platform, config: &Identity) -> Module {
    Module::new("identity", millrace_proto::FILE_DESCRIPTOR_SET)
        .service(IdentityServiceServer::new(rpc::IdentityRpc::new(platform, config)))
        .global_schema(schema::GLOBAL)
        .shard_schema(schema::SHARD)
        .worker("reaper", reaper::worker(platform.clone()))
        .authenticator(Arc::new(authenticator::Keys::new(platform.shards.clone())))
}
