//! Following one user's orders: the events in the table after a number, then each new one. A notice inside the process
//! says that there is something to read; a look once a second finds what another process wrote.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use millrace_chassis::shard::{BUCKETS, Bucket, UserScope};
use millrace_proto::ordering::v1::OrderEvent;
use tokio::sync::watch;
use tonic::Status;

use super::{Error, store};

/// How long a watcher waits for a notice before it looks by itself.
const POLL: Duration = Duration::from_secs(1);
/// How many events are read at once.
const BATCH: i64 = 256;

/// Tells watchers that a user's orders have changed: one slot per bucket, so its size is known.
#[derive(Clone)]
pub(super) struct Notices(Arc<[watch::Sender<()>]>);

impl Notices {
    /// Notices that nobody watches yet.
    pub(super) fn new() -> Self {
        Self((0..BUCKETS).map(|_| watch::Sender::new(())).collect())
    }

    /// Wakes the watchers of a bucket's users.
    pub(super) fn publish(&self, bucket: Bucket) {
        self.0[usize::from(bucket.number())].send_replace(());
    }

    fn subscribe(&self, bucket: Bucket) -> watch::Receiver<()> {
        self.0[usize::from(bucket.number())].subscribe()
    }
}

/// Returns the user's events after a number, first those that are there, then each new one. It ends only by an error.
pub(super) fn events(
    scope: UserScope,
    notices: &Notices,
    after: i64,
) -> impl Stream<Item = Result<OrderEvent, Status>> + Send + use<> {
    let watcher = Watcher {
        // Subscribed before the first read, so that nothing falls between the two.
        notices: notices.subscribe(scope.bucket()),
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
    notices: watch::Receiver<()>,
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
            // Marked as seen before the read: a notice that comes during the read leads to another one.
            self.notices.mark_unchanged();
            self.read_on().await?;
            if self.read.is_empty() {
                // Either way there is a reason to look.
                let _ = tokio::time::timeout(POLL, self.notices.changed()).await;
            }
        }
    }

    async fn read_on(&mut self) -> Result<(), Error> {
        let after = self.after;
        let rows = self
            .scope
            .fenced(async |scope| Ok::<_, Error>(store::events_after(&mut scope.read().await?, after, BATCH).await?))
            .await?;
        self.after = rows.last().map_or(after, |row| row.number);
        self.read.extend(rows.into_iter().map(OrderEvent::from));
        Ok(())
    }
}
