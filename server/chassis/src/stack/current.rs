//! The call that a task carries out: its deadline, and what it hands on to the calls that are made on its behalf, so
//! that one request is one id and one trace through the whole process.

use std::future::Future;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue};

use super::deadline::Deadline;

/// What a call hands on unchanged. The credential is not there: a service that calls another in its own name has none.
const HANDED_ON: [&str; 4] = ["x-request-id", "traceparent", "tracestate", "baggage"];

tokio::task_local! {
    static CURRENT: Arc<Current>;
}

/// A call in progress. It is known to the handler, and to the body of a stream while it is asked for its next message.
#[derive(Debug)]
pub(crate) struct Current {
    deadline: Option<Deadline>,
    headers: [Option<HeaderValue>; HANDED_ON.len()],
}

impl Current {
    pub(crate) fn new(deadline: Option<Deadline>, headers: &HeaderMap) -> Arc<Self> {
        Arc::new(Self {
            deadline,
            headers: HANDED_ON.map(|name| headers.get(name).cloned()),
        })
    }

    /// Returns the call that this task carries out, `None` outside calls.
    pub(crate) fn get() -> Option<Arc<Self>> {
        CURRENT.try_with(Arc::clone).ok()
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// Carries out a part of the call that waits.
    pub(crate) async fn scope<T>(self: Arc<Self>, part: impl Future<Output = T>) -> T {
        CURRENT.scope(self, part).await
    }

    /// Carries out a part of the call that does not wait.
    pub(crate) fn enter<T>(self: &Arc<Self>, part: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(Arc::clone(self), part)
    }

    /// Writes what is handed on into the headers of another call, where it says nothing of its own.
    pub(crate) fn hand_on(&self, headers: &mut HeaderMap) {
        for (name, value) in HANDED_ON.into_iter().zip(&self.headers) {
            if let Some(value) = value
                && !headers.contains_key(name)
            {
                headers.insert(name, value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    #[test]
    fn ids_are_handed_on_and_nothing_else() {
        let of = |pairs: &[(&'static str, &'static str)]| -> HeaderMap {
            pairs
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                .collect()
        };
        let outer = of(&[
            ("x-request-id", "r-1"),
            ("traceparent", "t-1"),
            ("authorization", "Bearer mr_1"),
            ("grpc-timeout", "1S"),
        ]);
        let mut inner = of(&[("traceparent", "t-2")]);
        Current::new(None, &outer).hand_on(&mut inner);
        assert_eq!(inner, of(&[("traceparent", "t-2"), ("x-request-id", "r-1")]));
    }

    #[tokio::test]
    async fn a_call_is_known_inside_and_not_outside() {
        let current = Current::new(None, &HeaderMap::new());
        assert!(Current::get().is_none());
        assert!(Arc::clone(&current).scope(async { Current::get().is_some() }).await);
        assert!(current.enter(|| Current::get().is_some()));
        assert!(Current::get().is_none());
    }
}
