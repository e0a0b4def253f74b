//! The cap on calls in progress: above it a call is refused at once instead of waiting in a queue without end.
//!
//! A call has its place before its request is there, so that requests that never come cannot fill the memory either. But
//! whoever opens calls and sends nothing must not keep others out: where no place is free, a new call gets the place of
//! the one that has waited longest for its message. A call whose message is there, but not the end of its request, gives
//! way only to one that has as much: else a call without anything could end one that is only a packet short.
//!
//! A stream that needs no key ends only when its caller wants it to, so strangers have a share of the streams, together
//! and from each address; what is left is for callers with a key.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use http::Extensions;
use millrace_gateway::serve::{Caps, Peer, Taken};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tonic::Status;

use super::refusal::Refusal;
use super::rules::Rule;
use crate::caller::Caller;

/// Callers without a key have one of so many streams, together.
const KEYLESS_SHARE: usize = 4;
/// One address has one of so many of theirs. Most watch health from few connections; a balancer may do so for many.
const KEYLESS_SHARE_OF_PEER: usize = 4;

/// Marks a call that is part of one admitted before: a service that calls another in this process. Refusing it would
/// waste the work already done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Admitted;

/// Two caps, so that idle watchers cannot take the room of calls that end soon.
pub(crate) struct Concurrency {
    calls: Cap,
    streams: Cap,
    keyless: Caps,
}

/// The places that a call holds; dropped, they are free.
#[derive(Default)]
pub(crate) struct Places {
    /// `None` for a call that needs none.
    of_all: Option<OwnedSemaphorePermit>,
    /// Of a stream without a key.
    of_keyless: Option<Taken>,
}

impl Concurrency {
    /// Caps for calls and for server streams.
    pub(crate) fn new(calls: usize, streams: usize) -> Self {
        let keyless = (streams / KEYLESS_SHARE).max(1);
        Self {
            calls: Cap::new(calls),
            streams: Cap::new(streams),
            keyless: Caps::new(keyless, (keyless / KEYLESS_SHARE_OF_PEER).max(1)),
        }
    }

    /// Takes a place until it is dropped, and waits for the request: for its message, and then for its end.
    pub(crate) async fn admit<B, R, E: Future<Output = Result<R, Status>>>(
        &self,
        rule: &Rule,
        extensions: &Extensions,
        begun: impl Future<Output = Result<B, Status>>,
        ended: impl FnOnce(B) -> E,
    ) -> Result<(R, Places), Status> {
        if rule.always_admitted() || extensions.get::<Admitted>().is_some() {
            return Ok((ended(begun.await?).await?, Places::default()));
        }
        let cap = if rule.server_streaming() {
            &self.streams
        } else {
            &self.calls
        };
        let (request, permit) = cap.admit(begun, ended).await?;
        let places = Places {
            of_all: Some(permit),
            of_keyless: None,
        };
        Ok((request, places))
    }

    /// Takes a place of the strangers' share besides, for a stream whose caller has no key.
    pub(crate) fn admit_caller(
        &self,
        rule: &Rule,
        caller: Caller,
        extensions: &Extensions,
        places: &mut Places,
    ) -> Result<(), Refusal> {
        // A call that has no place of its own is a part of another.
        if caller == Caller::Anonymous && rule.server_streaming() && places.of_all.is_some() {
            let taken = self.keyless.take(Peer::of(extensions));
            places.of_keyless = Some(taken.ok_or(Refusal::TooManyKeyless)?);
        }
        Ok(())
    }
}

/// A number of places.
struct Cap {
    places: Arc<Semaphore>,
    waiting: Mutex<Waiting>,
}

/// What a call waits for; who waits for more gives way first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum For {
    Message,
    End,
}

/// The calls that wait for their requests, by what they wait for, and then by age. They own their places here, so that
/// each has one owner.
#[derive(Default)]
struct Waiting {
    calls: BTreeMap<(For, u64), Place>,
    next: u64,
}

struct Place {
    permit: OwnedSemaphorePermit,
    /// Dropped with the place; that is how the call learns that it has lost it.
    _held: oneshot::Sender<()>,
}

impl Cap {
    fn new(places: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))),
            waiting: Mutex::default(),
        }
    }

    async fn admit<B, R, E: Future<Output = Result<R, Status>>>(
        &self,
        begun: impl Future<Output = Result<B, Status>>,
        ended: impl FnOnce(B) -> E,
    ) -> Result<(R, OwnedSemaphorePermit), Status> {
        let mut begun = pin!(begun);
        // Most messages are there with their heads: no list for them.
        let now = poll_fn(|cx| Poll::Ready(begun.as_mut().poll(cx))).await;
        let permit = self.place(if now.is_ready() { For::End } else { For::Message })?;
        let (begun, permit) = match now {
            Poll::Ready(begun) => (begun?, permit),
            Poll::Pending => self.hold(permit, For::Message, begun).await?,
        };
        let mut ended = pin!(ended(begun));
        match poll_fn(|cx| Poll::Ready(ended.as_mut().poll(cx))).await {
            Poll::Ready(ended) => Ok((ended?, permit)),
            Poll::Pending => self.hold(permit, For::End, ended).await,
        }
    }

    /// A free place, or that of the call that has waited longest: for no less than `at_most`.
    fn place(&self, at_most: For) -> Result<OwnedSemaphorePermit, Refusal> {
        if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(permit);
        }
        let given = self.with_waiting(|waiting| {
            let first = waiting.calls.first_entry()?;
            (first.key().0 <= at_most).then(|| first.remove())
        });
        given.map(|place| place.permit).ok_or(Refusal::Overloaded)
    }

    /// Waits with a place that others may get.
    async fn hold<T>(
        &self,
        permit: OwnedSemaphorePermit,
        what: For,
        waited: impl Future<Output = Result<T, Status>>,
    ) -> Result<(T, OwnedSemaphorePermit), Status> {
        let (entry, lost) = self.wait(permit, what);
        let came = tokio::select! {
            biased;
            came = waited => came?,
            _ = lost => return Err(Refusal::Overloaded.into()),
        };
        Ok((came, entry.take().ok_or(Refusal::Overloaded)?))
    }

    fn wait(&self, permit: OwnedSemaphorePermit, what: For) -> (Entry<'_>, oneshot::Receiver<()>) {
        let (held, lost) = oneshot::channel();
        let key = self.with_waiting(|waiting| {
            let key = (what, waiting.next);
            waiting.next += 1;
            waiting.calls.insert(key, Place { permit, _held: held });
            key
        });
        (Entry { cap: self, key }, lost)
    }

    fn with_waiting<T>(&self, act: impl FnOnce(&mut Waiting) -> T) -> T {
        // Nothing below can leave the list half changed.
        act(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A call's line in the list; it goes with the call, however that ends.
struct Entry<'c> {
    cap: &'c Cap,
    key: (For, u64),
}

impl Entry<'_> {
    /// The place, if it has not gone to another call.
    fn take(&self) -> Option<OwnedSemaphorePermit> {
        let place = self.cap.with_waiting(|waiting| waiting.calls.remove(&self.key));
        place.map(|place| place.permit)
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.take();
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures_util::FutureExt;

    use super::*;

    /// The end of a request that ends with its message.
    async fn whole(begun: ()) -> Result<(), Status> {
        Ok(begun)
    }

    #[tokio::test]
    async fn a_call_with_its_message_gives_way_only_to_another() {
        let cap = Cap::new(1);
        let unended = |()| pending::<Result<(), Status>>();
        let mut short = pin!(cap.admit(ready(Ok(())), unended));
        assert!(short.as_mut().now_or_never().is_none());
        let silent = cap.admit(pending::<Result<(), Status>>(), whole).now_or_never();
        assert!(silent.expect("it is refused at once").is_err());
        assert!(short.as_mut().now_or_never().is_none(), "it kept its place");
        let (_, place) = cap.admit(ready(Ok(())), whole).await.expect("a place");
        assert!(short.await.is_err());
        drop(place);
        assert_eq!(cap.places.available_permits(), 1);
    }

    #[tokio::test]
    async fn a_call_that_waits_for_its_request_gives_way_oldest_first() {
        let cap = Cap::new(2);
        let (send, sent) = oneshot::channel::<()>();
        let mut silent = pin!(cap.admit(pending::<Result<(), Status>>(), whole));
        let mut slow = pin!(cap.admit(async { sent.await.map_err(|_| Status::cancelled("dropped")) }, whole));
        assert!(silent.as_mut().now_or_never().is_none());
        assert!(slow.as_mut().now_or_never().is_none());

        // Both places are taken; the older of the two gives way.
        let (_, first) = cap.admit(ready(Ok(())), whole).await.expect("a place");
        let refused = silent.await.expect_err("its place is gone");
        assert_eq!(refused.code(), tonic::Code::Unavailable);
        send.send(()).expect("the slow one waits");
        let ((), second) = slow.await.expect("the slow one kept its place");

        // Whoever has a request keeps its place.
        let full = cap.admit(ready(Ok(())), whole).await.expect_err("no place");
        assert_eq!(full.code(), tonic::Code::Unavailable);
        drop((first, second));
        assert_eq!(cap.places.available_permits(), 2);
    }

    #[tokio::test]
    async fn a_place_is_free_when_its_call_gives_up() {
        let cap = Cap::new(1);
        assert!(
            cap.admit(pending::<Result<(), Status>>(), whole)
                .now_or_never()
                .is_none()
        );
        assert!(
            cap.admit(ready(Err::<(), _>(Status::cancelled(""))), whole)
                .await
                .is_err()
        );
        assert_eq!(cap.places.available_permits(), 1);
        assert!(cap.with_waiting(|waiting| waiting.calls.is_empty()));
    }
}
