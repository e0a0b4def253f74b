//! A connection while it lives: its frames are moved, it is in the pool as long as it takes calls, and a peer who does
//! not answer pings is given up.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use h2::client::{Connection, SendRequest};
use h2::{Ping, PingPong, Reason};
use tokio::sync::oneshot;

use crate::upstream::backoff::Left;
use crate::upstream::connect::{Opened, Transport};
use crate::upstream::pool::{Gauge, Joined, Pool};
use crate::upstream::settings::Settings;

/// How a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("the connection was closed")]
    Closed,
    #[error("the connection broke")]
    Broken(#[source] h2::Error),
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
    let pings = driver.connection.ping_pong();
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
    connection: Connection<Transport, Bytes>,
    gauge: Arc<Gauge>,
    /// While the connection takes calls.
    taking: Option<Taking>,
    streams_max: usize,
}

struct Taking {
    joined: Joined,
    /// Tells whether streams can be opened.
    probe: SendRequest<Bytes>,
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
        let streams_max = opened
            .connection
            .max_concurrent_send_streams()
            .min(settings.streams_max);
        let joined = pool.join(opened.sender.clone(), opened.heard, streams_max, rank);
        Self {
            connection: opened.connection,
            gauge: joined.gauge.clone(),
            taking: Some(Taking {
                joined,
                probe: opened.sender,
                left,
            }),
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
            self.gauge.keep_none();
            let _ = taking.left.send(left);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        let ended = Pin::new(&mut self.connection).poll(cx);
        if let Some(taking) = &mut self.taking {
            let streams_max = self.connection.max_concurrent_send_streams();
            taking.joined.set_streams_max(streams_max.min(self.streams_max));
            // After GOAWAY a connection goes on with what it has, and takes no more.
            let refusal = match taking.probe.poll_ready(cx) {
                Poll::Ready(Err(error)) => Some(error),
                Poll::Ready(Ok(())) | Poll::Pending => None,
            };
            if ended.is_ready() || refusal.is_some() {
                let left = how_left(&self.gauge, &ended, refusal.as_ref());
                self.leave(left);
                // h2 closes when nobody can send any more and no call is left: it has to look again.
                cx.waker().wake_by_ref();
            }
        }
        ended
    }
}

/// How a connection left that has ended, or refuses to send.
fn how_left(gauge: &Gauge, ended: &Poll<Result<(), h2::Error>>, refusal: Option<&h2::Error>) -> Left {
    let was_asked = refusal
        .is_some_and(|error| error.is_go_away() && error.is_remote() && error.reason() == Some(Reason::NO_ERROR));
    let was_closed = matches!(ended, Poll::Ready(Ok(()))) && gauge.in_use() == 0;
    match (was_asked || was_closed, gauge.has_served()) {
        (true, true) => Left::Served,
        (true, false) if was_asked => Left::Unused,
        _ => Left::Broken,
    }
}

/// Returns when a ping was not answered in time. Without calls nothing is pinged: servers close connections for that.
async fn silent(pings: Option<PingPong>, gauge: &Gauge, every: Duration, patience: Duration) {
    let Some(mut pings) = pings else {
        return std::future::pending().await;
    };
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => if gauge.in_use() == 0 {
                continue;
            },
            () = gauge.suspected() => {}
        }
        match tokio::time::timeout(patience, pings.ping(Ping::opaque())).await {
            Ok(Ok(_)) => gauge.trust(),
            // The connection has ended, and says so itself.
            Ok(Err(_)) => return std::future::pending().await,
            Err(_) => return,
        }
    }
}
