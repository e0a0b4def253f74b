//! What the headers of a request become: fields of its message, and metadata of the inner call.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use millrace_transcode::HeaderFields;

use crate::accept::Media;
use crate::answer::GRPC;
use crate::call::CallRecord;
use crate::deadline::{self, GRPC_TIMEOUT};
use crate::error::Failure;
use crate::gateway::Gateway;
use crate::rest::Form;
use crate::rest::seen::{Known, Seen};

pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The headers that become fields.
pub(super) fn header_fields(headers: &HeaderMap, seen: Seen, form: Form) -> Result<HeaderFields<'_>, Failure> {
    let is_keyed = seen.has(Known::IdempotencyKey);
    let resumes = seen.has(Known::LastEventId) && form == Form::Stream(Media::EventStream);
    Ok(HeaderFields {
        idempotency_key: text(headers, is_keyed.then_some(IDEMPOTENCY_KEY))?,
        last_event_id: text(headers, resumes.then_some(LAST_EVENT_ID))?,
    })
}

/// Makes the headers of a request, whose own are not needed any more, those of the inner call.
pub(super) fn become_inner(
    headers: &mut HeaderMap,
    deadline: Option<Duration>,
    record: &CallRecord,
    gateway: &Gateway,
) -> Result<(), Failure> {
    gateway
        .request_headers()
        .keep(headers)
        .map_err(|error| Failure::bad_header(error.header(), &error))?;
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(GRPC));
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    if let Some(timeout) = deadline {
        // The body has taken its part of it.
        let left = timeout.saturating_sub(record.elapsed());
        headers.insert(GRPC_TIMEOUT, deadline::to_grpc(left));
    }
    Ok(())
}

/// The text of a header that becomes a field. One that contradicts itself is refused: whoever reads it next may take
/// the other value.
fn text(headers: &HeaderMap, name: Option<HeaderName>) -> Result<Option<&str>, Failure> {
    let Some(name) = name else { return Ok(None) };
    let Some(value) = headers.get(&name) else {
        return Ok(None);
    };
    let refuse = |problem: &str| {
        let violation = (name.as_str().to_owned(), problem.to_owned());
        Failure::invalid(format!("header `{name}` {problem}"), &[violation])
    };
    if headers.get_all(&name).iter().any(|other| other != value) {
        return Err(refuse("is given twice, with different values"));
    }
    let text = std::str::from_utf8(value.as_bytes());
    text.map(Some).map_err(|_| refuse("is not UTF-8"))
}
