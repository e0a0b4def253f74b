//! What of an upstream is served over gRPC and gRPC-Web: to put a gateway before a server must not publish that server.
//! REST is not asked here, for it has no other RPCs than those that are bound.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::schema::is_served;
use super::settings::{Grpc, Settings};
use crate::Door;
use crate::inner::Calls;
use crate::reflection::is_exposed;
use crate::transcode::Schema;
use crate::upstream::Table;

/// The RPCs that are served over gRPC. As text it is `16 of 17 RPCs`: those of health and reflection count where they
/// are listed.
pub(super) struct Published {
    /// `/package.Service/Method`.
    paths: BTreeSet<String>,
    services: Vec<String>,
    /// How many RPCs of the server's own are published, and how many it has.
    counts: (usize, usize),
}

impl Published {
    /// What the settings publish of a schema.
    pub(super) fn new(settings: &Settings, schema: &Schema) -> Self {
        let paths: Box<dyn Iterator<Item = &str>> = match settings.grpc {
            Grpc::Annotated => {
                let bound = schema.routes().map(|route| route.method());
                // A health check over REST does not open the service over gRPC.
                let bound = bound.filter(|method| is_exposed(method.descriptor().parent_service().full_name()));
                Box::new(bound.map(|method| method.grpc_path()))
            }
            Grpc::All => Box::new(
                schema
                    .methods()
                    .filter(|method| is_served(settings, method.descriptor().parent_service().full_name()))
                    .map(|method| method.grpc_path()),
            ),
            Grpc::Off => Box::new(std::iter::empty()),
        };
        let mut published = Self {
            paths: paths.map(str::to_owned).collect(),
            services: settings.grpc_also.clone(),
            counts: (0, 0),
        };
        let own = schema
            .methods()
            .filter(|method| is_served(settings, method.descriptor().parent_service().full_name()));
        for method in own {
            published.counts.0 += usize::from(published.has(method.grpc_path()));
            published.counts.1 += 1;
        }
        published
    }

    /// Whether `grpc = "all"` would publish more.
    pub(super) fn is_part(&self) -> bool {
        self.counts.0 < self.counts.1
    }

    /// Whether nothing is published.
    pub(super) fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.services.is_empty()
    }

    fn has(&self, path: &str) -> bool {
        let service = path
            .strip_prefix('/')
            .and_then(|rest| rest.split_once('/'))
            .map(|(service, _)| service);
        self.paths.contains(path) || service.is_some_and(|service| self.services.iter().any(|listed| listed == service))
    }

    /// The upstreams as one service, refusing what is not published.
    pub(super) fn around(self, upstreams: &Table) -> impl Calls + 'static {
        let published = Arc::new(self);
        upstreams.calls_but(move |call| {
            let is_grpc = matches!(call.record.door(), Door::Grpc | Door::GrpcWeb);
            // One answer for what is hidden and what is not there.
            let is_refused = is_grpc && !published.has(call.request.uri().path());
            is_refused.then(|| tonic::Status::unimplemented("this RPC is not served here").into_http())
        })
    }
}

impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (published, all) = self.counts;
        write!(f, "{published} of {all} RPCs")
    }
}
