//! What the upstream answers: by default one empty message and OK.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{BufMut, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body::Frame;
use prost::Message;
use prost_reflect::MessageDescriptor;
use tonic::body::Body;

use crate::recorder::Witness;
use crate::shapes;

/// One answer by script.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    status: u16,
    headers: HeaderMap,
    steps: Vec<Step>,
}

#[derive(Debug, Clone)]
enum Step {
    /// A message in text form, of the RPC's output type.
    Message(&'static str),
    /// A message on the wire.
    Wire(Bytes),
    /// The request message.
    Echo,
    /// Bytes of the HTTP body, framed or not.
    Raw(Bytes),
    /// The end, with these trailers.
    Trailers(HeaderMap),
    /// Nothing more, until the caller goes.
    Wait,
}

impl Default for Reply {
    fn default() -> Self {
        one("")
    }
}

/// One message and OK.
pub(crate) fn one(text: &'static str) -> Reply {
    many(&[text])
}

/// Messages and OK.
pub(crate) fn many(texts: &[&'static str]) -> Reply {
    Reply::new(texts.iter().map(|text| Step::Message(text))).ends(0, "")
}

/// One message, given on the wire, and OK.
pub(crate) fn wire(bytes: impl Into<Bytes>) -> Reply {
    Reply::new([Step::Wire(bytes.into())]).ends(0, "")
}

/// The request message and OK.
pub(crate) fn echo() -> Reply {
    Reply::new([Step::Echo]).ends(0, "")
}

/// A body that breaks the rules, and OK.
pub(crate) fn raw(bytes: &'static [u8]) -> Reply {
    Reply::new([Step::Raw(Bytes::from_static(bytes))]).ends(0, "")
}

/// A body without an end of gRPC's.
pub(crate) fn unended(bytes: &'static [u8]) -> Reply {
    Reply::new([Step::Raw(Bytes::from_static(bytes))])
}

/// An error at once.
pub(crate) fn error(code: i32, message: &str) -> Reply {
    Reply::new([]).ends(code, message)
}

/// Messages, then nothing until the caller goes.
pub(crate) fn never_ending(texts: &[&'static str]) -> Reply {
    let messages = texts.iter().map(|text| Step::Message(text));
    Reply::new(messages.chain([Step::Wait]))
}

/// An answer of HTTP's own.
pub(crate) fn http(status: u16, content_type: &'static str, body: &'static [u8]) -> Reply {
    let mut reply = unended(body);
    reply.status = status;
    reply
        .headers
        .insert("content-type", HeaderValue::from_static(content_type));
    reply
}

impl Reply {
    fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        let headers = [("content-type", "application/grpc")]
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        Self {
            status: 200,
            headers: HeaderMap::from_iter(headers),
            steps: steps.into_iter().collect(),
        }
    }

    fn ends(mut self, code: i32, message: &str) -> Self {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from(code));
        if !message.is_empty() {
            trailers.insert("grpc-message", HeaderValue::try_from(message).unwrap());
        }
        self.steps.push(Step::Trailers(trailers));
        self
    }

    /// Messages, then an error.
    pub(crate) fn then_error(mut self, code: i32, message: &str) -> Self {
        self.steps.pop();
        self.ends(code, message)
    }

    /// Adds metadata in front.
    pub(crate) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.append(name, HeaderValue::from_static(value));
        self
    }

    /// Adds metadata at the end.
    pub(crate) fn trailer(mut self, name: &'static str, value: &str) -> Self {
        if let Some(Step::Trailers(trailers)) = self.steps.last_mut() {
            trailers.append(name, HeaderValue::try_from(value).unwrap());
        }
        self
    }

    /// Adds details to the error: each a full name of a message and its text form.
    pub(crate) fn details(self, code: i32, details: &[(&str, &str)]) -> Self {
        let mut status = shapes::parse(shapes::message("google.rpc.Status"), &format!("code: {code}")).encode_to_vec();
        for (kind, text) in details {
            let value = shapes::parse(shapes::message(kind), text).encode_to_vec();
            detail(&mut status, kind, &value);
        }
        self.trailer("grpc-status-details-bin", &STANDARD_NO_PAD.encode(status))
    }

    /// Adds one detail of any type, on the wire.
    pub(crate) fn detail(self, kind: &str, value: &[u8]) -> Self {
        let mut status = Vec::new();
        detail(&mut status, kind, value);
        self.trailer("grpc-status-details-bin", &STANDARD_NO_PAD.encode(status))
    }

    /// The answer to one call. An error without a message has its status in the headers.
    pub(crate) fn response(self, output: &MessageDescriptor, asked: &[u8], witness: Witness) -> Response<Body> {
        let Self {
            status,
            mut headers,
            steps,
        } = self;
        let mut chunks = VecDeque::new();
        for step in steps {
            match step {
                Step::Message(text) => chunks.push_back(Chunk::Data(framed(
                    &shapes::parse(output.clone(), text).encode_to_vec(),
                ))),
                Step::Wire(bytes) => chunks.push_back(Chunk::Data(framed(&bytes))),
                Step::Echo => chunks.push_back(Chunk::Data(framed(asked))),
                Step::Raw(bytes) => chunks.push_back(Chunk::Data(bytes)),
                Step::Trailers(trailers) if chunks.is_empty() => headers.extend(trailers),
                Step::Trailers(trailers) => chunks.push_back(Chunk::Trailers(trailers)),
                Step::Wait => chunks.push_back(Chunk::Wait),
            }
        }
        let mut witness = witness;
        if chunks.is_empty() {
            witness.done();
        }
        let body = if chunks.is_empty() {
            Body::empty()
        } else {
            Body::new(Script { chunks, witness })
        };
        let mut response = Response::new(body);
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
        *response.headers_mut() = headers;
        response
    }
}

/// Appends one detail to an encoded `google.rpc.Status`.
fn detail(status: &mut Vec<u8>, kind: &str, value: &[u8]) {
    let type_url = format!("type.googleapis.com/{kind}");
    let mut any = Vec::new();
    prost::encoding::string::encode(1, &type_url, &mut any);
    prost::encoding::bytes::encode(2, &value.to_vec(), &mut any);
    prost::encoding::bytes::encode(3, &any, status);
}

/// A message in its frame.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(message.len() + 5);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.put_slice(message);
    frame.into()
}

enum Chunk {
    Data(Bytes),
    Trailers(HeaderMap),
    Wait,
}

struct Script {
    chunks: VecDeque<Chunk>,
    witness: Witness,
}

impl http_body::Body for Script {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
        let frame = match self.chunks.pop_front() {
            Some(Chunk::Data(bytes)) => Some(Ok(Frame::data(bytes))),
            Some(Chunk::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            // Whoever drops the body wakes nobody: it is gone.
            Some(Chunk::Wait) => {
                self.chunks.push_front(Chunk::Wait);
                return Poll::Pending;
            }
            None => None,
        };
        if self.chunks.is_empty() {
            self.witness.done();
        }
        Poll::Ready(frame)
    }
}
