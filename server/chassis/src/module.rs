//! A service as the platform sees it: data. Adding a service is one more [`Module`] in one list; routes, reflection,
//! health, OpenAPI, rights, metrics and migrations follow from it.

mod periodic;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tonic::server::NamedService;
use tower::Service;
use tower::util::BoxCloneSyncService;

use crate::caller::Authenticator;
use crate::shard::{Migration, ModuleSchema};

pub use millrace_gateway::GrpcService;
pub use periodic::periodic;

/// A background task: it runs until the receiver says that the platform drains.
pub type Worker =
    Arc<dyn Fn(tokio::sync::watch::Receiver<bool>) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Everything a service gives the platform.
pub struct Module {
    pub(crate) name: &'static str,
    pub(crate) descriptors: &'static [u8],
    pub(crate) services: Vec<(&'static str, GrpcService)>,
    pub(crate) global_schema: &'static [Migration],
    pub(crate) shard_schema: &'static [Migration],
    pub(crate) workers: Vec<(&'static str, Worker)>,
    pub(crate) authenticator: Option<Arc<dyn Authenticator>>,
}

impl Module {
    /// A module with its encoded `google.protobuf.FileDescriptorSet`; several modules may share one set.
    pub fn new(name: &'static str, descriptors: &'static [u8]) -> Self {
        Self {
            name,
            descriptors,
            services: Vec::new(),
            global_schema: &[],
            shard_schema: &[],
            workers: Vec::new(),
            authenticator: None,
        }
    }

    /// Adds a generated gRPC server.
    #[must_use]
    pub fn service<S>(mut self, service: S) -> Self
    where
        S: NamedService
            + Service<http::Request<tonic::body::Body>, Response = http::Response<tonic::body::Body>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.services.push((S::NAME, BoxCloneSyncService::new(service)));
        self
    }

    /// Sets the migrations of the global database, oldest first.
    #[must_use]
    pub fn global_schema(mut self, migrations: &'static [Migration]) -> Self {
        self.global_schema = migrations;
        self
    }

    /// Sets the migrations of every shard, oldest first.
    #[must_use]
    pub fn shard_schema(mut self, migrations: &'static [Migration]) -> Self {
        self.shard_schema = migrations;
        self
    }

    /// Returns the module's migrations.
    pub fn schema(&self) -> ModuleSchema {
        ModuleSchema {
            module: self.name,
            global: self.global_schema,
            shard: self.shard_schema,
        }
    }

    /// Adds a background task. It is restarted with a delay if it ends or panics before the platform drains.
    #[must_use]
    pub fn worker(mut self, name: &'static str, worker: Worker) -> Self {
        self.workers.push((name, worker));
        self
    }

    /// Makes this module the one that knows the callers' credentials.
    #[must_use]
    pub fn authenticator(mut self, authenticator: Arc<dyn Authenticator>) -> Self {
        self.authenticator = Some(authenticator);
        self
    }
}
