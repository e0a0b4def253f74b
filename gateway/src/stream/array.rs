//! `application/json`: one array. A failure leaves it without its `]`, and breaks the body off.

use bytes::BufMut;

use crate::stream::Form;

/// The array, whether or not it was opened.
#[derive(Default)]
pub(crate) struct Array {
    is_open: bool,
}

impl Form for Array {
    fn before(&mut self, out: &mut Vec<u8>, _: Option<&[u8]>) {
        out.put_u8(if self.is_open { b',' } else { b'[' });
        self.is_open = true;
    }

    fn after(&mut self, _: &mut Vec<u8>) {}

    fn end(&mut self, out: &mut Vec<u8>) {
        out.put_slice(if self.is_open { &b"]"[..] } else { b"[]" });
    }

    fn failure(&mut self, _: &mut Vec<u8>, _: &[u8]) -> bool {
        false
    }
}
