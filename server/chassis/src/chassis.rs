//! Mounts modules behind the doors and layers, and serves them.

mod builtin;
mod error;
mod listeners;
mod options;
mod routes;
mod running;
mod shards;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use millrace_gateway::edge::{Edge, Metrics, NewId, write_hex_id};
use millrace_gateway::heartbeat::Heartbeat;
use millrace_gateway::probes::Probes;
use millrace_gateway::serve::serve;
use millrace_gateway::{Gateway, HttpService, admin};
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tonic::server::NamedService;
use tower::util::BoxCloneSyncService;

use crate::caller::Authenticator;
use crate::config;
use crate::health::{self, Readiness};
use crate::id::Ids;
use crate::module::{GrpcService, Module};
use crate::platform::Platform;
use crate::shard::migrate::{self, Change, MigrateError, ModuleSchema};
use crate::shard::{self, OpenError};
use crate::stack::{self, Authentication, Concurrency, Deadlines, KEY_HEADER, Layers, Policy, Rules, Stack};
use crate::{reflection, status, supervise};

pub use error::StartError;
use listeners::Listeners;
pub use options::{FreePort, Options, Pages};
pub use routes::{RouteLine, routes};
pub use running::Running;
use shards::{ShardWatch, place};

/// Request metadata of ours that REST hands on besides the gateway's own list.
const REQUEST_HEADERS: [&str; 2] = [KEY_HEADER, "x-millrace-consistency"];

/// A platform with its modules, ready to be served.
pub struct Chassis {
    platform: Platform,
    options: Options,
    modules: Vec<Module>,
}

impl Chassis {
    /// A chassis without modules.
    pub fn new(platform: Platform, options: Options) -> Self {
        Self {
            platform,
            options,
            modules: Vec::new(),
        }
    }

    /// Adds modules.
    #[must_use]
    pub fn mount(mut self, modules: impl IntoIterator<Item = Module>) -> Self {
        self.modules.extend(modules);
        self
    }

    /// Applies the schema changes that the databases lack, the platform's own first, and returns them, together with
    /// those by which opening has made an empty set into a cluster.
    ///
    /// # Errors
    /// See [`MigrateError`]; what was applied before stays.
    pub async fn migrate(&self) -> Result<Vec<Change>, MigrateError> {
        let shards = &self.platform.shards;
        let mut applied = shards.made().to_vec();
        applied.extend(migrate::apply(shards, &self.schemas()).await?);
        Ok(applied)
    }

    /// Returns the schema changes that the databases lack.
    ///
    /// # Errors
    /// See [`MigrateError`].
    pub async fn pending(&self) -> Result<Vec<Change>, MigrateError> {
        migrate::pending(&self.platform.shards, &self.schemas()).await
    }

    /// Returns what [`migrate`](Self::migrate) would do to the databases that settings name, without opening or
    /// changing any. The platform may be one on [`Shards::unopened`](shard::Shards::unopened).
    ///
    /// # Errors
    /// What opening or migrating would refuse.
    pub async fn preview(&self, database: &config::Database) -> Result<Vec<Change>, OpenError> {
        shard::open::preview(database, &self.schemas()).await
    }

    fn schemas(&self) -> Vec<ModuleSchema> {
        self.modules.iter().map(Module::schema).collect()
    }

    /// Loads the descriptors and routes of the modules without serving, as for `millrace routes`.
    ///
    /// # Errors
    /// The descriptors cannot be used, or two RPCs bind one route.
    pub fn gateway(&self) -> Result<Gateway, StartError> {
        let builder = self
            .descriptors()
            .fold(Gateway::builder(), |builder, set| builder.descriptors(set));
        let limits = &self.options.limits;
        let builder = builder
            .request_headers(REQUEST_HEADERS)
            .error_domain(status::DOMAIN)
            .body_memory_bytes(limits.body_memory_bytes)
            .answer_memory_bytes(limits.answer_memory_bytes)
            .body_time_max(Duration::from_millis(limits.body_ms))
            .deadline_max(Duration::from_millis(limits.deadline_max_ms));
        let authenticator = self.modules.iter().find_map(|module| module.authenticator.clone());
        let builder = match authenticator {
            Some(authenticator) => builder.alias(move |headers| stack::me(&*authenticator, headers)),
            None => builder,
        };
        Ok(builder.build()?)
    }

    fn descriptors(&self) -> impl Iterator<Item = &'static [u8]> + Clone {
        let of_modules = self.modules.iter().map(|module| module.descriptors);
        of_modules.chain([health::DESCRIPTORS]).chain(reflection::DESCRIPTORS)
    }

    /// Starts to serve.
    ///
    /// # Errors
    /// A module is not complete (a method without policy or shard key is named), two modules claim one service or
    /// route, the schema is not up to date, or an address cannot be bound.
    pub async fn start(self) -> Result<Running, StartError> {
        self.options.check()?;
        let gateway = self.gateway()?;
        let pending = self.pending().await?;
        if !pending.is_empty() {
            return Err(StartError::Pending(pending));
        }
        let listeners = Listeners::bind(&self.options)?;
        let built = self.build(&gateway)?;
        self.run(gateway, listeners, built).await
    }

    /// Builds what answers: the services behind the stack and the doors. Nothing runs yet.
    fn build(&self, gateway: &Gateway) -> Result<Built, StartError> {
        let (draining, watched) = watch::channel(false);
        let readiness = Readiness::new();
        let (services, authenticator) = self.services(&readiness)?;
        let stack = self.stack(gateway, services, authenticator, watched)?;
        self.platform.local.connect(stack.clone());
        let probed = readiness.clone();
        let detailed = probed.clone();
        let probes = Probes::new(Heartbeat::start(), move || probed.probe()).with_details(move || detailed.details());
        let mut registry = Registry::default();
        registry.register_collector(self.platform.shards.pool_metrics());
        let http = gateway.serve(stack, self.edge(gateway, &mut registry, probes.clone()));
        Ok(Built {
            http,
            probes,
            registry,
            readiness,
            draining,
        })
    }

    /// Starts what runs: the admin listener, the accept loop, the workers.
    async fn run(self, gateway: Gateway, listeners: Listeners, built: Built) -> Result<Running, StartError> {
        let Built {
            http,
            probes,
            registry,
            readiness,
            draining,
        } = built;
        let Options { server, limits, .. } = &self.options;
        let admin_addr = listeners.admin.as_ref().map(|(_, address)| *address);
        let start_admin =
            |(listener, _)| admin::start(&gateway, listener, probes, registry, server.admin_hosts.clone());
        let admin = listeners.admin.map(start_admin).transpose();
        let admin = admin.map_err(StartError::Admin)?;
        let mut shard_watch = ShardWatch::new(self.platform.shards.clone(), self.schemas(), readiness.clone());
        // Ready from the first accepted connection on, if a shard answers.
        shard_watch.look().await;
        let drain_max = limits.drain();
        let serving = tokio::spawn(serve(
            listeners.public,
            http,
            limits.of_connections(),
            draining.subscribe(),
            running::Parts::connections_max(drain_max),
        ));
        let of_chassis = ("chassis/shards".to_owned(), shard_watch.worker());
        let of_modules = self.modules.into_iter().flat_map(|module| {
            let of_module = move |(name, worker)| (format!("{}/{name}", module.name), worker);
            module.workers.into_iter().map(of_module)
        });
        let workers = supervise::start(of_modules.chain([of_chassis]), &draining.subscribe());
        let (stop, stopping) = watch::channel(false);
        let parts = running::Parts {
            readiness: readiness.clone(),
            draining,
            serving,
            workers,
            admin,
            local: self.platform.local.clone(),
            drain_max,
        };
        Ok(Running {
            public_addr: listeners.public_addr,
            admin_addr,
            local: self.platform.local,
            gateway,
            readiness,
            stop,
            ended: tokio::spawn(parts.run_until(stopping)),
        })
    }

    /// The table of services: the modules', health, and reflection where it is on.
    fn services(&self, readiness: &Readiness) -> Result<(Services, Option<Arc<dyn Authenticator>>), StartError> {
        let mut services = Services::new();
        let mut authenticator = None;
        for module in &self.modules {
            for (service, grpc) in &module.services {
                if services.insert(service, grpc.clone()).is_some() {
                    return Err(StartError::Duplicate {
                        service,
                        module: module.name,
                    });
                }
            }
            if let Some(of_module) = &module.authenticator
                && authenticator.replace(Arc::clone(of_module)).is_some()
            {
                return Err(StartError::SecondAuthenticator { module: module.name });
            }
        }
        let health = readiness.service(services.keys().copied());
        services.insert(name_of(&health), BoxCloneSyncService::new(health));
        if self.options.server.reflection {
            // Both versions list both: a tool asks the one it knows what there is.
            services.extend(reflection::services(self.descriptors())?);
        }
        Ok((services, authenticator))
    }

    fn stack(
        &self,
        gateway: &Gateway,
        services: Services,
        authenticator: Option<Arc<dyn Authenticator>>,
        draining: watch::Receiver<bool>,
    ) -> Result<GrpcService, StartError> {
        let limits = &self.options.limits;
        let names = services.keys().copied();
        Ok(BoxCloneSyncService::new(Stack(Arc::new(Layers {
            rules: Rules::load(gateway.schema().pool(), names, &self.options.switches)?,
            deadlines: Deadlines::new(limits),
            concurrency: Concurrency::new(limits.calls, limits.streams),
            message_bytes: limits.message_bytes,
            authentication: Authentication(authenticator),
            policy: Policy {
                place: place(self.platform.shards.clone()),
                message_bytes: limits.message_bytes,
            },
            services,
            draining,
        }))))
    }

    fn edge(&self, gateway: &Gateway, registry: &mut Registry, probes: Probes) -> Edge {
        let Options { title, version, .. } = &self.options;
        let info = millrace_gateway::transcode::openapi::Info {
            title: title.clone(),
            version: version.clone(),
            bearer: Some("An API key, `mr_...`.".to_owned()),
            key_header: Some(KEY_HEADER.to_owned()),
            switches: self.options.switches.clone(),
            ..Default::default()
        };
        let openapi = gateway.schema().openapi(&info);
        let index = format!("{title} {version}\n\n/openapi.json\n/health\n/readiness\n");
        Edge {
            request_id: request_id(self.platform.ids.clone()),
            metrics: Metrics::new(registry),
            cors: self.options.cors(),
            hosts: self.options.hosts(),
            builtin: Arc::new(builtin::Paths {
                probes,
                openapi: format!("{openapi:#}\n").into(),
                index: index.into(),
                pages: self.options.pages.clone(),
            }),
        }
    }
}

/// What answers, before it runs.
struct Built {
    http: HttpService,
    probes: Probes,
    registry: Registry,
    readiness: Readiness,
    draining: watch::Sender<bool>,
}

/// Full service name to service.
type Services = HashMap<&'static str, GrpcService>;

fn name_of<S: NamedService>(_: &S) -> &'static str {
    S::NAME
}

/// Request ids are 32 hexadecimal digits, which is also the form of a trace id.
fn request_id(ids: Ids) -> NewId {
    Arc::new(move |id| write_hex_id(ids.random_u128(), id))
}
