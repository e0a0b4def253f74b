//! Why a pool could not connect.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::shard::lite::FileError;
use crate::shard::pg::ConnectError;

/// The last failure to connect. bb8 connects in the background and tells only its error sink why that failed.
#[derive(Debug, Clone)]
pub(super) struct LastFailure(Arc<State>);

#[derive(Debug)]
struct State {
    error: Mutex<Option<Arc<dyn Error + Send + Sync>>>,
    /// Failures so far.
    count: watch::Sender<u64>,
}

impl Default for LastFailure {
    fn default() -> Self {
        Self(Arc::new(State {
            error: Mutex::new(None),
            count: watch::Sender::new(0),
        }))
    }
}

impl LastFailure {
    /// Returns how many there were.
    pub(super) fn count(&self) -> u64 {
        *self.0.count.borrow()
    }

    /// Completes when there was a failure after the given count.
    pub(super) async fn changed(&self, count: u64) {
        // The sender lives in `self`: waiting for it cannot fail.
        let _ = self.0.count.subscribe().wait_for(|now| *now > count).await;
    }

    /// Returns the last failure if there was one after the given count.
    pub(super) fn since(&self, count: u64) -> Option<Box<dyn Error + Send + Sync>> {
        if self.count() == count {
            return None;
        }
        let last = self.0.error.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().map(|error| Box::new(Shared(error.clone())) as _)
    }
}

impl<E: Error + Connecting + Send + Sync + 'static> bb8::ErrorSink<E> for LastFailure {
    fn sink(&self, error: E) {
        // A connection that came back broken is replaced; that is no failure to connect.
        if !error.is_broken() {
            *self.0.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(error));
            self.0.count.send_modify(|count| *count += 1);
        }
    }

    fn boxed_clone(&self) -> Box<dyn bb8::ErrorSink<E>> {
        Box::new(self.clone())
    }
}

/// Tells a failure to connect from a connection that broke.
trait Connecting {
    fn is_broken(&self) -> bool;
}

impl Connecting for ConnectError {
    fn is_broken(&self) -> bool {
        matches!(self, Self::Broken)
    }
}

impl Connecting for FileError {
    fn is_broken(&self) -> bool {
        matches!(self, Self::Broken)
    }
}

/// Finds the failure to connect to PostgreSQL in the source of [`StoreError::Unavailable`].
///
/// [`StoreError::Unavailable`]: crate::shard::StoreError::Unavailable
pub(crate) fn connect_error<'a>(source: &'a (dyn Error + Send + Sync + 'static)) -> Option<&'a ConnectError> {
    match source.downcast_ref::<Shared>() {
        Some(shared) => shared.0.downcast_ref(),
        None => source.downcast_ref(),
    }
}

/// One failure that several waiting calls report.
#[derive(Debug)]
struct Shared(Arc<dyn Error + Send + Sync>);

impl std::fmt::Display for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Shared {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
