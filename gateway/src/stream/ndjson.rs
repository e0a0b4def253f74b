//! `application/x-ndjson`: a line for each message; a failure is a last line `{"error": …}`.

use bytes::BufMut;

use crate::stream::Form;

/// Lines, without a state: an empty stream is no line.
pub(crate) struct Ndjson;

impl Form for Ndjson {
    fn before(&mut self, _: &mut Vec<u8>, _: Option<&[u8]>) {}

    fn after(&mut self, out: &mut Vec<u8>) {
        out.put_u8(b'\n');
    }

    fn end(&mut self, _: &mut Vec<u8>) {}

    fn failure(&mut self, out: &mut Vec<u8>, status: &[u8]) -> bool {
        out.put_slice(br#"{"error":"#);
        out.put_slice(status);
        out.put_slice(b"}\n");
        true
    }
}
