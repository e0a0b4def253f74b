//! Why a platform does not start. Each failure says what to look at.

use std::io;
use std::net::SocketAddr;

use millrace_gateway::LoadError;

use crate::config::ConfigError;
use crate::shard::migrate::{Change, MigrateError};
use crate::stack::RuleError;

/// Why the platform does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be bound.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The descriptors or the HTTP rules in them cannot be used.
    #[error("the modules' descriptors cannot be used")]
    Descriptors(#[from] LoadError),
    /// The descriptors cannot be shown by reflection.
    #[error("the modules' descriptors cannot be shown by reflection")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// A method's options are missing or contradict each other.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// Two modules bring the same service.
    #[error("service {service} is mounted twice, the second time by module {module}")]
    Duplicate {
        /// Full name of the service.
        service: &'static str,
        /// The module that came second.
        module: &'static str,
    },
    /// Two modules want to know the callers' credentials.
    #[error("module {module} is the second with an authenticator; there can be one")]
    SecondAuthenticator {
        /// The module that came second.
        module: &'static str,
    },
    /// A setting is out of bounds.
    #[error("the settings cannot be used")]
    Settings(#[from] ConfigError),
    /// The databases lack changes of the schema.
    #[error("{} schema change(s) are not applied, the first is {} of {}: run `millrace migrate`", .0.len(), .0[0].name, .0[0].module)]
    Pending(Vec<Change>),
    /// The schema of the databases cannot be checked.
    #[error("the databases' schema cannot be checked")]
    Schema(#[from] MigrateError),
    /// The admin listener's thread cannot be made.
    #[error("the admin listener cannot start")]
    Admin(#[source] io::Error),
}
