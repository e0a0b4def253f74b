//! The channel that generated clients are put on: it adds to each call what all calls need.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::header::{AUTHORIZATION, Entry};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::time::{Instant, timeout_at};
use tonic::Status;
use tonic::body::Body;
use tower::Service;

use crate::methods::{Methods, Replay};
use crate::random::Random;
use crate::reply::{self, ReplyBody};
use crate::retry::{self, Connection, Retry};
use crate::{deadline, key};

/// The header under which a call is known to the server's logs.
pub(crate) const REQUEST_ID: &str = "x-request-id";

/// Carries the calls of any generated client: `OrderingServiceClient::new(client.channel())`.
///
/// Cloning is cheap, and clones share one connection and one budget of retries.
#[derive(Clone)]
pub struct Channel {
    connection: Connection,
    settings: Arc<Settings>,
}

/// What is decided when the client is built.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) methods: Methods,
    /// `Bearer mr_...`, marked as sensitive.
    pub(crate) authorization: Option<HeaderValue>,
    /// The time of a unary call whose caller sets none.
    pub(crate) deadline: Option<Duration>,
    pub(crate) random: Arc<Random>,
    pub(crate) retry: Retry,
}

impl Channel {
    pub(crate) fn new(connection: Connection, settings: Settings) -> Self {
        Self {
            connection,
            settings: Arc::new(settings),
        }
    }

    async fn send(self, mut request: Request<Body>) -> Result<Response<Body>, Status> {
        let request_id = self.add_headers(request.headers_mut())?;
        let outcome = match self.deadline(&request) {
            Ok(None) => self.send_by_method(request, None).await.map(|reply| (reply, None)),
            Ok(Some(deadline)) => match timeout_at(deadline, self.send_by_method(request, Some(deadline))).await {
                Ok(reply) => reply.map(|reply| (reply, Some(deadline))),
                Err(_elapsed) => Err(deadline::exceeded()),
            },
            Err(status) => Err(status),
        };
        match outcome {
            Ok((mut reply, deadline)) => {
                reply
                    .headers_mut()
                    .entry(REQUEST_ID)
                    .or_insert_with(|| request_id.clone());
                Ok(reply.map(|body| Body::new(ReplyBody::new(body, deadline, request_id))))
            }
            Err(mut status) => {
                reply::label(&mut status, &request_id);
                Err(status)
            }
        }
    }

    /// Adds the key and the request id, unless the caller has set its own, and tells the id.
    fn add_headers(&self, headers: &mut HeaderMap) -> Result<HeaderValue, Status> {
        if let (Some(value), Entry::Vacant(entry)) = (&self.settings.authorization, headers.entry(AUTHORIZATION)) {
            entry.insert(value.clone());
        }
        if let Some(id) = headers.get(REQUEST_ID) {
            return Ok(id.clone());
        }
        let id = HeaderValue::try_from(self.settings.random.id())
            .map_err(|error| Status::internal(format!("request id: {error}")))?;
        headers.insert(REQUEST_ID, id.clone());
        Ok(id)
    }

    /// When the call must be over: as its caller says, or the default for a known unary method.
    fn deadline(&self, request: &Request<Body>) -> Result<Option<Instant>, Status> {
        let method = self.settings.methods.get(request.uri().path());
        let is_unary = method.is_some_and(|method| !method.streams_answers);
        let default = self.settings.deadline.filter(|_| is_unary);
        let timeout = deadline::requested(request.headers())?.or(default);
        // A time beyond what the clock can hold is no limit.
        Ok(timeout.and_then(|timeout| Instant::now().checked_add(timeout)))
    }

    async fn send_by_method(
        &self,
        request: Request<Body>,
        deadline: Option<Instant>,
    ) -> Result<Response<Body>, Status> {
        let method = self.settings.methods.get(request.uri().path());
        let replay = method.map_or(Replay::Never, |method| method.replay);
        if replay == Replay::Never {
            return retry::send_once(&self.connection, request, deadline).await;
        }
        let (head, body) = request.into_parts();
        let message = retry::buffer(body).await?;
        let repeatable = match replay {
            Replay::Keyed { field } => key::with_key(&message, field, || self.settings.random.id()),
            Replay::Safe | Replay::Never => Some(message.clone()),
        };
        match repeatable {
            Some(message) => {
                self.settings
                    .retry
                    .send(&self.connection, &head, &message, deadline)
                    .await
            }
            None => {
                let body = Body::new(http_body_util::Full::new(message));
                retry::send_once(&self.connection, Request::from_parts(head, body), deadline).await
            }
        }
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response<Body>, Status>>;

    /// Always ready: a connection that is not is waited for within the call, under its deadline.
    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the methods, which are many, and not the key.
        formatter.debug_struct("Channel").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
