//! Answers without a body.

use http::{HeaderValue, StatusCode, header};
use http_body::Body;
use tonic::Code;

use crate::body::{HttpResponse, ResponseBody};
use crate::call::CallRecord;
use crate::edge::BUILTIN_METHODS;

/// The end for an `EventSource`: it does not come back after a 204.
pub(super) fn nothing_more(record: &CallRecord) -> HttpResponse {
    record.set_code(Code::Ok);
    let mut response = empty(StatusCode::NO_CONTENT);
    // Another form of the same answer would have run the call.
    response
        .headers_mut()
        .insert(header::VARY, HeaderValue::from_static("accept, last-event-id"));
    response
}

/// `Allow` of the embedder's own paths.
pub(super) fn builtin_allow() -> String {
    format!("{BUILTIN_METHODS}, OPTIONS")
}

/// The answer to OPTIONS.
pub(super) fn allowed(allow: &str) -> HttpResponse {
    let mut response = empty(StatusCode::NO_CONTENT);
    if let Ok(allow) = HeaderValue::from_str(allow) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

fn empty(status: StatusCode) -> HttpResponse {
    let mut response = http::Response::new(ResponseBody::empty());
    *response.status_mut() = status;
    response
}

/// The answer to HEAD: the headers of GET, its length among them.
pub(crate) fn without_body(mut response: HttpResponse) -> HttpResponse {
    if let Some(length) = response.body().size_hint().exact() {
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response.body_mut().discard();
    response
}
