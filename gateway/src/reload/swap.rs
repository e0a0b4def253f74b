//! What a port serves, exchanged while it serves. A call holds the service that it began with until its answer has
//! ended: an exchange neither waits for calls nor touches them.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use arc_swap::ArcSwap;
use tower::util::{BoxCloneSyncService, Oneshot};
use tower::{Service, ServiceExt};

use crate::body::{HttpRequest, HttpResponse};
use crate::gateway::HttpService;

/// A service whose inside can be exchanged; a clone shares it.
#[derive(Clone)]
pub struct Swappable {
    current: Arc<ArcSwap<HttpService>>,
}

impl Swappable {
    /// Serves this until the first exchange.
    pub fn new(service: HttpService) -> Self {
        Self {
            current: Arc::new(ArcSwap::from_pointee(service)),
        }
    }

    /// Serves this to every call that begins from now on.
    pub fn swap(&self, service: HttpService) {
        self.current.store(Arc::new(service));
    }

    /// The service for a port.
    pub fn service(&self) -> HttpService {
        BoxCloneSyncService::new(self.clone())
    }
}

impl Service<HttpRequest> for Swappable {
    type Response = HttpResponse;
    type Error = Infallible;
    type Future = Oneshot<HttpService, HttpRequest>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The inner service is asked by the call itself: which one it will be is decided then.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest) -> Self::Future {
        let current = self.current.load();
        HttpService::clone(&current).oneshot(request)
    }
}

impl std::fmt::Debug for Swappable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Swappable").finish_non_exhaustive()
    }
}
