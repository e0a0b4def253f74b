//! Reads over all shards at once: bounded fan-out, a deadline per shard, an ordered merge without duplicates.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::Future;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use crate::shard::pg::Role;
use crate::shard::scope::of_call;
use crate::shard::{Conn, DatabaseName, ShardId, ShardScope, Shards, StoreError};
use crate::stack::Deadline;
use crate::status::causes;

/// Most shards read at the same time by one call.
const FAN_OUT_MAX: usize = 4;
/// Longest time that one shard gets; a call's own deadline may be shorter.
const SHARD_TIME_MAX: Duration = Duration::from_secs(2);
/// Part of the call's remaining time that all shards together get.
const CALL_SHARE: f64 = 0.9;

/// All shards at once; operators only.
#[derive(Debug, Clone)]
pub struct Scatter {
    shards: Shards,
    deadline: Option<Instant>,
}

/// What the shards answered.
#[derive(Debug)]
pub struct Gathered<T> {
    /// Rows in the order of their keys, equal keys once, at most the limit asked for plus one.
    pub rows: Vec<T>,
    /// Shards that did not answer in time.
    pub missed: Vec<ShardId>,
}

impl Scatter {
    pub(crate) fn new(shards: Shards) -> Self {
        Self {
            shards,
            deadline: of_call(),
        }
    }

    /// Sets another deadline than that of the call in progress.
    #[must_use]
    pub fn until(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Returns the scope of one shard, for the workers that tend every shard in turn; `None` if there is no such shard.
    pub fn shard(&self, shard: ShardId) -> Option<ShardScope> {
        ShardScope::new(self.shards.clone(), shard, self.deadline)
    }

    /// Reads from every shard and merges by key. `read` returns the first `limit + 1` rows of its shard in rising key
    /// order (wrap the key in `Reverse` for falling order), and must filter by readable buckets:
    ///
    /// ```text
    /// scatter.gather(limit, partial, |order| Reverse(order.order_id), move |mut conn| async move {
    ///     on!(conn, c => orders::table.filter(readable!(orders::bucket))
    ///         .order(orders::order_id.desc()).limit(limit as i64 + 1).load(c).await)
    /// }).await
    /// ```
    ///
    /// # Errors
    /// A shard failed and `partial` is false; or every shard failed.
    pub async fn gather<T, K, R, F, Fut>(
        &self,
        limit: usize,
        partial: bool,
        key: K,
        read: F,
    ) -> Result<Gathered<T>, StoreError>
    where
        T: Send + 'static,
        R: Ord,
        K: Fn(&T) -> R,
        F: Fn(Conn<ShardId>) -> Fut,
        Fut: Future<Output = Result<Vec<T>, StoreError>> + Send + 'static,
    {
        let all_until = self.latest_answer();
        let fan_out = FAN_OUT_MAX.min(self.shards.0.limits.size as usize).max(1);
        let mut reads = Vec::with_capacity(usize::from(self.shards.count()));
        for shard in self.shards.ids() {
            let answer = self.read_one(shard, all_until, &read);
            reads.push(async move { (shard, answer.await) });
        }
        let mut answers = stream::iter(reads).buffer_unordered(fan_out);

        let mut lists = Vec::with_capacity(usize::from(self.shards.count()));
        let mut missed = Vec::new();
        let mut last_error = None;
        while let Some((shard, answer)) = answers.next().await {
            match answer {
                Ok(rows) => lists.push(rows),
                Err(error) if partial => {
                    // The answer only says which; this is the one place that knows why.
                    tracing::warn!(%shard, %error, causes = causes(&error), "shard left out of a scatter read");
                    missed.push(shard);
                    last_error = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        if lists.is_empty()
            && let Some(error) = last_error
        {
            return Err(error);
        }
        missed.sort_unstable();
        Ok(Gathered {
            rows: merge(lists, key, limit.saturating_add(1)),
            missed,
        })
    }

    /// Returns when the last shard must have answered. It is before the call's own deadline, so that there is time left
    /// to say which shards did not.
    fn latest_answer(&self) -> Instant {
        let now = Instant::now();
        let call = Deadline::current().map(|deadline| now + deadline.remaining().mul_f64(CALL_SHARE));
        let longest = now + SHARD_TIME_MAX * u32::from(self.shards.count());
        [self.deadline, call].into_iter().flatten().fold(longest, Instant::min)
    }

    /// Reads one shard within its time.
    async fn read_one<T, F, Fut>(&self, shard: ShardId, all_until: Instant, read: &F) -> Result<Vec<T>, StoreError>
    where
        F: Fn(Conn<ShardId>) -> Fut,
        Fut: Future<Output = Result<Vec<T>, StoreError>>,
    {
        let name = DatabaseName::Shard(shard);
        let until = all_until.min(Instant::now() + SHARD_TIME_MAX);
        let answer = async {
            let conn = self
                .shards
                .database(name)
                .conn(Role::Reader, shard, Some(until))
                .await?;
            read(conn).await
        };
        tokio::time::timeout_at(until, answer)
            .await
            .unwrap_or_else(|_| Err(StoreError::Busy { database: name }))
    }
}

/// Merges sorted lists, smallest key first; of rows with equal keys the first found stays (a bucket on its way is
/// readable in two shards). Each row costs one comparison per level of a heap as large as the number of lists.
fn merge<T, R: Ord>(lists: Vec<Vec<T>>, key: impl Fn(&T) -> R, rows_max: usize) -> Vec<T> {
    /// The head of one list, ordered by key, then by list.
    struct Head<R, T> {
        key: R,
        list: usize,
        row: T,
    }
    impl<R: Ord, T> Ord for Head<R, T> {
        fn cmp(&self, other: &Self) -> std::cmp::Ordering {
            (&self.key, self.list).cmp(&(&other.key, other.list))
        }
    }
    impl<R: Ord, T> PartialOrd for Head<R, T> {
        fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
            Some(self.cmp(other))
        }
    }
    impl<R: Ord, T> PartialEq for Head<R, T> {
        fn eq(&self, other: &Self) -> bool {
            self.cmp(other).is_eq()
        }
    }
    impl<R: Ord, T> Eq for Head<R, T> {}

    let mut lists: Vec<_> = lists.into_iter().map(Vec::into_iter).collect();
    let mut heads = BinaryHeap::with_capacity(lists.len());
    let next = |lists: &mut Vec<std::vec::IntoIter<T>>, list: usize| {
        lists[list].next().map(|row| {
            Reverse(Head {
                key: key(&row),
                list,
                row,
            })
        })
    };
    for list in 0..lists.len() {
        heads.extend(next(&mut lists, list));
    }
    let mut rows: Vec<T> = Vec::new();
    let mut last_key = None;
    while let Some(Reverse(head)) = heads.pop() {
        heads.extend(next(&mut lists, head.list));
        if last_key.as_ref() == Some(&head.key) {
            continue;
        }
        if rows.len() == rows_max {
            break;
        }
        rows.push(head.row);
        last_key = Some(head.key);
    }
    rows
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A merge is the sorted union without duplicates, cut at the limit, in both directions.
        #[test]
        fn merging_is_sorting(mut lists in prop::collection::vec(prop::collection::vec(0_u16..200, 0..40), 0..9), max in 0_usize..60) {
            for list in &mut lists {
                list.sort_unstable();
                list.dedup();
            }
            let mut all: Vec<u16> = lists.concat();
            all.sort_unstable();
            all.dedup();
            let rising: Vec<u16> = all.iter().copied().take(max).collect();
            prop_assert_eq!(merge(lists.clone(), |row| *row, max), rising);
            for list in &mut lists {
                list.reverse();
            }
            let falling: Vec<u16> = all.iter().rev().copied().take(max).collect();
            prop_assert_eq!(merge(lists, |row| Reverse(*row), max), falling);
        }
    }
}
