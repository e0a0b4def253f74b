//! A connection while it lives: its frames are moved, it is in the pool as long as it takes calls, and a peer who does
//! not answer pings is given up.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::oneshot;

use crate::upstream::backoff::Left;
use crate::upstream::connect::{Opened, Transport};
use crate::upstream::http2::{Connection, Error, Pings, Reason};
use crate::upstream::pool::{Gauge, Joined, Pool};
use crate::upstream::settings::Settings;

/// How a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("the connection was closed")]
    Closed,
    #[error("the connection broke")]
    Broken(#[source] Error),
    #[error("the server did not answer a ping")]
    Silent,
}

/// What comes to a connection besides frames.
enum News {
    /// The peer does not answer pings.
    Silent,
    /// Calls cannot be sent.
    GivenUp,
    Closing,
}

/// Drives a connection to its end, which after `closing` comes when its calls have ended.
pub(super) async fn drive(mut driver: Driver, settings: &Settings, closing: impl Future<Output = ()> + Send) -> Ended {
    let gauge = driver.gauge.clone();
    let pings = driver.connection.pings();
    let silent = silent(pings, &gauge, settings.keep_alive, settings.keep_alive_timeout);
    // Each is polled only when it was woken itself: the frames wake this task several times a call.
    let mut news = FuturesUnordered::<BoxFuture<'_, News>>::new();
    news.push(silent.map(|()| News::Silent).boxed());
    news.push(gauge.given_up().map(|()| News::GivenUp).boxed());
    news.push(closing.map(|()| News::Closing).boxed());
    loop {
        let came = tokio::select! {
            biased;
            ended = poll_fn(|cx| driver.poll(cx)) => return match ended {
                Ok(()) => Ended::Closed,
                Err(error) => Ended::Broken(error),
            },
            Some(came) = news.next() => came,
        };
        match came {
            News::Silent => return Ended::Silent,
            News::GivenUp => {
                tracing::warn!(
                    // Without credentials: such a URL is refused.
                    upstream = settings.url,
                    "a connection is replaced: calls on it could not be sent within their deadlines"
                );
                driver.leave(Left::Broken);
            }
            News::Closing => driver.leave(Left::Served),
        }
    }
}

/// A connection in a pool.
pub(super) struct Driver {
    connection: Connection<Transport>,
    gauge: Arc<Gauge>,
    /// While the connection takes calls.
    taking: Option<Taking>,
    streams_max: usize,
}

struct Taking {
    joined: Joined,
    left: oneshot::Sender<Left>,
}

impl Driver {
    /// Puts a connection into the pool. `left` hears when it takes no more calls, which may be long before its end; if
    /// it was given up, it is dropped without a word.
    pub(super) fn join(
        opened: Opened,
        pool: &Arc<Pool>,
        settings: &Settings,
        rank: usize,
        left: oneshot::Sender<Left>,
    ) -> Self {
        let streams_max = opened.connection.streams_max().unwrap_or_default();
        let joined = pool.join(opened.sender, opened.heard, streams_max.min(settings.streams_max), rank);
        Self {
            connection: opened.connection,
            gauge: joined.gauge.clone(),
            taking: Some(Taking { joined, left }),
            streams_max: settings.streams_max,
        }
    }

    /// How the connection is used.
    pub(super) fn gauge(&self) -> Arc<Gauge> {
        self.gauge.clone()
    }

    /// Takes no more calls.
    fn leave(&mut self, left: Left) {
        if let Some(taking) = self.taking.take() {
            // Out of the pool before anybody hears of it.
            drop(taking.joined);
            self.connection.leave();
            let _ = taking.left.send(left);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let ended = self.connection.poll(cx);
        if let Some(taking) = &self.taking {
            let streams_max = self.connection.streams_max().unwrap_or_default();
            taking.joined.set_streams_max(streams_max.min(self.streams_max));
            // After GOAWAY a connection goes on with what it has, and takes no more.
            let refusal = self.connection.refusal();
            if ended.is_ready() || refusal.is_some() {
                self.leave(how_left(&self.gauge, &ended, refusal.as_ref()));
            }
        }
        ended
    }
}

/// How a connection left that has ended, or refuses to send.
fn how_left(gauge: &Gauge, ended: &Poll<Result<(), Error>>, refusal: Option<&Error>) -> Left {
    let was_asked = matches!(refusal, Some(Error::Leaving(Reason::NO_ERROR, _)));
    let was_closed = matches!(ended, Poll::Ready(Ok(()))) && gauge.in_use() == 0;
    match (was_asked || was_closed, gauge.has_served()) {
        (true, true) => Left::Served,
        (true, false) if was_asked => Left::Unused,
        _ => Left::Broken,
    }
}

/// Returns when a ping was not answered in time. Without calls nothing is pinged: servers close connections for that.
async fn silent(pings: Pings, gauge: &Gauge, every: Duration, patience: Duration) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => if gauge.in_use() == 0 {
                continue;
            },
            () = gauge.suspected() => {}
        }
        match tokio::time::timeout(patience, pings.ping()).await {
            Ok(()) => gauge.trust(),
            Err(_) => return,
        }
    }
}
