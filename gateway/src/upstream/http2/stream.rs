//! What a call holds of its stream, and whoever opens it of the connection.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::Frame;

use super::error::Error;
use super::hpack::Block;
use super::state::Shared;

/// Opens streams; cheap to clone.
#[derive(Clone)]
pub(in crate::upstream) struct Sender(pub(super) Arc<Shared>);

impl Sender {
    /// Sends a call of which the body is all there, or is nothing yet if it does not end with it.
    ///
    /// # Errors
    /// The connection takes no further streams; nothing was sent.
    pub(in crate::upstream) fn open(
        self,
        call: &Block,
        timeout: &HeaderValue,
        body: Bytes,
        ends: bool,
    ) -> Result<Answer, Error> {
        let opened = self.0.act(|state| state.open(call, timeout, body, ends));
        opened.map(|id| Answer { shared: self.0, id })
    }
}

/// The answer of a call. Dropping it resets the stream, if that is not over.
pub(in crate::upstream) struct Answer {
    shared: Arc<Shared>,
    id: u32,
}

impl Answer {
    /// The way of a body that does not end with what was sent first.
    pub(in crate::upstream) fn body(&self) -> Body {
        Body {
            shared: self.shared.clone(),
            id: self.id,
        }
    }

    /// The head, once.
    pub(in crate::upstream) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(StatusCode, HeaderMap), Error>> {
        self.shared.act(|state| state.poll_head(self.id, cx))
    }

    /// The next frame after it: what is there of the body, or trailers; `None` at the end.
    pub(in crate::upstream) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Frame<Bytes>>, Error>> {
        self.shared.act(|state| state.poll_frame(self.id, cx))
    }

    /// Whether all of it was read.
    pub(in crate::upstream) fn is_read(&self) -> bool {
        self.shared.lock().is_read(self.id)
    }
}

#[cfg(test)]
impl Answer {
    /// Bytes that its connection has not begun to write.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.shared.lock().out.len()
    }
}

#[cfg(test)]
impl Sender {
    /// Has the next stream be that one.
    pub(super) fn skip_to(&self, id: u32) {
        self.0.lock().skip_to(id);
    }

    pub(super) fn pings(&self) -> Pings {
        Pings(self.0.clone())
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.shared.act(|state| state.forget(self.id));
    }
}

/// The body of a call, which lasts no longer than its [`Answer`] is held.
pub(in crate::upstream) struct Body {
    shared: Arc<Shared>,
    id: u32,
}

impl Body {
    /// Waits until what was given is sent; false if nobody wants it any more.
    pub(in crate::upstream) fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.shared.act(|state| state.poll_sent(self.id, cx))
    }

    /// Waits until nobody wants any more of it.
    pub(in crate::upstream) fn poll_unwanted(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.shared.act(|state| state.poll_unwanted(self.id, cx))
    }

    /// Sends more, and the end if it `ends`; false if nobody wants it. What the windows do not let go is kept.
    pub(in crate::upstream) fn send(&mut self, data: Bytes, ends: bool) -> bool {
        self.shared.act(|state| state.send_more(self.id, data, ends))
    }

    /// Resets the stream: the body cannot go on.
    pub(in crate::upstream) fn cancel(&mut self) {
        self.shared.act(|state| state.cancel(self.id));
    }
}

/// Asks the server whether it is there.
pub(in crate::upstream) struct Pings(pub(super) Arc<Shared>);

impl Pings {
    /// Returns when a ping was answered, which after the connection's end never happens.
    pub(in crate::upstream) async fn ping(&self) {
        let number = self.0.act(super::state::State::ping);
        poll_fn(|cx| self.0.act(|state| state.poll_pong(number, cx))).await;
    }
}
