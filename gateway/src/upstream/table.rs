//! Several upstreams as one inner service: each call goes to the one that has its service.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Response;

use crate::answer::{GRPC, trailers_only};
use crate::error::Failure;
use crate::gateway::GrpcService;
use crate::inner::{Called, InnerBody, InnerCall};
use crate::upstream::{Upstream, call, tower_service};

/// Upstreams by service.
#[derive(Debug, Clone)]
pub struct Table {
    upstreams: Vec<Upstream>,
    /// Of so few names, comparing takes less than hashing.
    by_service: Arc<BTreeMap<String, Upstream>>,
    claims: Vec<Claim>,
}

/// A service that a second upstream has too. The first one serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The full name of the service.
    pub service: String,
    /// The name of the upstream that serves it.
    pub first: String,
    /// The name of the other.
    pub second: String,
}

impl Table {
    /// Upstreams, each with the full names of its services (`package.Service`). A service belongs to the first that has
    /// it; see [`Table::claims`].
    pub fn new(upstreams: Vec<(Upstream, Vec<String>)>) -> Self {
        let mut by_service: BTreeMap<String, Upstream> = BTreeMap::new();
        let mut claims = Vec::new();
        for (upstream, services) in &upstreams {
            for service in services {
                match by_service.get(service) {
                    None => {
                        by_service.insert(service.clone(), upstream.clone());
                    }
                    Some(first) if !Arc::ptr_eq(&first.shared, &upstream.shared) => claims.push(Claim {
                        service: service.clone(),
                        first: first.name().to_owned(),
                        second: upstream.name().to_owned(),
                    }),
                    Some(_) => {}
                }
            }
        }
        Self {
            upstreams: upstreams.into_iter().map(|(upstream, _)| upstream).collect(),
            by_service: Arc::new(by_service),
            claims,
        }
    }

    /// The upstreams, in their order.
    pub fn upstreams(&self) -> &[Upstream] {
        &self.upstreams
    }

    /// The upstream that serves a service.
    pub fn upstream_of(&self, service: &str) -> Option<&Upstream> {
        self.by_service.get(service)
    }

    /// Services that more than one upstream has, for whoever loads the table to refuse or to report.
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// All of them as one inner service. An RPC whose service none has is UNIMPLEMENTED.
    pub fn service(&self) -> GrpcService {
        tower_service(self.calls_but(|_| None))
    }

    /// The same as it is, for whoever puts more around it, and but for calls that `refused` answers.
    pub(crate) fn calls_but<R>(&self, refused: R) -> impl Fn(InnerCall) -> Called + Clone + Send + Sync + use<R>
    where
        R: Fn(&InnerCall) -> Option<Response<InnerBody>> + Clone + Send + Sync,
    {
        let by_service = self.by_service.clone();
        move |call: InnerCall| -> Called {
            let found = match (refused(&call), by_service.get(service_of(call.request.uri().path()))) {
                (Some(refusal), _) => Err(Box::new(refusal)),
                (None, Some(upstream)) => Ok(upstream.shared.clone()),
                (None, None) => {
                    let failure = Failure::no_upstream();
                    Err(Box::new(trailers_only(&failure, GRPC, call.record.error_domain())))
                }
            };
            Called::Upstream(Box::pin(call::answer(found, call)))
        }
    }
}

/// The service in `/package.Service/Method`.
fn service_of(path: &str) -> &str {
    let name = path.strip_prefix('/').unwrap_or(path);
    name.rsplit_once('/').map_or(name, |(service, _)| service)
}

#[cfg(test)]
mod tests {
    use http::Request;
    use tower::ServiceExt;

    use super::*;
    use crate::upstream::Settings;

    fn upstream(port: u16) -> Upstream {
        Upstream::new(Settings::new(format!("http://127.0.0.1:{port}"), 1)).unwrap()
    }

    #[test]
    fn a_path_names_its_service() {
        let table = [
            ("/shop.v1.Shop/Get", "shop.v1.Shop"),
            ("/Shop/Get", "Shop"),
            ("/shop.v1.Shop", "shop.v1.Shop"),
            ("", ""),
        ];
        for (path, service) in table {
            assert_eq!(service_of(path), service);
        }
    }

    #[test]
    fn a_service_belongs_to_the_first_that_has_it() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let table = Table::new(vec![
            (upstream(1), names(&["a.A", "b.B", "a.A"])),
            (upstream(2), names(&["b.B", "c.C"])),
        ]);
        let of = |service| table.upstream_of(service).map(Upstream::name);
        assert_eq!(of("b.B"), Some("http://127.0.0.1:1"));
        assert_eq!(of("c.C"), Some("http://127.0.0.1:2"));
        assert_eq!(of("d.D"), None);
        let claim = Claim {
            service: "b.B".to_owned(),
            first: "http://127.0.0.1:1".to_owned(),
            second: "http://127.0.0.1:2".to_owned(),
        };
        assert_eq!(table.claims(), [claim]);
        assert_eq!(table.upstreams().len(), 2);
    }

    #[tokio::test]
    async fn an_rpc_of_no_upstream_is_unimplemented() {
        let table = Table::new(vec![(upstream(1), vec!["a.A".to_owned()])]);
        let request = Request::post("/b.B/Get").body(tonic::body::Body::empty()).unwrap();
        let response = table.service().oneshot(request).await.unwrap();
        assert_eq!(response.headers()["grpc-status"], "12");
    }
}
