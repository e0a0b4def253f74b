//! What a port serves, exchanged while it serves. A call holds the service that it began with until its answer has
//! ended: an exchange neither waits for calls nor touches them.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::body::HttpRequest;
use crate::gateway::{Answer, Answering, HttpService};
use crate::serve::RemoteAddress;

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
        HttpService::new(self.clone())
    }
}

impl Answering for Swappable {
    fn answer(self: Arc<Self>, request: HttpRequest, remote: Option<&RemoteAddress>) -> Answer {
        self.current.load().answer(request, remote)
    }
}

impl std::fmt::Debug for Swappable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Swappable").finish_non_exhaustive()
    }
}
