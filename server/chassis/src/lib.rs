//! The platform that a Millrace service runs on. It knows no service: a service is given to it as a [`Module`].
//!
//! - [`Platform`]: what a service is built from: shards, clock, ids, page tokens, a channel to the other services.
//! - [`Module`]: what a service gives the platform: its descriptors, gRPC services, schema and workers, as data.
//! - [`Chassis`]: mounts modules behind the gateway's doors and the layers of [`stack`], and serves them on one port.

pub mod caller;
pub mod chassis;
pub mod clock;
pub mod config;
pub mod health;
pub mod id;
pub mod idempotency;
pub mod local;
pub mod module;
pub mod name;
pub mod page;
pub mod platform;
mod reflection;
pub mod shard;
pub mod stack;
pub mod status;
mod supervise;
pub mod telemetry;

pub use caller::Caller;
pub use chassis::{Chassis, FreePort, Options, Pages, Running, StartError};
/// Connections that the admin listener may have: open files that are kept from callers.
pub use millrace_gateway::admin::CONNECTIONS_MAX as ADMIN_CONNECTIONS_MAX;
pub use millrace_gateway::signals::{Signals, Stop};
pub use module::Module;
pub use platform::Platform;
