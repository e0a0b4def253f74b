//! Readiness, and the gRPC health service that says the same. (tonic-health has no `List`, so the server is ours.)
//!
//! A platform is ready while it does not drain and at least one shard answers. Liveness is another thing: see
//! [`heartbeat`](millrace_gateway::heartbeat).

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::{Stream, StreamExt, stream};
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use crate::status::{Fault, Kind, status};

/// Messages, server and client of `grpc.health.v1`, generated.
#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated code")]
pub mod v1 {
    tonic::include_proto!("grpc.health.v1");
}

use v1::health_check_response::ServingStatus;
use v1::health_server::{Health, HealthServer};
use v1::{HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse};

/// Descriptors of health and of `google.rpc`'s error details, encoded.
pub(crate) const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/builtin.binpb"));

/// gRFC A90 bounds the answer of List.
const LIST_MAX: usize = 100;

/// Whether the platform can take calls; cheap to clone, one state.
#[derive(Clone)]
pub struct Readiness(Arc<watch::Sender<State>>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct State {
    reachable: bool,
    draining: bool,
    unreachable: Vec<Unreachable>,
}

/// A database that does not answer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Unreachable {
    /// `shard 3`, or `global database`.
    pub database: String,
    /// Why, in words that anybody may read.
    pub reason: String,
}

impl Readiness {
    /// Not ready yet.
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(State::default())))
    }

    /// Tells whether calls should be sent here.
    pub fn is_ready(&self) -> bool {
        serving(&self.0.borrow()) == ServingStatus::Serving
    }

    /// Tells whether calls should be sent here, and if not, why in one word.
    pub(crate) fn probe(&self) -> Result<(), &'static str> {
        let state = self.0.borrow();
        if serving(&state) == ServingStatus::Serving {
            Ok(())
        } else if state.draining {
            Err("draining")
        } else {
            Err("no_shard")
        }
    }

    /// What `/readiness` says besides its status: who watches a platform that is ready still wants to know whose users
    /// are not served, and why.
    pub(crate) fn details(&self) -> serde_json::Map<String, serde_json::Value> {
        let unreachable = self.unreachable();
        let member = (!unreachable.is_empty()).then(|| ("unreachable".to_owned(), serde_json::json!(unreachable)));
        member.into_iter().collect()
    }

    /// Returns the databases that did not answer the last time they were asked. While one shard answers the platform
    /// is ready all the same: the users of the others are served.
    pub fn unreachable(&self) -> Vec<Unreachable> {
        self.0.borrow().unreachable.clone()
    }

    /// Says whether at least one shard answers, and which databases do not.
    pub(crate) fn set_databases(&self, any_shard: bool, unreachable: &[Unreachable]) {
        self.0.send_if_modified(|state| {
            let changed = state.reachable != any_shard || state.unreachable != unreachable;
            state.reachable = any_shard;
            state.unreachable = unreachable.to_vec();
            changed
        });
    }

    /// Says that the platform ends; there is no way back.
    pub(crate) fn drain(&self) {
        self.0.send_modify(|state| state.draining = true);
    }

    /// The gRPC service, for the services named and the server as a whole.
    pub(crate) fn service<'a>(&self, services: impl IntoIterator<Item = &'a str>) -> HealthServer<HealthService> {
        let mut names: Vec<String> = services.into_iter().map(str::to_owned).collect();
        names.push(String::new());
        HealthServer::new(HealthService {
            names,
            readiness: self.clone(),
        })
    }
}

fn serving(state: &State) -> ServingStatus {
    if state.reachable && !state.draining {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

/// Check, List and Watch.
pub(crate) struct HealthService {
    names: Vec<String>,
    readiness: Readiness,
}

#[derive(Debug, thiserror::Error)]
enum HealthError {
    #[error("this server has no such service")]
    UnknownService,
    #[error("this server has more services than List may answer")]
    TooMany,
}

impl Fault for HealthError {
    fn kind(&self) -> Kind {
        match self {
            Self::UnknownService => Kind::NotFound,
            Self::TooMany => Kind::Exhausted,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::UnknownService => "NOT_FOUND",
            Self::TooMany => "TOO_LARGE",
        }
    }
}

#[tonic::async_trait]
impl Health for HealthService {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        if !self.names.contains(&request.get_ref().service) {
            return Err(status(&HealthError::UnknownService));
        }
        Ok(Response::new(answer(serving(&self.readiness.0.borrow()))))
    }

    async fn list(&self, _: Request<HealthListRequest>) -> Result<Response<HealthListResponse>, Status> {
        if self.names.len() > LIST_MAX {
            return Err(status(&HealthError::TooMany));
        }
        let now = answer(serving(&self.readiness.0.borrow()));
        let statuses: HashMap<_, _> = self.names.iter().map(|name| (name.clone(), now)).collect();
        Ok(Response::new(HealthListResponse { statuses }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        if !self.names.contains(&request.get_ref().service) {
            // By the protocol the stream stays open: the service may come later.
            let unknown = stream::iter([Ok(answer(ServingStatus::ServiceUnknown))]).chain(stream::pending());
            return Ok(Response::new(Box::pin(unknown)));
        }
        let receiver = self.readiness.0.subscribe();
        let changes = stream::unfold((receiver, None), |(mut receiver, last)| async move {
            loop {
                let now = serving(&receiver.borrow_and_update());
                if last != Some(now) {
                    return Some((Ok(answer(now)), (receiver, Some(now))));
                }
                receiver.changed().await.ok()?;
            }
        });
        Ok(Response::new(Box::pin(changes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(service: &str) -> Request<HealthCheckRequest> {
        Request::new(HealthCheckRequest {
            service: service.to_owned(),
        })
    }

    fn fixture() -> (Readiness, HealthService) {
        let readiness = Readiness::new();
        let names = vec!["shop.v1.Shop".to_owned(), String::new()];
        (readiness.clone(), HealthService { names, readiness })
    }

    #[tokio::test]
    async fn check_and_list_say_what_readiness_says() {
        let (readiness, service) = fixture();
        type Step = (&'static str, fn(&Readiness), ServingStatus);
        let steps: [Step; 4] = [
            ("at first", |_| {}, ServingStatus::NotServing),
            (
                "a shard answers",
                |readiness| readiness.set_databases(true, &[]),
                ServingStatus::Serving,
            ),
            ("it drains", Readiness::drain, ServingStatus::NotServing),
            (
                "for good",
                |readiness| readiness.set_databases(true, &[]),
                ServingStatus::NotServing,
            ),
        ];
        for (step, change, expected) in steps {
            change(&readiness);
            for name in ["", "shop.v1.Shop"] {
                let checked = service.check(ask(name)).await.unwrap().into_inner();
                assert_eq!(checked.status(), expected, "{step}");
                let listed = service
                    .list(Request::new(HealthListRequest {}))
                    .await
                    .unwrap()
                    .into_inner();
                assert_eq!(listed.statuses[name].status(), expected, "{step}");
            }
            assert_eq!(readiness.is_ready(), expected == ServingStatus::Serving, "{step}");
        }
        assert_eq!(
            service.check(ask("nope")).await.unwrap_err().code(),
            tonic::Code::NotFound
        );
    }

    #[tokio::test]
    async fn watch_sends_each_change_once() {
        let (readiness, service) = fixture();
        let mut watch = service.watch(ask("")).await.unwrap().into_inner();
        assert_eq!(watch.next().await.unwrap().unwrap().status(), ServingStatus::NotServing);
        readiness.set_databases(true, &[]);
        assert_eq!(watch.next().await.unwrap().unwrap().status(), ServingStatus::Serving);
        readiness.set_databases(true, &[]);
        readiness.drain();
        assert_eq!(watch.next().await.unwrap().unwrap().status(), ServingStatus::NotServing);

        let mut unknown = service.watch(ask("nope")).await.unwrap().into_inner();
        assert_eq!(
            unknown.next().await.unwrap().unwrap().status(),
            ServingStatus::ServiceUnknown
        );
        assert!(futures_util::FutureExt::now_or_never(unknown.next()).is_none());
    }

    #[tokio::test]
    async fn list_is_bounded() {
        let (readiness, mut service) = fixture();
        service.names = (0..=LIST_MAX).map(|number| number.to_string()).collect();
        let refused = service.list(Request::new(HealthListRequest {})).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
        drop(readiness);
    }
}
