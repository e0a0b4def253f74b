//! Following one user's orders: the events in the table after a number, then each new one.
//!
//! A change in this process wakes the user's watchers at once. What another process writes is found by one look a
//! second over all watched users, one statement a shard: a watcher without news asks nothing by itself, so a thousand
//! of them cost as much as one. Where a look finds no answer, its watchers are woken too, and learn the failure by
//! their own read.

use std::collections::VecDeque;

use futures_util::Stream;
use millrace_chassis::shard::UserScope;
use millrace_proto::ordering::v1::OrderEvent;
use tonic::Status;

use super::watched::{Subscription, Watched};
use super::{Error, store};

/// How many events are read at once; a watcher holds no more than these, however slowly it is read.
const BATCH: i64 = 256;

/// Returns the user's events after a number, first those that are there, then each new one. It ends only by an error.
pub(super) fn events(
    scope: UserScope,
    watched: &Watched,
    after: i64,
) -> impl Stream<Item = Result<OrderEvent, Status>> + Send + use<> {
    let watcher = Watcher {
        // Subscribed before the first read, so that nothing falls between the two.
        subscription: watched.subscribe(scope.user(), after),
        scope,
        after,
        read: VecDeque::new(),
    };
    futures_util::stream::try_unfold(watcher, |mut watcher| async move {
        let event = watcher.next().await.map_err(Status::from)?;
        Ok(Some((event, watcher)))
    })
}

/// One call that follows a user's orders.
struct Watcher {
    scope: UserScope,
    subscription: Subscription,
    /// Number of the last event read.
    after: i64,
    /// Events read but not sent.
    read: VecDeque<OrderEvent>,
}

impl Watcher {
    async fn next(&mut self) -> Result<OrderEvent, Error> {
        loop {
            if let Some(event) = self.read.pop_front() {
                return Ok(event);
            }
            // Before the read: a notice that comes during the read leads to another one.
            self.subscription.mark_seen();
            self.read_on().await?;
            if self.read.is_empty() {
                self.subscription.notice().await;
            }
        }
    }

    async fn read_on(&mut self) -> Result<(), Error> {
        let after = self.after;
        let rows = self
            .scope
            .fenced(async |scope| Ok::<_, Error>(store::events_after(&mut scope.read().await?, after, BATCH).await?))
            .await?;
        if let Some(last) = rows.last() {
            self.after = last.number;
            self.subscription.has_read(last.number);
        }
        self.read.extend(rows.into_iter().map(OrderEvent::from));
        Ok(())
    }
}
