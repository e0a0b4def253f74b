//! The doors: gRPC, gRPC-Web, or REST, told apart by the content type alone. gRPC and gRPC-Web bodies stream through
//! untouched.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Version, header};

use crate::answer::{GRPC, Shape};
use crate::body::{HttpRequest, HttpResponse, ResponseBody};
use crate::call::CallRecord;
use crate::edge::Names;
use crate::error::Failure;
use crate::gateway::Gateway;
use crate::inner::Inner;
use crate::rest::Rest;
use crate::web;

/// Where a call came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Door {
    /// None: a layer of the edge answered, as it does a preflight.
    Edge = 0,
    /// gRPC over HTTP/2.
    Grpc = 1,
    /// gRPC-Web, binary or text.
    GrpcWeb = 2,
    /// JSON, by a route of the schema.
    Rest = 3,
    /// A path that no route binds, answered by the embedder.
    Builtin = 4,
}

impl Door {
    /// The name in logs and labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Grpc => "grpc",
            Self::GrpcWeb => "grpc-web",
            Self::Rest => "rest",
            Self::Builtin => "builtin",
        }
    }

    pub(crate) fn from_u8(number: u8) -> Self {
        match number {
            1 => Self::Grpc,
            2 => Self::GrpcWeb,
            3 => Self::Rest,
            4 => Self::Builtin,
            _ => Self::Edge,
        }
    }

    /// The door that a request asks for: one of gRPC, gRPC-Web, REST.
    pub(crate) fn of(headers: &HeaderMap, names: Names) -> Self {
        if !names.have(Names::CONTENT_TYPE) {
            return Self::Rest;
        }
        let mut types = headers.get_all(header::CONTENT_TYPE).iter();
        // Of two types each reader may believe another; REST refuses them.
        let (Some(Ok(content_type)), None) = (types.next().map(HeaderValue::to_str), types.next()) else {
            return Self::Rest;
        };
        let (Some(start), Some(rest)) = (content_type.get(..GRPC.len()), content_type.get(GRPC.len()..)) else {
            return Self::Rest;
        };
        if !start.eq_ignore_ascii_case(GRPC) {
            return Self::Rest;
        }
        match rest.as_bytes() {
            [] | [b'+' | b';' | b' ' | b'\t', ..] => Self::Grpc,
            [b'-', b'w' | b'W', b'e' | b'E', b'b' | b'B', ..] => Self::GrpcWeb,
            _ => Self::Rest,
        }
    }
}

/// Whether a gRPC call's messages are protobuf: tonic would read any others as if they were.
fn is_protobuf(headers: &HeaderMap) -> bool {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = sent.and_then(|sent| sent.split(';').next()).map(str::trim);
    essence.is_some_and(|essence| {
        ["application/grpc", "application/grpc+proto"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(essence))
    })
}

/// All doors, innermost of the edge.
pub(crate) struct Doors {
    gateway: Gateway,
    inner: Inner,
    rest: Rest,
}

impl Doors {
    pub(crate) fn new(gateway: Gateway, inner: Inner, rest: Rest) -> Self {
        Self { gateway, inner, rest }
    }

    /// Answers a call, whose caller expects an error in this shape.
    pub(crate) async fn answer(
        &self,
        request: &mut HttpRequest,
        names: Names,
        shape: Shape,
        record: &Arc<CallRecord>,
    ) -> HttpResponse {
        let door = shape.door();
        record.set_door(door);
        let refuse = |shape: &Shape, failure: &Failure| self.gateway.answers().answer(shape, failure, record);
        match door {
            Door::Grpc if request.version() != Version::HTTP_2 => refuse(&shape, &Failure::grpc_over_http1()),
            Door::Grpc if request.method() != Method::POST || !is_protobuf(request.headers()) => {
                // As an HTTP answer, since a client that calls like this does not read gRPC's.
                let failure = if request.method() == Method::POST {
                    Failure::unsupported_media(
                        "gRPC is served with messages in protobuf: `application/grpc` or `application/grpc+proto`",
                    )
                } else {
                    Failure::method_not_allowed("POST")
                };
                refuse(&Shape::of_rest(request, names), &failure)
            }
            Door::Grpc => {
                self.gateway.name_call(request.uri().path(), record);
                let Ok(reply) = self.inner.forward(std::mem::take(request), record).await;
                reply.map(ResponseBody::grpc)
            }
            Door::GrpcWeb => {
                self.gateway.name_call(request.uri().path(), record);
                match web::send(self.inner.clone(), std::mem::take(request), record) {
                    Ok(reply) => {
                        // Boxed: its room would be taken by the calls of every other door too.
                        let Ok(reply) = Box::pin(reply).await;
                        reply
                    }
                    Err((shape, failure)) => refuse(&shape, &failure),
                }
            }
            Door::Rest | Door::Builtin | Door::Edge => self.rest.answer(request, names, shape, record).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_names_the_door() {
        let table = [
            ("application/grpc", Door::Grpc),
            ("application/grpc+proto", Door::Grpc),
            ("Application/GRPC; charset=utf-8", Door::Grpc),
            ("application/grpc-web", Door::GrpcWeb),
            ("application/grpc-web+proto; charset=utf-8", Door::GrpcWeb),
            ("application/grpc-web-text", Door::GrpcWeb),
            ("application/grpcx", Door::Rest),
            ("application/grpc-x", Door::Rest),
            ("application/json", Door::Rest),
            ("", Door::Rest),
        ];
        for (content_type, expected) in table {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))]);
            assert_eq!(Door::of(&headers, Names::of(&headers)), expected, "{content_type}");
        }
        let none = HeaderMap::new();
        assert_eq!(Door::of(&none, Names::of(&none)), Door::Rest);
        let two =
            ["application/grpc-web", "application/json"].map(|of| (header::CONTENT_TYPE, HeaderValue::from_static(of)));
        let mut both = HeaderMap::new();
        both.extend(two);
        assert_eq!(Door::of(&both, Names::of(&both)), Door::Rest);
        for door in [Door::Edge, Door::Grpc, Door::GrpcWeb, Door::Rest, Door::Builtin] {
            assert_eq!(Door::from_u8(door as u8), door);
        }
    }
}
