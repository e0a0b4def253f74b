//! What comes from the server, frame by frame.

use std::cmp::Ordering;
use std::task::Waker;

use bytes::Bytes;

use super::{CONNECTION_WINDOW_BYTES, State, Stream};
use crate::upstream::http2::error::{DebugData, Error, Reason, Violation};
use crate::upstream::http2::frame::{self, PAYLOAD_BYTES_DEFAULT, WINDOW_MAX, flag, kind, setting};
use crate::upstream::http2::hpack::Fields;

/// The longest payload that a peer may allow (RFC 9113, 6.5.2).
const PAYLOAD_BYTES_MAX: usize = (1 << 24) - 1;

impl State {
    /// DATA; the frame took so many bytes of the windows.
    pub(in crate::upstream::http2) fn data(
        &mut self,
        id: u32,
        data: &[u8],
        taken: usize,
        ends: bool,
    ) -> Result<(), Violation> {
        // No longer than a frame is.
        let taken = taken as u32;
        self.received += taken;
        if self.received >= CONNECTION_WINDOW_BYTES / 2 {
            frame::put_window_update(&mut self.out, 0, self.received);
            self.received = 0;
        }
        self.check_opened(id)?;
        let Some(stream) = self.streams.get_mut(&id).filter(|stream| stream.error.is_none()) else {
            return Ok(());
        };
        stream.credit -= i64::from(taken);
        let broken = if stream.has_ended {
            Some((Reason::STREAM_CLOSED, "more came after its end"))
        } else if !stream.has_head {
            Some((Reason::PROTOCOL_ERROR, "its body came before its head"))
        } else if stream.credit < 0 {
            Some((Reason::FLOW_CONTROL_ERROR, "more came than its window holds"))
        } else {
            stream
                .count(data.len(), ends)
                .err()
                .map(|why| (Reason::PROTOCOL_ERROR, why))
        };
        if let Some((reason, why)) = broken {
            self.break_off(id, reason, Error::StreamBroken(why));
            return Ok(());
        }
        stream.unread.extend_from_slice(data);
        stream.has_ended = ends;
        // Padding is read by nobody.
        let padding = taken as usize - data.len();
        if padding > 0 {
            stream.give_back(padding, id, self.stream_credit, &mut self.out);
        }
        self.wake_reader(id);
        Ok(())
    }

    /// HEADERS, whole: a head or trailers.
    pub(in crate::upstream::http2) fn headers(
        &mut self,
        id: u32,
        fields: Fields,
        bytes_max: usize,
        ends: bool,
    ) -> Result<(), Violation> {
        let Some(stream) = self.known(id)? else {
            return Ok(());
        };
        let broken = if stream.has_ended {
            Some((Reason::STREAM_CLOSED, Error::StreamBroken("more came after its end")))
        } else if fields.is_malformed {
            Some((Reason::PROTOCOL_ERROR, Error::StreamBroken("its headers are malformed")))
        } else if fields.is_too_large {
            let (bytes, max) = (fields.bytes, bytes_max);
            Some((Reason::ENHANCE_YOUR_CALM, Error::HeadersTooLarge { bytes, max }))
        } else {
            let taken = stream.take(fields, ends);
            taken
                .err()
                .map(|why| (Reason::PROTOCOL_ERROR, Error::StreamBroken(why)))
        };
        match broken {
            Some((reason, error)) => self.break_off(id, reason, error),
            None => self.wake_reader(id),
        }
        Ok(())
    }

    /// RST_STREAM.
    pub(in crate::upstream::http2) fn reset(&mut self, id: u32, reason: Reason) -> Result<(), Violation> {
        self.check_opened(id)?;
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.fail(Error::Reset(reason), &mut self.wakes);
        }
        Ok(())
    }

    /// WINDOW_UPDATE.
    pub(in crate::upstream::http2) fn window_update(&mut self, id: u32, increment: u32) -> Result<(), Violation> {
        if id == 0 {
            self.window += i64::from(increment);
            return match (increment, self.window) {
                (0, _) => Err(Violation::protocol("a window was opened by nothing")),
                (_, window) if window > WINDOW_MAX => {
                    Err(Violation::flow_control("the connection's window is too large"))
                }
                _ => {
                    self.send_waiting();
                    Ok(())
                }
            };
        }
        let Some(stream) = self.known(id)? else {
            return Ok(());
        };
        stream.window += i64::from(increment);
        if increment == 0 {
            self.break_off(
                id,
                Reason::PROTOCOL_ERROR,
                Error::StreamBroken("its window was opened by nothing"),
            );
        } else if stream.window > WINDOW_MAX {
            self.break_off(
                id,
                Reason::FLOW_CONTROL_ERROR,
                Error::StreamBroken("its window is too large"),
            );
        } else {
            self.go_on(id);
        }
        Ok(())
    }

    /// SETTINGS: those of its values that are the state's.
    pub(in crate::upstream::http2) fn settings(&mut self, values: &[(u16, u32)]) -> Result<(), Violation> {
        let mut window = None;
        for (id, value) in values {
            match *id {
                setting::HEADER_TABLE_SIZE => self.encoder.set_table_bytes(*value),
                // Each is said to every stream: only the last is.
                setting::INITIAL_WINDOW_SIZE => window = Some(i64::from(*value)),
                setting::MAX_FRAME_SIZE => {
                    let bytes = *value as usize;
                    if !(PAYLOAD_BYTES_DEFAULT..=PAYLOAD_BYTES_MAX).contains(&bytes) {
                        return Err(Violation::protocol("SETTINGS has a frame size that is none"));
                    }
                    self.payload_bytes_max = bytes;
                }
                setting::ENABLE_PUSH if *value != 0 => {
                    return Err(Violation::protocol("SETTINGS has a server push"));
                }
                _ => {}
            }
        }
        if let Some(window) = window {
            self.set_stream_window(window)?;
        }
        frame::put_control(&mut self.out, kind::SETTINGS, flag::ACK, &[]);
        Ok(())
    }

    /// It counts for streams that are open, too (RFC 9113, 6.9.2).
    fn set_stream_window(&mut self, window: i64) -> Result<(), Violation> {
        if window > WINDOW_MAX {
            return Err(Violation::flow_control("SETTINGS has a window that is too large"));
        }
        let more = window - self.stream_window;
        self.stream_window = window;
        let mut open = Vec::new();
        for (id, stream) in &mut self.streams {
            stream.window += more;
            // One that is over may be forgotten by now, or not: what is said of it must not matter to others.
            if stream.window > WINDOW_MAX && !stream.has_ended && stream.error.is_none() {
                return Err(Violation::flow_control("SETTINGS opens a window too far"));
            }
            if stream.window > 0 && !stream.is_sent {
                open.push(*id);
            }
        }
        if more > 0 {
            open.into_iter().for_each(|id| self.go_on(id));
        }
        Ok(())
    }

    /// PING that wants an answer, or is one.
    pub(in crate::upstream::http2) fn pinged(&mut self, payload: [u8; 8], is_answer: bool) {
        if !is_answer {
            frame::put_control(&mut self.out, kind::PING, flag::ACK, &payload);
            return;
        }
        let number = u64::from_be_bytes(payload);
        if number <= self.ping.sent {
            self.ping.answered = self.ping.answered.max(number);
            self.wakes.extend(self.ping.waker.take());
        }
    }

    /// GOAWAY: streams after the last that the server looked at have never been.
    pub(in crate::upstream::http2) fn going_away(
        &mut self,
        last: u32,
        reason: Reason,
        said: DebugData,
    ) -> Result<(), Violation> {
        self.refuse(Error::Leaving(reason, said));
        match last.cmp(&self.last) {
            // Calls that were sent again would be looked at a second time (RFC 9113, 6.8).
            Ordering::Greater => return Err(Violation::protocol("GOAWAY takes back what it had said")),
            Ordering::Equal => return Ok(()),
            Ordering::Less => self.last = last,
        }
        for (id, stream) in &mut self.streams {
            if *id > last {
                stream.fail(Error::Unprocessed(reason), &mut self.wakes);
            }
        }
        Ok(())
    }

    /// The connection is over, for this reason.
    pub(in crate::upstream::http2) fn end(&mut self, error: &Error) {
        self.refuse(error.clone());
        for stream in self.streams.values_mut() {
            stream.fail(error.clone(), &mut self.wakes);
        }
        // Nobody will write it.
        self.out = Vec::new();
        self.wakes.extend(self.ping.waker.take());
    }

    /// That a stream is open, or was.
    fn check_opened(&self, id: u32) -> Result<(), Violation> {
        // Those of even numbers would be a server's.
        match id < self.next_id && !id.is_multiple_of(2) {
            true => Ok(()),
            false => Err(Violation::protocol("a frame is of a stream that nobody opened")),
        }
    }

    /// A stream that is open; `None` of one that was, and of one that has failed: what still comes of it is nothing.
    fn known(&mut self, id: u32) -> Result<Option<&mut Stream>, Violation> {
        self.check_opened(id)?;
        Ok(self.streams.get_mut(&id).filter(|stream| stream.error.is_none()))
    }

    /// A stream's window has opened.
    fn go_on(&mut self, id: u32) {
        if self.streams.get(&id).is_some_and(|stream| stream.window > 0) {
            self.send(id);
        }
    }

    /// Resets a stream: what came breaks the rules.
    fn break_off(&mut self, id: u32, reason: Reason, error: Error) {
        if let Some(stream) = self.streams.get_mut(&id)
            && stream.error.is_none()
        {
            frame::put_reset(&mut self.out, id, reason);
            stream.fail(error, &mut self.wakes);
        }
    }

    fn wake_reader(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(&id) {
            self.wakes.extend(stream.reader.take());
        }
    }
}

impl Stream {
    /// Takes a head or trailers, in their order (RFC 9113, 8.1).
    fn take(&mut self, fields: Fields, ends: bool) -> Result<(), &'static str> {
        match (self.has_head, fields.status) {
            (false, None) => return Err("its head has no status"),
            (false, Some(status)) if status.is_informational() => {
                return if ends { Err("it ended before its head") } else { Ok(()) };
            }
            (false, Some(status)) => {
                self.length = fields.length;
                self.count(0, ends)?;
                self.has_head = true;
                self.head = Some((status, fields.headers));
            }
            (true, Some(_)) => return Err("its trailers have a status"),
            (true, None) if !ends => return Err("it goes on after its trailers"),
            (true, None) => {
                self.count(0, ends)?;
                self.trailers = Some(fields.headers);
            }
        }
        self.has_ended = ends;
        Ok(())
    }

    /// Counts what came of a body whose length was said (RFC 9113, 8.1.1).
    fn count(&mut self, bytes: usize, ends: bool) -> Result<(), &'static str> {
        if let Some(length) = &mut self.length {
            *length = length
                .checked_sub(bytes as u64)
                .ok_or("its body is longer than it said")?;
            if ends && *length > 0 {
                return Err("its body is shorter than it said");
            }
        }
        Ok(())
    }

    /// Ends the stream like this, both ways; the first word counts.
    pub(super) fn fail(&mut self, error: Error, wakes: &mut Vec<Waker>) {
        self.error.get_or_insert(error);
        self.is_sent = true;
        self.unsent = Bytes::new();
        wakes.extend(self.reader.take().into_iter().chain(self.writer.take()));
    }
}
