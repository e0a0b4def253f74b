//! The users whose orders calls of this process follow, and the one look a second that finds what is new for them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use millrace_chassis::Platform;
use millrace_chassis::module::{Worker, periodic};
use millrace_chassis::shard::{ShardId, Shards, StoreError, UserId};
use tokio::sync::watch;

use super::store;

/// How often the shards are asked: how late a watcher learns what another process wrote.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Longest time that one shard gets for its answer.
const LOOK_TIME_MAX: Duration = Duration::from_secs(2);
/// Most users whom one statement asks for.
const USERS_AT_ONCE: usize = 1_000;

/// The watched users; cheap to clone. Its size is bounded by the number of open calls.
#[derive(Clone, Default)]
pub(super) struct Watched(Arc<Mutex<HashMap<UserId, Entry>>>);

/// One watched user.
struct Entry {
    /// Number of the last event that is known here to exist.
    known: watch::Sender<i64>,
    /// Calls that watch.
    watchers: usize,
}

impl Watched {
    /// Wakes the watchers of a user whose orders this process has changed.
    pub(super) fn publish(&self, user: UserId) {
        if let Some(entry) = self.users().get(&user) {
            entry.known.send_modify(|_| {});
        }
    }

    /// Begins to watch a user whose events up to `after` the caller has.
    pub(super) fn subscribe(&self, user: UserId, after: i64) -> Subscription {
        let mut users = self.users();
        let entry = users.entry(user).or_insert_with(|| Entry {
            known: watch::Sender::new(after),
            watchers: 0,
        });
        entry.watchers += 1;
        Subscription {
            watched: self.clone(),
            user,
            known: entry.known.subscribe(),
        }
    }

    /// Notes the number of a user's last event, and wakes the watchers if it is new here.
    fn saw(&self, user: UserId, last: i64) {
        if let Some(entry) = self.users().get(&user) {
            entry.known.send_if_modified(|known| {
                let is_new = last > *known;
                *known = last.max(*known);
                is_new
            });
        }
    }

    /// Returns the watched users by shard, as far as this process knows where they are.
    fn by_shard(&self, shards: &Shards) -> BTreeMap<ShardId, Vec<UserId>> {
        let mut found: BTreeMap<ShardId, Vec<UserId>> = BTreeMap::new();
        for user in self.users().keys() {
            found.entry(shards.locate(*user)).or_default().push(*user);
        }
        found
    }

    fn users(&self) -> MutexGuard<'_, HashMap<UserId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One call's interest in a user; it ends when this is dropped.
pub(super) struct Subscription {
    watched: Watched,
    user: UserId,
    known: watch::Receiver<i64>,
}

impl Subscription {
    /// Forgets the notices so far: what they are about is read next.
    pub(super) fn mark_seen(&mut self) {
        self.known.mark_unchanged();
    }

    /// Waits for a notice that came after [`Subscription::mark_seen`].
    pub(super) async fn notice(&mut self) {
        // The sender is there as long as this is.
        let _ = self.known.changed().await;
    }

    /// Tells whether there is a notice that came after [`Subscription::mark_seen`].
    #[cfg(test)]
    pub(super) fn is_woken(&self) -> bool {
        self.known.has_changed().unwrap_or(false)
    }

    /// Tells the user's other watchers, and the next look, what this one has read.
    pub(super) fn has_read(&self, last: i64) {
        self.watched.saw(self.user, last);
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut users = self.watched.users();
        if let Some(entry) = users.get_mut(&self.user) {
            entry.watchers -= 1;
            if entry.watchers == 0 {
                users.remove(&self.user);
            }
        }
    }
}

/// Asks every shard with watched users for their last events, and wakes the watchers of those who have new ones.
/// Returns how many statements that took.
pub(super) async fn look(platform: &Platform, watched: &Watched) -> usize {
    let asked: Vec<(ShardId, Vec<UserId>)> = watched
        .by_shard(&platform.shards)
        .into_iter()
        .flat_map(|(shard, users)| {
            let chunks = users.chunks(USERS_AT_ONCE).map(<[_]>::to_vec).collect::<Vec<_>>();
            chunks.into_iter().map(move |users| (shard, users))
        })
        .collect();
    join_all(
        asked
            .iter()
            .map(|(shard, users)| look_at(platform, watched, *shard, users)),
    )
    .await;
    asked.len()
}

async fn look_at(platform: &Platform, watched: &Watched, shard: ShardId, users: &[UserId]) {
    let answer = tokio::time::timeout(LOOK_TIME_MAX, last_events(&platform.shards, shard, users));
    let last: HashMap<UserId, i64> = match answer.await {
        Ok(Ok(rows)) => rows.into_iter().collect(),
        // Whoever watches meets the failure itself, and that call's own line says so.
        Ok(Err(_)) | Err(_) => HashMap::new(),
    };
    for user in users {
        match last.get(user) {
            Some(last) => watched.saw(*user, *last),
            // The shard did not answer, or the user has moved: the watchers' own read, under the fence, tells which.
            None => watched.publish(*user),
        }
    }
}

async fn last_events(shards: &Shards, shard: ShardId, users: &[UserId]) -> Result<Vec<(UserId, i64)>, StoreError> {
    let Some(scope) = shards.scatter().shard(shard) else {
        return Ok(Vec::new());
    };
    store::last_events(&mut scope.read().await?, users).await
}

/// Returns the look as a background task.
pub(super) fn worker(platform: &Platform, watched: &Watched) -> Worker {
    let (ids, platform, watched) = (platform.ids.clone(), platform.clone(), watched.clone());
    periodic(&ids, LOOK_INTERVAL, move |_draining| {
        let (platform, watched) = (platform.clone(), watched.clone());
        async move {
            look(&platform, &watched).await;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_watched_as_long_as_somebody_does() {
        let (watched, user) = (Watched::default(), UserId::new(7).unwrap());
        let (first, second) = (watched.subscribe(user, 3), watched.subscribe(user, 1));
        drop(first);
        assert_eq!(watched.users().len(), 1);
        drop(second);
        assert!(watched.users().is_empty());
        // Nobody to wake is no fault.
        watched.publish(user);
        watched.saw(user, 9);
    }

    #[tokio::test]
    async fn a_notice_is_for_what_is_new() {
        let (watched, user) = (Watched::default(), UserId::new(7).unwrap());
        let mut watcher = watched.subscribe(user, 3);
        for (last, expected) in [(3, false), (2, false), (4, true), (4, false)] {
            watched.saw(user, last);
            assert_eq!(watcher.is_woken(), expected, "{last}");
            watcher.mark_seen();
        }
        watched.publish(user);
        watcher.notice().await;

        // What one watcher has read, another may not have.
        let ahead = watched.subscribe(user, 9);
        ahead.has_read(9);
        assert!(watcher.is_woken());
    }
}
