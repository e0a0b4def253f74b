//! A request that is being answered: what is left of it, and what it asks of its answer.

use std::sync::Arc;

use bytes::BytesMut;
use http::{Method, Request};

use super::answer::Asked;
use super::body::{self, Broken, Feed, Reader};
use super::decoder::{Decoder, Next};
use super::head::{Head, Length};
use crate::body::{HttpRequest, RequestBody};
use crate::serve::activity::{Activity, Counted};

/// The request.
pub(super) struct Exchange {
    pub(super) asked: Asked,
    /// Whether the peer expects the connection to end with the answer.
    is_last: bool,
    /// Whether it ends with it, whoever wants that.
    pub(super) closes: bool,
    /// Whether the answer broke off, so that nothing may look like its end.
    pub(super) is_broken: bool,
    /// Whether the peer has still to be told to send its body.
    pub(super) expects_continue: bool,
    decoder: Decoder,
    /// Where its body goes, if that did not come with the head.
    feed: Option<Feed>,
    counted: Option<Counted>,
}

/// Who has to do something, before more of a request can be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    /// The peer: a piece is asked for.
    Peer,
    /// Whoever reads it.
    Reader,
    /// It is all there, or nobody reads it any more.
    Nothing,
}

impl Exchange {
    /// Of nobody yet.
    pub(super) fn none() -> Self {
        Self::of(Asked::NOTHING, Decoder::new(Length::Bytes(0)))
    }

    /// Of a request that could not be read: where it ends is not known.
    pub(super) fn refused() -> Self {
        Self {
            closes: true,
            ..Self::of(Asked::NOTHING, Decoder::without_end())
        }
    }

    fn of(asked: Asked, decoder: Decoder) -> Self {
        Self {
            asked,
            is_last: false,
            closes: false,
            is_broken: false,
            expects_continue: false,
            decoder,
            feed: None,
            counted: None,
        }
    }

    /// A request of which the head came, and what may be there of its body.
    pub(super) fn begin(head: Head, input: &mut BytesMut, activity: &Arc<Activity>) -> (HttpRequest, Self) {
        let mut decoder = Decoder::new(head.body);
        let (mut feed, mut body) = (None, RequestBody::empty());
        if let Some(whole) = whole(&mut decoder, input) {
            body = whole;
        } else if !decoder.has_ended() {
            let (to, incoming) = body::body(decoder.left());
            (feed, body) = (Some(to), RequestBody::new(incoming));
        }
        let request: Request<RequestBody> = head.request.map(|()| body);
        let asked = Asked {
            version: request.version(),
            is_head: request.method() == Method::HEAD,
            takes_trailers: head.takes_trailers,
        };
        let exchange = Self {
            is_last: !head.keeps_alive,
            closes: !head.keeps_alive,
            expects_continue: head.expects_continue && input.is_empty() && feed.is_some(),
            counted: Some(activity.count(feed.is_none())),
            feed,
            ..Self::of(asked, decoder)
        };
        (request, exchange)
    }

    /// Moves what came of the body to whoever asks for it.
    pub(super) fn feed(&mut self, input: &mut BytesMut, activity: &Activity) -> Waits {
        loop {
            let Some(feed) = self.feed.as_ref().filter(|_| !self.decoder.has_ended()) else {
                return Waits::Nothing;
            };
            match feed.reader() {
                Reader::Asks => {}
                Reader::Rests => return Waits::Reader,
                Reader::Left => {
                    let has_ended = self.discard(input);
                    activity.note_request(has_ended);
                    return Waits::Nothing;
                }
            }
            match self.decoder.next(input) {
                Ok(Next::Missing) => return Waits::Peer,
                Ok(Next::Frame(frame)) => feed.give(frame, self.decoder.has_ended()),
                Ok(Next::End) => feed.end(Ok(())),
                Err(malformed) => self.break_off(malformed.into()),
            }
            activity.note_request(self.decoder.has_ended());
        }
    }

    /// The body has no end.
    pub(super) fn break_off(&mut self, why: Broken) {
        self.closes = true;
        if let Some(feed) = &self.feed {
            feed.end(Err(why));
        }
    }

    /// Where the body goes, while that waits for more of it.
    pub(super) fn reader(&self) -> Option<&Feed> {
        self.feed.as_ref()
    }

    /// Whether nobody reads the request any more, of which more is to come than what is there.
    pub(super) fn is_abandoned(&mut self, input: &mut BytesMut) -> bool {
        let has_left = self.feed.as_ref().is_some_and(|feed| feed.reader() == Reader::Left);
        has_left && !self.discard(input)
    }

    /// The answer is written: whether another request may follow, and whether the peer, if not, may be sending.
    pub(super) fn end(&mut self, input: &mut BytesMut) -> (bool, bool) {
        let is_whole = self.discard(input);
        self.feed = None;
        self.counted = None;
        let may_send = !is_whole || !input.is_empty() || !self.is_last;
        (is_whole && !self.closes, may_send)
    }

    /// Passes over what is there of the request; whether that was all.
    fn discard(&mut self, input: &mut BytesMut) -> bool {
        while let Ok(Next::Frame(_)) = self.decoder.next(input) {}
        self.decoder.has_ended()
    }
}

/// The body that came whole with its head, if it did.
fn whole(decoder: &mut Decoder, input: &mut BytesMut) -> Option<RequestBody> {
    let left = decoder.left().filter(|left| *left > 0)?;
    if left > input.len() as u64 {
        return None;
    }
    match decoder.next(input) {
        Ok(Next::Frame(frame)) => frame.into_data().ok().map(RequestBody::whole),
        _ => None,
    }
}
