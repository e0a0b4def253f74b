//! The gRPC-Web door: tonic-web around the inner service. tonic-web compares content types byte by byte and answers
//! what it does not know with an empty 400, so they are normalised, or refused in our shape, before it.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, header};
use http_body_util::BodyExt;
use tonic_web::GrpcWebLayer;
use tower::{Layer, ServiceExt};

use crate::answer::Shape;
use crate::body::{HttpRequest, HttpResponse, ResponseBody};
use crate::call::CallRecord;
use crate::edge::Names;
use crate::error::Failure;
use crate::inner::Inner;

/// The content types of gRPC-Web, as tonic-web spells them.
const CONTENT_TYPES: [&str; 4] = [
    "application/grpc-web",
    "application/grpc-web+proto",
    "application/grpc-web-text",
    "application/grpc-web-text+proto",
];

/// Sends a gRPC-Web request inwards, or says why not, in a shape that a browser's console shows readably.
pub(crate) fn send(
    inner: Inner,
    mut request: HttpRequest,
    record: &Arc<CallRecord>,
) -> Result<impl Future<Output = Result<HttpResponse, Infallible>> + Send + 'static, (Shape, Failure)> {
    let refuse = |request: &HttpRequest, failure| {
        let names = Names::of(request.headers());
        Err((Shape::of_rest(request, names), failure))
    };
    if request.method() != Method::POST {
        return refuse(&request, Failure::method_not_allowed("POST"));
    }
    let Some(content_type) = known(request.headers(), header::CONTENT_TYPE) else {
        let failure =
            Failure::unsupported_media("gRPC-Web is served with messages in protobuf: `application/grpc-web+proto`");
        return refuse(&request, failure);
    };
    // The answer has the form that `Accept` names, else the request's own.
    let accept = known(request.headers(), header::ACCEPT).unwrap_or(content_type);
    request
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    request
        .headers_mut()
        .insert(header::ACCEPT, HeaderValue::from_static(accept));
    // tonic-web hands on what is in a request, and nothing beside it.
    request.extensions_mut().insert(record.clone());
    let is_text = content_type.contains("text");
    let inner = inner.map_request(move |request| if is_text { decoded(request) } else { request });
    let reply = GrpcWebLayer::new()
        .layer(inner)
        .oneshot(request.map(tonic::body::Body::from));
    Ok(async move {
        let response = reply.await?;
        Ok(response.map(|body| ResponseBody::stream(body.map_err(Into::into))))
    })
}

/// A body that tonic-web decodes from text: where it cannot, that is the caller's fault.
fn decoded(request: http::Request<tonic::body::Body>) -> http::Request<tonic::body::Body> {
    let record = CallRecord::of(request.extensions());
    request.map(|body| {
        tonic::body::Body::new(body.map_err(move |_| {
            let failure = Failure::invalid("the body is not whole messages in base64", &[]);
            failure.to_status(record.error_domain())
        }))
    })
}

/// Whether the answer goes out as base64 text.
pub(crate) fn is_text(headers: &HeaderMap) -> bool {
    let answer = known(headers, header::ACCEPT).or_else(|| known(headers, header::CONTENT_TYPE));
    answer.is_some_and(|content_type| content_type.contains("text"))
}

/// The content type in a header, without parameters and in tonic-web's spelling.
fn known(headers: &HeaderMap, name: header::HeaderName) -> Option<&'static str> {
    let sent = headers.get(name)?.to_str().ok()?;
    let essence = sent.split(';').next()?.trim();
    CONTENT_TYPES
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(essence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_are_normalised() {
        let table = [
            ("application/grpc-web", Some("application/grpc-web")),
            (
                "Application/gRPC-Web+Proto; charset=utf-8",
                Some("application/grpc-web+proto"),
            ),
            ("application/grpc-web-text ;x=y", Some("application/grpc-web-text")),
            ("application/grpc-web+json", None),
            ("application/grpc-webx", None),
        ];
        for (sent, expected) in table {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(sent))]);
            assert_eq!(known(&headers, header::CONTENT_TYPE), expected, "{sent}");
        }
    }

    #[test]
    fn the_answer_is_text_if_the_caller_reads_text() {
        let table = [
            ("application/grpc-web-text", None, true),
            ("application/grpc-web", None, false),
            ("application/grpc-web-text", Some("application/grpc-web"), false),
            ("application/grpc-web", Some("application/grpc-web-text"), true),
            ("application/grpc-web-text", Some("*/*"), true),
        ];
        for (content_type, accept, expected) in table {
            let mut headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))]);
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            }
            assert_eq!(is_text(&headers), expected, "{content_type} {accept:?}");
        }
    }
}
