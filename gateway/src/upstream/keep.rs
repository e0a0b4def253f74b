//! Keeps an upstream's connections: a few slots, each of which connects, waits until its connection takes no more
//! calls, and connects again. What is opened beyond them is `grow.rs`.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::causes::with_causes;
use crate::drain::begun;
use crate::upstream::backoff::{Backoff, Left};
use crate::upstream::connect::{ConnectError, Opened};
use crate::upstream::drive::{Driver, Ended, drive};
use crate::upstream::grow::grow;
use crate::upstream::http2::Error;
use crate::upstream::{Health, Shared};

/// While calls wait for a connection, they see this many attempts, whatever the back-off says: a server that is back is
/// found before they give up.
const ATTEMPTS_PER_WAIT: u32 = 4;
/// But not more often than this.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// After the last call ended, connections stay for this long, in case the listeners that are stopping too still take
/// what callers had sent before they could know.
const LINGER: Duration = Duration::from_millis(250);

/// The rank of a connection that is kept: all of them take calls alike.
const KEPT: usize = 0;

/// See [`crate::upstream::Upstream::run`].
pub(super) async fn run(shared: &Arc<Shared>, mut stopping: watch::Receiver<bool>) {
    let (close, closing) = watch::channel(false);
    let mut slots = JoinSet::new();
    for slot in 0..shared.settings.connections {
        slots.spawn(keep(shared.clone(), slot, closing.clone()));
    }
    slots.spawn(grow(shared.clone(), closing));
    begun(&mut stopping).await;
    loop {
        let started = shared.pool.idle().await;
        tokio::time::sleep(LINGER).await;
        if shared.pool.idle().await == started {
            break;
        }
    }
    let _ = close.send(true);
    while slots.join_next().await.is_some() {}
}

/// One slot, until it is to close and its connections have ended.
async fn keep(shared: Arc<Shared>, slot: usize, mut closing: watch::Receiver<bool>) {
    let settings = &shared.settings;
    let seed = settings.seed.wrapping_add(slot as u64);
    let mut backoff = Backoff::new(settings.reconnect_first, settings.reconnect_max, seed);
    // Those that finish their calls after the server asked to leave, too.
    let mut connections = JoinSet::new();
    for turn in slot.. {
        let opened = tokio::select! {
            () = begun(&mut closing) => break,
            opened = shared.dialer.connect(turn) => opened,
        };
        let wait = match opened {
            Ok(opened) => {
                let began = Instant::now();
                let (joined, has_left) = join(&shared, opened, KEPT);
                connections.spawn(joined.driven(shared.clone(), closing.clone(), None));
                // One that was given up says nothing.
                let left = has_left.await.unwrap_or(Left::Broken);
                note_lost(&shared);
                backoff.after(left, began.elapsed())
            }
            Err(error) => {
                note_failed(&shared, &error);
                backoff.next()
            }
        };
        while connections.try_join_next().is_some() {}
        tokio::select! {
            () = begun(&mut closing) => break,
            () = rest(&shared, wait) => {}
        }
    }
    while connections.join_next().await.is_some() {}
}

/// A connection that is in the pool, and has to be driven.
pub(super) struct Connection(Driver);

/// Puts a connection into the pool; what is returned second says when it has left.
pub(super) fn join(shared: &Shared, opened: Opened, rank: usize) -> (Connection, oneshot::Receiver<Left>) {
    let (left, has_left) = oneshot::channel();
    let driver = Driver::join(opened, &shared.pool, &shared.settings, rank, left);
    note_up(shared);
    (Connection(driver), has_left)
}

impl Connection {
    /// Drives it to its end, which `closing` asks for, or that it had no call for `idle`.
    pub(super) async fn driven(self, shared: Arc<Shared>, mut closing: watch::Receiver<bool>, idle: Option<Duration>) {
        let gauge = self.0.gauge();
        let leaving = async {
            match idle {
                None => begun(&mut closing).await,
                Some(idle) => tokio::select! {
                    () = begun(&mut closing) => {}
                    () = gauge.unused(idle) => {}
                },
            }
        };
        let ended = drive(self.0, &shared.settings, leaving).await;
        let (upstream, reason) = (&*shared.address.name, with_causes(&ended));
        match ended {
            // Such as too many pings, which somebody should know.
            Ended::Broken(Error::Leaving(..)) => tracing::warn!(upstream, reason, "a connection ended"),
            _ => tracing::debug!(upstream, reason, "a connection ended"),
        }
    }
}

/// Waits before the next attempt, not as long once a call waits for a connection.
async fn rest(shared: &Shared, wait: Duration) {
    let began = Instant::now();
    let part = shared.settings.connect_wait / ATTEMPTS_PER_WAIT;
    let wanted = wait.min(part.max(PAUSE_MIN));
    tokio::select! {
        () = tokio::time::sleep_until(began + wait) => {}
        () = async {
            shared.pool.wanted().await;
            tokio::time::sleep_until(began + wanted).await;
        } => {}
    }
}

fn note_up(shared: &Shared) {
    let is_news = shared.health.send_if_modified(|health| {
        let is_news = *health != Health::Up;
        *health = Health::Up;
        is_news
    });
    if is_news {
        tracing::info!(upstream = shared.address.name, "the upstream is connected");
    }
}

pub(super) fn note_lost(shared: &Shared) {
    let is_news = shared.health.send_if_modified(|health| {
        let is_news = shared.pool.is_empty() && *health == Health::Up;
        if is_news {
            *health = Health::Connecting;
        }
        is_news
    });
    if is_news {
        tracing::warn!(
            upstream = shared.address.name,
            "the upstream has no connection any more"
        );
    }
}

pub(super) fn note_failed(shared: &Shared, error: &ConnectError) {
    let is_news = shared.health.send_if_modified(|health| {
        let is_news = shared.pool.is_empty() && !matches!(health, Health::Down { .. });
        if shared.pool.is_empty() {
            *health = Health::Down {
                reason: error.to_string(),
            };
        }
        is_news
    });
    let (upstream, reason) = (&shared.address.name, with_causes(error));
    *shared.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.clone());
    if is_news {
        tracing::warn!(upstream, reason, "the upstream cannot be reached; attempts go on");
    } else {
        tracing::debug!(upstream, reason, "an attempt to connect failed");
    }
}
