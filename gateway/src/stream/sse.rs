//! `text/event-stream` for an `EventSource`, which reconnects after every end, also a good one. So the last event has
//! an id with the mark `;end`: a browser that comes back with it is answered 204, and stays away. A stream that fails, or
//! that the server cuts, ends with an event `error` that has no id: the browser comes back with the id of the last
//! message, and goes on there.

use std::time::Duration;

use bytes::BufMut;

use crate::rest::STREAM_ENDED;
use crate::stream::Form;

/// How long a stream may be silent.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A comment: no event fires for it.
const COMMENT: &[u8] = b": alive\n\n";
/// When a browser comes back after a connection was lost, in milliseconds.
const RETRY: &[u8] = b"retry: 3000\n\n";

/// Events, and the id of the last one.
#[derive(Default)]
pub(crate) struct EventStream {
    is_open: bool,
    last_id: Vec<u8>,
}

impl EventStream {
    fn open(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.is_open, true) {
            out.put_slice(RETRY);
        }
    }
}

impl Form for EventStream {
    fn before(&mut self, out: &mut Vec<u8>, id: Option<&[u8]>) {
        self.open(out);
        if let Some(id) = id {
            out.put_slice(b"id: ");
            out.put_slice(id);
            out.put_u8(b'\n');
            self.last_id.clear();
            self.last_id.put_slice(id);
        }
        out.put_slice(b"data: ");
    }

    fn after(&mut self, out: &mut Vec<u8>) {
        out.put_slice(b"\n\n");
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.open(out);
        // Without data no event fires.
        out.put_slice(b"event: end\nid: ");
        out.put_slice(&self.last_id);
        out.put_slice(STREAM_ENDED.as_bytes());
        out.put_slice(b"\ndata: {}\n\n");
    }

    fn failure(&mut self, out: &mut Vec<u8>, status: &[u8]) -> bool {
        self.open(out);
        out.put_slice(b"event: error\ndata: ");
        out.put_slice(status);
        out.put_slice(b"\n\n");
        true
    }

    fn comes_again(&self) -> bool {
        true
    }

    fn takes_ids(&self) -> bool {
        true
    }

    fn silence_max(&self) -> Option<Duration> {
        Some(HEARTBEAT)
    }

    fn alive(&mut self, out: &mut Vec<u8>) {
        self.open(out);
        out.put_slice(COMMENT);
    }
}
