//! gRPC servers behind the gateway: connections that are kept, and the inner service that sends calls over them.
//!
//! An [`Upstream`] is a pool of a few HTTP/2 connections to one server. [`Upstream::run`] keeps them: it resolves the
//! name, connects, waits for the server's SETTINGS, replaces what ends, and lets calls finish when it is to stop. A
//! call of [`Upstream::service`] takes a place on one of the connections (`pool.rs`), is sent (`call.rs`) with what the
//! server is to know of it (`head.rs`), and gives the place back when its answer ends (`answer.rs`). Whatever fails on the
//! way becomes a gRPC status that says nothing of the server's address or of the connection (`fault.rs`); the log does.
//!
//! HTTP/2 is spoken by `http2.rs` and what is below it.

mod address;
mod answer;
mod backoff;
mod bell;
mod call;
mod connect;
mod drive;
mod fault;
mod framing;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod grow;
mod head;
mod hop;
mod http2;
mod keep;
mod life;
mod outgoing;
mod pool;
mod settings;
mod table;
mod tls;

use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderValue, Response};
use tokio::sync::watch;
use tower::util::BoxCloneSyncService;

use crate::deadline;
use crate::gateway::GrpcService;
use crate::inner::{InnerBody, InnerCall};
use address::Address;
pub(crate) use answer::AnswerBody;
use bell::Bell;
use connect::Dialer;
use pool::Pool;
pub use settings::{ClientIdentity, Settings, Tls, UpstreamError};
pub use table::{Claim, Table};

/// Checks that a URL can be a server's; nothing is connected.
///
/// # Errors
/// It is none, or holds more than a server's address: [`UpstreamError::Url`].
#[cfg(feature = "standalone")]
pub(crate) fn check_url(url: &str) -> Result<(), UpstreamError> {
    Address::parse(url).map(drop)
}

/// One gRPC server, or several behind one name; cheap to clone.
#[derive(Clone)]
pub struct Upstream {
    shared: Arc<Shared>,
}

/// What calls and connections share.
struct Shared {
    settings: Settings,
    address: Address,
    dialer: Dialer,
    pool: Arc<Pool>,
    health: watch::Sender<Health>,
    /// Why the last attempt to connect failed, for operators.
    failure: Mutex<Option<String>>,
    /// Rings when streams are to end.
    cutting: Arc<Bell>,
    /// Rings when calls with one answer are to end too.
    ending: Arc<Bell>,
    /// The settings' deadline, as `grpc-timeout`.
    whole_timeout: HeaderValue,
}

/// Whether a server can be called.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Health {
    /// No connection is there, and the last attempt has not failed: at the start, and after a connection ended.
    Connecting,
    /// At least one connection is there.
    Up,
    /// No connection is there, and the last attempt failed.
    Down {
        /// What failed, without addresses.
        reason: String,
    },
}

impl Upstream {
    /// Checks the settings and reads the files that they name. Nothing is connected before [`Upstream::run`].
    ///
    /// # Errors
    /// A URL that is none of a gRPC server's, a file that cannot be read, or a bound that is zero; see
    /// [`UpstreamError`].
    pub fn new(settings: Settings) -> Result<Self, UpstreamError> {
        settings.check()?;
        let address = Address::parse(&settings.url)?;
        let tls = match address.is_tls {
            true => Some(tls::connector(&settings.tls)?),
            false => None,
        };
        let dialer = Dialer::new(&settings, &address, tls)?;
        Ok(Self {
            shared: Arc::new(Shared {
                pool: Pool::new(settings.calls_waiting_max),
                health: watch::Sender::new(Health::Connecting),
                failure: Mutex::default(),
                cutting: Arc::default(),
                ending: Arc::default(),
                whole_timeout: deadline::to_grpc(settings.deadline),
                settings,
                address,
                dialer,
            }),
        })
    }

    /// The URL, which never has credentials.
    pub fn name(&self) -> &str {
        &self.shared.address.name
    }

    /// Why the last attempt to connect failed, with its causes; `None` if none has.
    pub(crate) fn last_failure(&self) -> Option<String> {
        let failure = self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.clone()
    }

    /// The server as an inner service. It is always ready; a call waits for a connection inside its deadline.
    pub fn service(&self) -> GrpcService {
        let shared = self.shared.clone();
        tower_service(move |call| call::answer(Ok(shared.clone()), call))
    }

    /// Whether the server can be called, watched.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.shared.health.subscribe()
    }

    /// Keeps the connections until `stopping` says to stop, then until no call is in progress, and closes them. Whoever
    /// runs it bounds the second part. Dropping the future cuts the calls; to run it twice at once opens twice the
    /// connections.
    pub async fn run(&self, stopping: watch::Receiver<bool>) {
        keep::run(&self.shared, stopping).await;
    }

    /// Ends the streams of the server's that are in progress, and those that still begin, with UNAVAILABLE and the
    /// reason `STREAM_CUT`: for a drain that will not wait for them any longer. Other calls go on.
    pub fn cut_streams(&self) {
        self.shared.cutting.ring();
    }

    /// Ends the other calls too, and those that still begin, with UNAVAILABLE and the reason `GATEWAY_STOPPING`: for the
    /// last moment in which callers can still be told.
    pub fn end_calls(&self) {
        self.shared.ending.ring();
    }
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upstream")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

/// What answers calls, as a tower service.
fn tower_service<F>(answer: impl Fn(InnerCall) -> F + Clone + Send + Sync + 'static) -> GrpcService
where
    F: Future<Output = Response<InnerBody>> + Send + 'static,
{
    BoxCloneSyncService::new(tower::service_fn(move |request| {
        let answering = answer(InnerCall::of(request));
        async move { Ok(answering.await.map(tonic::body::Body::from)) }
    }))
}
