//! The idempotency key of a request: found in the bytes of its message, and written there if the caller sent none.
//! Pure: bytes in, bytes out.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::encoding::{self, DecodeContext, WireType};

/// A gRPC message on the wire begins with one byte that says whether it is compressed, and its length in four.
const FRAME_HEAD_BYTES: usize = 5;

/// Gives a request that can be sent again: with the key that it holds, or else with one drawn from `draw`.
///
/// `None` if the key cannot be read, because the message is compressed or malformed: such a request is sent as it is,
/// once.
pub(crate) fn with_key(frame: &Bytes, field: u32, draw: impl FnOnce() -> String) -> Option<Bytes> {
    let message = message_of(frame)?;
    if has_text(message, field)? {
        return Some(frame.clone());
    }
    let key = draw();
    let message_bytes = message.len() + encoding::string::encoded_len(field, &key);
    let mut keyed = BytesMut::with_capacity(FRAME_HEAD_BYTES + message_bytes);
    keyed.put_u8(0);
    keyed.put_u32(u32::try_from(message_bytes).ok()?);
    keyed.put_slice(message);
    // The last value of a singular field wins, so one may be appended even where an empty one stands.
    encoding::string::encode(field, &key, &mut keyed);
    Some(keyed.freeze())
}

/// The message of a body that is exactly one frame, not compressed.
fn message_of(mut frame: &[u8]) -> Option<&[u8]> {
    let compressed = frame.try_get_u8().ok()?;
    let length = usize::try_from(frame.try_get_u32().ok()?).ok()?;
    (compressed == 0 && frame.len() == length).then_some(frame)
}

/// Whether the string field holds any text; `None` if the message is malformed.
fn has_text(mut message: &[u8], field: u32) -> Option<bool> {
    let mut found = false;
    while message.has_remaining() {
        let (number, wire_type) = encoding::decode_key(&mut message).ok()?;
        if number == field && wire_type == WireType::LengthDelimited {
            let length = prost::decode_length_delimiter(&mut message).ok()?;
            message = message.get(length..)?;
            found = length > 0;
        } else {
            encoding::skip_field(wire_type, number, &mut message, DecodeContext::default()).ok()?;
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use millrace_proto::ordering::v1::{CreateOrderRequest, Order, OrderLine};
    use prost::Message;

    use super::*;

    const FIELD: u32 = 3;

    fn request(request_id: &str) -> CreateOrderRequest {
        let line = OrderLine {
            product: "products/p-1".into(),
            quantity: 300,
            ..Default::default()
        };
        CreateOrderRequest {
            parent: "users/7".into(),
            order: Some(Order {
                lines: vec![line],
                ..Default::default()
            }),
            request_id: request_id.into(),
        }
    }

    fn framed(message: &[u8]) -> Bytes {
        let mut frame = vec![0];
        frame.put_u32(u32::try_from(message.len()).unwrap());
        frame.extend_from_slice(message);
        frame.into()
    }

    #[test]
    fn fills_an_empty_key_and_keeps_one_that_is_there() {
        let empty_but_present = [request("").encode_to_vec(), vec![26, 0]].concat();
        let cases = [
            (request("").encode_to_vec(), "drawn"),
            (empty_but_present, "drawn"),
            (Vec::new(), "drawn"),
            (request("mine").encode_to_vec(), "mine"),
        ];
        for (message, expected) in cases {
            let keyed = with_key(&framed(&message), FIELD, || "drawn".into()).unwrap();
            let decoded = CreateOrderRequest::decode(message_of(&keyed).unwrap()).unwrap();
            assert_eq!(decoded.request_id, expected);
            let before = CreateOrderRequest::decode(message.as_slice()).unwrap();
            assert_eq!((decoded.parent, decoded.order), (before.parent, before.order));
        }
    }

    #[test]
    fn leaves_alone_what_it_cannot_read() {
        let frame = framed(&request("").encode_to_vec());
        let compressed = [&[1], &frame[1..]].concat();
        let two_frames = [&frame[..], &frame[..]].concat();
        let cases = [
            ("compressed", compressed),
            ("two frames", two_frames),
            ("cut", frame[..frame.len() - 1].to_vec()),
            ("no head", vec![0, 0]),
            ("length beyond the end", framed(&[26, 9, b'x']).to_vec()),
            ("a field of no wire type", framed(&[7]).to_vec()),
        ];
        for (name, body) in cases {
            assert_eq!(with_key(&body.into(), FIELD, || "drawn".into()), None, "{name}");
        }
    }
}
