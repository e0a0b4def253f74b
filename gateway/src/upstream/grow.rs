//! Opens further connections while those that are kept have no place for the calls that wait, one at a time, and closes
//! them when they have had no call for a while: long streams may take all places, and each for an hour.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::drain::begun;
use crate::upstream::Shared;
use crate::upstream::backoff::{Backoff, Left};
use crate::upstream::connect::{ConnectError, Opened};
use crate::upstream::keep::{join, note_failed, note_lost};

/// A call waits for this part of the time that it has for it before a connection is opened for its sake: a burst of short
/// calls is over by then.
const PATIENCE_PART: u32 = 8;

/// Opens and closes connections until `closing`, and until all have ended.
pub(super) async fn grow(shared: Arc<Shared>, mut closing: watch::Receiver<bool>) {
    let settings = &shared.settings;
    let kept = settings.connections;
    let further_max = settings.connections_max.saturating_sub(kept);
    let seed = settings.seed.wrapping_add(kept as u64);
    let mut backoff = Backoff::new(settings.reconnect_first, settings.reconnect_max, seed);
    // Those that take calls, and all, also those that finish theirs.
    let (mut taking, mut connections) = (FuturesUnordered::new(), JoinSet::new());
    // Each has a rank of its own, so that the last one is the first without calls.
    for turn in kept.max(1).. {
        let wait = tokio::select! {
            () = begun(&mut closing) => break,
            Some((left, lived)) = taking.next() => {
                note_lost(&shared);
                backoff.after(left, lived)
            }
            opened = needed(&shared, turn), if taking.len() < further_max => match opened {
                Ok(opened) => {
                    tracing::debug!(upstream = shared.address.name, "a further connection is open");
                    let (joined, has_left) = join(&shared, opened, turn);
                    connections.spawn(joined.driven(shared.clone(), closing.clone(), Some(settings.connections_idle)));
                    let began = Instant::now();
                    // One that was given up says nothing.
                    taking.push(async move { (has_left.await.unwrap_or(Left::Broken), began.elapsed()) });
                    Duration::ZERO
                }
                Err(error) => {
                    note_failed(&shared, &error);
                    backoff.next()
                }
            },
        };
        while connections.try_join_next().is_some() {}
        tokio::select! {
            () = begun(&mut closing) => break,
            () = tokio::time::sleep(wait) => {}
        }
    }
    while connections.join_next().await.is_some() {}
}

/// Waits until a further connection is needed, and opens it.
async fn needed(shared: &Shared, turn: usize) -> Result<Opened, ConnectError> {
    shared.pool.pressed(shared.settings.connect_wait / PATIENCE_PART).await;
    shared.dialer.connect(turn).await
}
