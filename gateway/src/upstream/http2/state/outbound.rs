//! Bodies on their way to the server, as far as its windows go.

use std::task::{Context, Poll};

use bytes::Bytes;

use super::{OUT_BYTES_MAX, State, Stream, replaced};
use crate::upstream::http2::error::{Error, Reason};
use crate::upstream::http2::frame;

impl State {
    /// Sends of a stream's body what can be sent now. What is left goes on when the windows open.
    pub(super) fn send(&mut self, id: u32) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        while !stream.is_sent {
            let room = OUT_BYTES_MAX.saturating_sub(self.out.len()).min(self.payload_bytes_max);
            // Within the room, which is small.
            let room = stream.window.min(self.window).clamp(0, room as i64) as usize;
            let part = stream.unsent.split_to(room.min(stream.unsent.len()));
            if part.is_empty() && !stream.unsent.is_empty() {
                // Its own window, if that is what is closed, has it go on when it opens.
                if stream.window > 0 && !stream.waits {
                    stream.waits = true;
                    self.waiting.push_back(id);
                }
                return;
            }
            let is_all = stream.unsent.is_empty();
            if part.is_empty() && !stream.ends {
                return;
            }
            stream.is_sent = is_all && stream.ends;
            // No longer than a frame is.
            stream.window -= part.len() as i64;
            self.window -= part.len() as i64;
            frame::put_data(&mut self.out, id, &part, stream.is_sent);
            if is_all {
                self.wakes.extend(stream.writer.take());
                return;
            }
        }
    }

    /// Goes on with those that waited for the connection's window, or for room, in turn and as long as there is some.
    pub(in crate::upstream::http2) fn send_waiting(&mut self) {
        // Those that still find none are at the end again.
        for _ in 0..self.waiting.len() {
            if self.window <= 0 || self.out.len() >= OUT_BYTES_MAX {
                return;
            }
            let Some(id) = self.waiting.pop_front() else {
                return;
            };
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.waits = false;
            }
            self.send(id);
        }
    }

    /// Sends more of a body, and its end if it `ends`; false if nobody wants it. What cannot be sent at once waits.
    pub(in crate::upstream::http2) fn send_more(&mut self, id: u32, data: Bytes, ends: bool) -> bool {
        let is_open = |stream: &&mut Stream| !stream.is_sent && !stream.ends;
        let Some(stream) = self.streams.get_mut(&id).filter(is_open) else {
            return false;
        };
        stream.unsent = match stream.unsent.is_empty() {
            true => data,
            false => [&stream.unsent[..], &data].concat().into(),
        };
        stream.ends = ends;
        self.send(id);
        true
    }

    /// Waits until what was given of a body is sent; false if nobody wants it any more.
    pub(in crate::upstream::http2) fn poll_sent(&mut self, id: u32, cx: &mut Context<'_>) -> Poll<bool> {
        let Some(stream) = self.streams.get_mut(&id).filter(|stream| stream.error.is_none()) else {
            return Poll::Ready(false);
        };
        if stream.unsent.is_empty() {
            return Poll::Ready(true);
        }
        self.wakes.extend(replaced(&mut stream.writer, cx));
        Poll::Pending
    }

    /// Waits until nobody wants any more of a body.
    pub(in crate::upstream::http2) fn poll_unwanted(&mut self, id: u32, cx: &mut Context<'_>) -> Poll<()> {
        let Some(stream) = self.streams.get_mut(&id).filter(|stream| !stream.is_sent) else {
            return Poll::Ready(());
        };
        self.wakes.extend(replaced(&mut stream.writer, cx));
        Poll::Pending
    }

    /// Cancels a stream whose body cannot go on.
    pub(in crate::upstream::http2) fn cancel(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(&id)
            && stream.error.is_none()
            && !stream.is_sent
        {
            frame::put_reset(&mut self.out, id, Reason::CANCEL);
            stream.fail(Error::Cancelled, &mut self.wakes);
        }
    }
}
