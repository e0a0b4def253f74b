//! The cap on calls in progress: above it a call is refused at once instead of waiting in a queue without end.

use std::sync::Arc;

use http::Extensions;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refusal::Refusal;
use super::rules::Rule;

/// Marks a call that is part of one admitted before: a service that calls another in this process. Refusing it would
/// waste the work already done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Admitted;

/// Two caps, so that idle watchers cannot take the room of calls that end soon.
pub(crate) struct Concurrency {
    calls: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

impl Concurrency {
    /// Caps for calls and for server streams.
    pub(crate) fn new(calls: usize, streams: usize) -> Self {
        let semaphore = |permits: usize| Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        Self {
            calls: semaphore(calls),
            streams: semaphore(streams),
        }
    }

    /// Takes a place until the permit is dropped. `None` is a call that needs none.
    pub(crate) fn admit(&self, rule: &Rule, extensions: &Extensions) -> Result<Option<OwnedSemaphorePermit>, Refusal> {
        if rule.always_admitted() || extensions.get::<Admitted>().is_some() {
            return Ok(None);
        }
        let cap = if rule.server_streaming() {
            &self.streams
        } else {
            &self.calls
        };
        match Arc::clone(cap).try_acquire_owned() {
            Ok(permit) => Ok(Some(permit)),
            Err(_) => Err(Refusal::Overloaded),
        }
    }
}
