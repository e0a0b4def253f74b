//! One connection, from its first byte to its end: `http1` or hyper's HTTP/2 serves it, and a watch beside it decides when
//! it has to end. It is not generic: each further kind of transport or service would be a whole server compiled once more.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::watch;
use tokio::time::Instant;

use super::activity::Activity;
use super::http1;
use super::tracked::Tracked;
use super::transport::{Io, Transport};
use super::woken::Woken;
use super::{ConnectionLimits, RemoteAddress};
use crate::body::RequestBody;
use crate::drain::begun;
use crate::gateway::HttpService;

/// How long a peer without a request in progress may take to close after it was asked to.
pub(super) const GOODBYE: Duration = Duration::from_secs(1);

/// How long a connection still takes requests after a drain began: what a peer sent before it could know is answered.
/// It need only cover what is in buffers on the way; HTTP/1.1 has no word like GOAWAY that would settle it.
pub(super) const LAST_CALL: Duration = Duration::from_millis(100);

/// Serves until the end of the connection, or of the watch's patience. A macro, since the connections of both have
/// nothing in common by which a function could ask them to end.
macro_rules! until_over {
    ($serving:ident, $watch:ident, $draining:ident) => {
        loop {
            tokio::select! {
                // Both are always asked, and what is served ends the watch too.
                biased;
                // An error here is the peer's; what it means for a call, the call's own line in the log says.
                _ = $serving.as_mut() => return,
                verdict = Woken::new($watch.verdict(&mut $draining)) => match verdict {
                    Verdict::AskToGo => $serving.as_mut().graceful_shutdown(),
                    Verdict::Close => return,
                },
            }
        }
    };
}

/// Serves one connection. Returning closes the transport.
pub(super) async fn connection(
    io: Box<dyn Io>,
    peer: SocketAddr,
    service: HttpService,
    http2: Arc<http2::Builder<TokioExecutor>>,
    limits: ConnectionLimits,
    mut draining: watch::Receiver<bool>,
) {
    let activity = Arc::new(Activity::start());
    let remote = RemoteAddress::new(peer);
    let mut transport = Transport::new(io, Arc::clone(&activity));
    let mut watch = Watch::new(Arc::clone(&activity), limits);
    let is_http2 = tokio::select! {
        is_http2 = transport.is_http2() => is_http2,
        // Nobody is asked to go before the first request.
        _ = watch.verdict(&mut draining) => return,
    };
    match is_http2 {
        Ok(true) => {
            let service = service_fn(move |request: Request<Incoming>| {
                let in_progress = activity.begin();
                let answer = service.answer(request.map(RequestBody::new), Some(&remote));
                async move {
                    let response = answer.await?;
                    Ok::<_, Infallible>(response.map(|body| Tracked::new(body, in_progress)))
                }
            });
            // Boxed: most connections are of HTTP/1.1, and would have its room.
            let mut serving = Box::pin(http2.serve_connection(TokioIo::new(transport), service));
            until_over!(serving, watch, draining);
        }
        Ok(false) => {
            let caller = http1::Caller {
                service,
                remote,
                activity,
                draining: draining.clone(),
            };
            let mut serving = pin!(http1::Connection::new(transport, caller));
            until_over!(serving, watch, draining);
        }
        Err(error) => tracing::debug!(%error, "a connection broke before its first request"),
    }
}

/// What is to be done with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// GOAWAY over HTTP/2, an end after the present answer over HTTP/1.1.
    AskToGo,
    /// The end, at once.
    Close,
}

/// Decides when a connection has to end.
struct Watch {
    activity: Arc<Activity>,
    limits: ConnectionLimits,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Until then requests that are on their way are taken, before the peer is asked to go.
    LastCall(Instant),
    /// Since then the peer is asked to go.
    Leaving(Instant),
}

/// What a look at a connection shows.
enum Look {
    Now(Verdict),
    /// Nothing before then.
    Again(Instant),
}

impl Watch {
    fn new(activity: Arc<Activity>, limits: ConnectionLimits) -> Self {
        Self {
            activity,
            limits,
            state: State::Open,
        }
    }

    /// Waits until something is to be done. Dropping the future loses nothing.
    async fn verdict(&mut self, draining: &mut watch::Receiver<bool>) -> Verdict {
        loop {
            let again = match self.look(Instant::now()) {
                Look::Now(verdict) => return verdict,
                Look::Again(at) => at,
            };
            tokio::select! {
                () = begun(draining), if self.state == State::Open => {
                    self.state = State::LastCall(Instant::now() + LAST_CALL);
                }
                () = tokio::time::sleep_until(again) => {}
            }
        }
    }

    fn look(&mut self, now: Instant) -> Look {
        let ConnectionLimits {
            first_request,
            idle,
            unread,
            ..
        } = self.limits;
        // Each timer: since when it runs, if it does, and how long it may.
        let first_request = (!self.activity.has_begun()).then(|| self.activity.accepted() + first_request);
        let unread_since = self.activity.unread_since();
        if first_request.is_some_and(|end| end <= now) {
            return Look::Now(Verdict::Close);
        }
        if unread_since.is_some_and(|since| since + unread <= now) {
            tracing::debug!("a connection whose peer takes nothing is closed");
            return Look::Now(Verdict::Close);
        }
        let idle_since = self.activity.idle_since();
        let at_rest = match self.state {
            State::Open => idle_since.unwrap_or(now) + idle,
            State::LastCall(end) => end,
            State::Leaving(asked) => idle_since.map_or(now, |since| since.max(asked)) + GOODBYE,
        };
        if at_rest <= now {
            return Look::Now(self.leave(now));
        }
        let unread = unread_since.unwrap_or(now) + unread;
        let next = at_rest.min(unread);
        Look::Again(first_request.map_or(next, |end| end.min(next)))
    }

    /// The end of a rest. A peer is asked to go, once, if it ever asked for anything; one that has nothing to wait for
    /// and does not go is left.
    fn leave(&mut self, now: Instant) -> Verdict {
        match self.state {
            State::Open | State::LastCall(_) if self.activity.has_begun() => {
                self.state = State::Leaving(now);
                Verdict::AskToGo
            }
            _ => Verdict::Close,
        }
    }
}
