//! The doors: gRPC, gRPC-Web, or REST, told apart by the content type alone. gRPC and gRPC-Web bodies stream through
//! untouched.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderMap, HeaderValue, Method, Version, header};
use tower::Service;

use crate::answer::{GRPC, Shape};
use crate::body::{HttpRequest, HttpResponse, ResponseBody};
use crate::call::CallRecord;
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
    pub(crate) fn of(headers: &HeaderMap) -> Self {
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

/// All doors as one service, innermost of the edge.
#[derive(Clone)]
pub(crate) struct Doors {
    gateway: Gateway,
    inner: Inner,
    rest: Arc<Rest>,
}

impl Doors {
    pub(crate) fn new(gateway: Gateway, inner: Inner, rest: Rest) -> Self {
        Self {
            gateway,
            inner,
            rest: Arc::new(rest),
        }
    }
}

impl Service<HttpRequest> for Doors {
    type Response = HttpResponse;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Infallible>> + Send>>;

    // Every call asks a clone of the inner service whether it is ready, so the doors always are.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest) -> Self::Future {
        let record = CallRecord::of(request.extensions());
        let door = Door::of(request.headers());
        record.set_door(door);
        match door {
            Door::Grpc if request.version() != Version::HTTP_2 => {
                let shape = Shape::of(&request);
                let refusal = self
                    .gateway
                    .answers()
                    .answer(&shape, &Failure::grpc_over_http1(), &record);
                Box::pin(std::future::ready(Ok(refusal)))
            }
            Door::Grpc if request.method() != Method::POST || !is_protobuf(request.headers()) => {
                // As an HTTP answer, since a client that calls like this does not read gRPC's.
                let shape = Shape::of_rest(&request);
                let failure = if request.method() == Method::POST {
                    Failure::unsupported_media(
                        "gRPC is served with messages in protobuf: `application/grpc` or `application/grpc+proto`",
                    )
                } else {
                    Failure::method_not_allowed("POST")
                };
                let refusal = self.gateway.answers().answer(&shape, &failure, &record);
                Box::pin(std::future::ready(Ok(refusal)))
            }
            Door::Grpc => {
                self.gateway.name_call(request.uri().path(), &record);
                let reply = self.inner.forward(request);
                Box::pin(async move { Ok(reply.await?.map(ResponseBody::grpc)) })
            }
            Door::GrpcWeb => {
                self.gateway.name_call(request.uri().path(), &record);
                match web::send(self.inner.clone(), request) {
                    Ok(reply) => Box::pin(reply),
                    Err((shape, failure)) => {
                        let refusal = self.gateway.answers().answer(&shape, &failure, &record);
                        Box::pin(std::future::ready(Ok(refusal)))
                    }
                }
            }
            Door::Rest | Door::Builtin | Door::Edge => {
                let rest = self.rest.clone();
                Box::pin(async move { Ok(rest.answer(request, record).await) })
            }
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
            assert_eq!(Door::of(&headers), expected, "{content_type}");
        }
        assert_eq!(Door::of(&HeaderMap::new()), Door::Rest);
        let two =
            ["application/grpc-web", "application/json"].map(|of| (header::CONTENT_TYPE, HeaderValue::from_static(of)));
        let mut both = HeaderMap::new();
        both.extend(two);
        assert_eq!(Door::of(&both), Door::Rest);
        for door in [Door::Edge, Door::Grpc, Door::GrpcWeb, Door::Rest, Door::Builtin] {
            assert_eq!(Door::from_u8(door as u8), door);
        }
    }
}
