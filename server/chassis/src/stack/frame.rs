//! The first message of a request body, and a field in it, read on the wire. The layer that uses this decides rights by
//! what it finds, so it must find what the handler's decoder will find: the keys and skips are prost's own, and of a
//! field that occurs again the last occurrence counts, also through merged sub-messages.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint, skip_field};
use tonic::body::Body;
use tonic::{Code, Status};

use super::refusal::Refusal;

/// Bytes of a message's head: one of flags, four of length.
pub(crate) const HEAD_BYTES: usize = 5;

/// The first message of a body, and the body from its beginning.
pub(crate) struct First {
    /// At least the first message with its head.
    read: Bytes,
    message_bytes: usize,
    rest: Body,
    /// Trailers that came while the message was read.
    trailers: Option<http::HeaderMap>,
}

impl First {
    /// Reads until the first message is there. The length was checked by the message limit as it came by, but a body
    /// that was short enough to pass unchecked is still cut short here.
    pub(crate) async fn read(mut body: Body, limit: usize) -> Result<Self, Status> {
        let mut read = Bytes::new();
        let mut trailers = None;
        loop {
            if let Some(message_bytes) = complete(&read, limit)? {
                return Ok(Self {
                    read,
                    message_bytes,
                    rest: body,
                    trailers,
                });
            }
            let Some(frame) = body.frame().await else {
                return Err(Refusal::Unreadable.into());
            };
            match frame.map_err(blamed)?.into_data() {
                Ok(data) if read.is_empty() => read = data,
                Ok(data) => {
                    let mut joined = BytesMut::from(read);
                    joined.extend_from_slice(&data);
                    read = joined.freeze();
                }
                Err(frame) => trailers = frame.into_trailers().ok(),
            }
        }
    }

    /// Reads on to the end of a body that must have one message, and returns it from its beginning. Something more is
    /// the caller's mistake, whether it is a message or not: gRPC's own table has UNIMPLEMENTED for a wrong number of
    /// messages, and servers mostly say INTERNAL, but a caller of ours reads INVALID_ARGUMENT, as for no message at all.
    pub(crate) async fn alone(mut self) -> Result<Body, Status> {
        let mut more = self.read.len() > HEAD_BYTES + self.message_bytes;
        while !more && let Some(frame) = self.rest.frame().await {
            match frame.map_err(blamed)?.into_data() {
                Ok(data) => more = !data.is_empty(),
                Err(frame) => self.trailers = frame.into_trailers().ok(),
            }
        }
        if more {
            return Err(Refusal::MoreThanOneMessage.into());
        }
        self.rest = Body::empty();
        Ok(self.into_body())
    }

    /// Returns the message.
    pub(crate) fn message(&self) -> &[u8] {
        &self.read[HEAD_BYTES..HEAD_BYTES + self.message_bytes]
    }

    /// Returns the body as it was.
    pub(crate) fn into_body(self) -> Body {
        Body::new(Again {
            read: (!self.read.is_empty()).then_some(self.read),
            rest: self.rest,
            trailers: self.trailers,
        })
    }

    /// Returns the body with another value of a string field in the first message: an occurrence more at its end,
    /// which by the rules of the wire format replaces those before and merges into sub-messages.
    pub(crate) fn into_body_with(mut self, path: &[u32], value: &str) -> Body {
        let mut addition = Vec::new();
        append(&mut addition, path, value);
        let length = self.message_bytes + addition.len();
        let mut read = BytesMut::with_capacity(self.read.len() + addition.len());
        read.put_u8(self.read[0]);
        read.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
        read.put_slice(self.message());
        read.put_slice(&addition);
        read.put_slice(&self.read[HEAD_BYTES + self.message_bytes..]);
        self.read = read.freeze();
        self.into_body()
    }
}

/// A body that breaks off, or is no base64 in gRPC-Web's text form, is the caller's mistake, but tonic calls it
/// INTERNAL or UNKNOWN. What a limit says stays as it is.
fn blamed(status: Status) -> Status {
    match status.code() {
        Code::Internal | Code::Unknown => Refusal::Unreadable.into(),
        _ => status,
    }
}

/// Returns the length of the first message if it is there as a whole.
fn complete(read: &[u8], limit: usize) -> Result<Option<usize>, Status> {
    let Some(([flags, length @ ..], rest)) = read.split_first_chunk::<HEAD_BYTES>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*length) as usize;
    if length > limit {
        return Err(Refusal::TooLarge(length, limit).into());
    }
    match flags {
        0 => Ok((rest.len() >= length).then_some(length)),
        // No service of ours accepts compressed messages, so there is no decoder here that could disagree with one.
        1 => Err(crate::status::unimplemented(
            "compressed messages are not accepted; send grpc-encoding: identity",
        )),
        _ => Err(Refusal::Unreadable.into()),
    }
}

/// Finds the string that a decoder will find in the field at `path`; `None` if it is not there.
pub(crate) fn last_string<'m>(mut message: &'m [u8], path: &[u32]) -> Result<Option<&'m str>, Refusal> {
    let Some((field, inner_path)) = path.split_first() else {
        return Err(Refusal::Unreadable);
    };
    let mut found = None;
    while !message.is_empty() {
        let (number, wire_type) = decode_key(&mut message).map_err(|_| Refusal::Unreadable)?;
        if number != *field {
            skip_field(wire_type, number, &mut message, DecodeContext::default()).map_err(|_| Refusal::Unreadable)?;
            continue;
        }
        if wire_type != WireType::LengthDelimited {
            return Err(Refusal::Unreadable);
        }
        let length = decode_varint(&mut message).map_err(|_| Refusal::Unreadable)?;
        let length = usize::try_from(length).map_err(|_| Refusal::Unreadable)?;
        let content = message.split_off(..length).ok_or(Refusal::Unreadable)?;
        if inner_path.is_empty() {
            found = Some(str::from_utf8(content).map_err(|_| Refusal::Unreadable)?);
        } else if let Some(inner) = last_string(content, inner_path)? {
            found = Some(inner);
        }
    }
    Ok(found)
}

fn append(message: &mut Vec<u8>, path: &[u32], value: &str) {
    let Some((field, inner_path)) = path.split_first() else {
        return;
    };
    let content = if inner_path.is_empty() {
        value.as_bytes().to_vec()
    } else {
        let mut inner = Vec::new();
        append(&mut inner, inner_path, value);
        inner
    };
    encode_key(*field, WireType::LengthDelimited, message);
    encode_varint(content.len() as u64, message);
    message.extend_from_slice(&content);
}

/// A body from its beginning again: what was read, then the rest.
struct Again {
    read: Option<Bytes>,
    rest: Body,
    trailers: Option<http::HeaderMap>,
}

impl http_body::Body for Again {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(read) = self.read.take() {
            return Poll::Ready(Some(Ok(Frame::data(read))));
        }
        if let Some(trailers) = self.trailers.take() {
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        Pin::new(&mut self.rest).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_none() && self.trailers.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.read.as_ref().map_or(0, Bytes::len) as u64;
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + read);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + read);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::StreamBody;
    use proptest::prelude::*;
    use prost::Message;

    use super::*;

    #[derive(Clone, PartialEq, Message)]
    struct Inner {
        #[prost(string, tag = "1")]
        name: String,
        #[prost(uint64, tag = "2")]
        number: u64,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Outer {
        #[prost(string, tag = "1")]
        name: String,
        #[prost(message, optional, tag = "3")]
        inner: Option<Inner>,
        #[prost(fixed64, tag = "200")]
        far: u64,
    }

    fn outer(name: &str, inner: Option<&str>) -> Vec<u8> {
        let inner = inner.map(|name| Inner {
            name: name.to_owned(),
            number: 7,
        });
        Outer {
            name: name.to_owned(),
            inner,
            far: 9,
        }
        .encode_to_vec()
    }

    #[test]
    fn the_last_occurrence_counts() {
        let twice = [outer("users/7", Some("users/1")), outer("users/8", Some("users/2"))].concat();
        let cases: &[(&[u8], &[u32], Option<&str>)] = &[
            (b"", &[1], None),
            (&outer("users/7", None), &[1], Some("users/7")),
            (&outer("users/7", None), &[3, 1], None),
            (&outer("", Some("users/1")), &[3, 1], Some("users/1")),
            (&twice, &[1], Some("users/8")),
            (&twice, &[3, 1], Some("users/2")),
            // An empty string later replaces the one before, an empty sub-message later merges and changes nothing.
            (&[outer("users/7", None), vec![0x0A, 0]].concat(), &[1], Some("")),
            (
                &[outer("", Some("users/1")), vec![0x1A, 0]].concat(),
                &[3, 1],
                Some("users/1"),
            ),
            // The bytes of another field are not looked into; a group is skipped as a whole.
            (&[0x12, 4, 0x0A, 2, b'h', b'i'], &[1], None),
            (&[0x23, 0x0A, 1, b'x', 0x24, 0x0A, 1, b'y'], &[1], Some("y")),
        ];
        for (message, path, expected) in cases {
            assert_eq!(last_string(message, path).unwrap(), *expected, "{message:?} {path:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let deep: Vec<u8> = [0x23; 200].to_vec();
        let cases: &[&[u8]] = &[
            b"\x0A",                                         // no length
            b"\x0A\x05ab",                                   // cut short
            b"\x08\x01",                                     // a number where the string should be
            b"\x0A\x01\xFF",                                 // not UTF-8
            b"\x0B\x0C",                                     // a group in the string's place
            b"\x24",                                         // the end of a group that never began
            b"\x00\x00",                                     // field number 0
            b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", // an endless varint
            &deep,                                           // groups without end
        ];
        for message in cases {
            assert!(last_string(message, &[1]).is_err(), "{message:?}");
        }
    }

    async fn first(chunks: Vec<Vec<u8>>, limit: usize) -> Result<First, Status> {
        let frames = chunks
            .into_iter()
            .map(|chunk| Ok::<_, Status>(Frame::data(Bytes::from(chunk))));
        First::read(Body::new(StreamBody::new(stream::iter(frames))), limit).await
    }

    fn framed(message: &[u8]) -> Vec<u8> {
        let mut frame = vec![0];
        frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        frame.extend(message);
        frame
    }

    #[tokio::test]
    async fn the_body_is_whole_again_and_the_field_replaced() {
        let (one, two) = (outer("users/me", Some("users/me")), outer("second", None));
        let wire = [framed(&one), framed(&two)].concat();
        for size in 1..=wire.len() {
            let chunks: Vec<_> = wire.chunks(size).map(<[u8]>::to_vec).collect();
            let read = first(chunks.clone(), 1_000).await.unwrap();
            assert_eq!(read.message(), one);
            assert_eq!(read.into_body().collect().await.unwrap().to_bytes(), wire);

            let read = first(chunks, 1_000).await.unwrap();
            let body = read
                .into_body_with(&[3, 1], "users/7")
                .collect()
                .await
                .unwrap()
                .to_bytes();
            let length = u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize;
            let message = Outer::decode(&body[5..5 + length]).unwrap();
            assert_eq!(
                message.inner,
                Some(Inner {
                    name: "users/7".to_owned(),
                    number: 7
                })
            );
            assert_eq!((message.name.as_str(), message.far), ("users/me", 9));
            assert_eq!(&body[5 + length..], framed(&two));
        }
    }

    #[tokio::test]
    async fn a_body_that_breaks_is_the_callers_and_a_limit_is_a_limit() {
        for (broken, code) in [
            (Status::internal("tonic-web: Invalid symbol 33, offset 0."), 3),
            (Status::unknown("h2 protocol error"), 3),
            (Refusal::TooLarge(11, 10).into(), 8),
        ] {
            let frames = stream::iter([Ok(Frame::data(Bytes::from_static(&[0, 0]))), Err(broken)]);
            let outcome = First::read(Body::new(StreamBody::new(frames)), 10).await;
            assert_eq!(outcome.err().map(|status| status.code() as i32), Some(code));
        }
    }

    #[tokio::test]
    async fn one_message_is_one_and_nothing_after_it() {
        let message = outer("users/7", None);
        let one = framed(&message);
        let tails: [&[u8]; 5] = [b"", b"\x09", &[0, 0, 0, 0, 0], &[0, 0, 0, 0, 9], &one];
        for tail in tails {
            let wire = [&one, tail].concat();
            for size in 1..=wire.len() {
                // A chunk of nothing is nothing more.
                let mut chunks: Vec<_> = wire.chunks(size).map(<[u8]>::to_vec).collect();
                chunks.push(Vec::new());
                match first(chunks, 1_000).await.unwrap().alone().await {
                    Ok(body) => {
                        assert!(tail.is_empty(), "{tail:?} in chunks of {size}");
                        assert_eq!(body.collect().await.unwrap().to_bytes(), one);
                    }
                    Err(refused) => {
                        assert!(!tail.is_empty(), "chunks of {size}");
                        assert_eq!(refused.code(), Code::InvalidArgument);
                    }
                }
            }
        }
    }

    #[tokio::test]
    async fn frames_out_of_bounds_are_refused() {
        let code = |outcome: Result<First, Status>| outcome.err().map(|status| status.code() as i32);
        assert_eq!(code(first(vec![], 10).await), Some(3));
        assert_eq!(code(first(vec![vec![0, 0, 0, 0, 9, 1]], 10).await), Some(3));
        assert_eq!(code(first(vec![vec![0, 0, 0, 0, 11]], 10).await), Some(8));
        assert_eq!(code(first(vec![vec![1, 0, 0, 0, 0]], 10).await), Some(12));
        assert_eq!(code(first(vec![vec![2, 0, 0, 0, 0]], 10).await), Some(3));
        assert_eq!(code(first(vec![framed(b"")], 10).await), None);
    }

    proptest! {
        /// Whatever the bytes: if the handler's decoder accepts them, this finds what the decoder finds.
        #[test]
        fn agrees_with_the_decoder(bytes in proptest::collection::vec(prop_oneof![
            Just(0x0A_u8), Just(0x1A), Just(0x10), Just(0x23), Just(0x24), 0_u8..8, any::<u8>()
        ], 0..24)) {
            if let Ok(decoded) = Outer::decode(bytes.as_slice()) {
                let name = last_string(&bytes, &[1]).unwrap().unwrap_or_default();
                prop_assert_eq!(name, decoded.name.as_str());
                let inner = last_string(&bytes, &[3, 1]).unwrap().unwrap_or_default();
                prop_assert_eq!(inner.to_owned(), decoded.inner.unwrap_or_default().name);
            }
        }
    }
}
