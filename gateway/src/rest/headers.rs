//! What the headers of a request become: fields of its message, and metadata of the inner call.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName};
use millrace_transcode::HeaderFields;

use crate::accept::Media;
use crate::call::CallRecord;
use crate::deadline::{self, GRPC_TIMEOUT};
use crate::edge::Names;
use crate::error::Failure;
use crate::gateway::Gateway;
use crate::metadata::AllowList;
use crate::rest::Form;

pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The headers that become fields.
pub(super) fn header_fields(headers: &HeaderMap, names: Names, form: Form) -> Result<HeaderFields<'_>, Failure> {
    let is_keyed = names.have(Names::IDEMPOTENCY_KEY);
    let resumes = names.have(Names::LAST_EVENT_ID) && form == Form::Stream(Media::EventStream);
    Ok(HeaderFields {
        idempotency_key: text(headers, is_keyed.then_some(IDEMPOTENCY_KEY))?,
        last_event_id: text(headers, resumes.then_some(LAST_EVENT_ID))?,
    })
}

/// Makes the headers of a request, whose own are not needed any more, those of the inner call. Returns the list of those
/// that go inwards, if there are others among them.
pub(super) fn become_inner(
    headers: &mut HeaderMap,
    deadline: Option<Duration>,
    record: &CallRecord,
    gateway: &Gateway,
) -> Result<Option<Arc<AllowList>>, Failure> {
    let list = gateway.request_headers();
    let passes = list.passes(headers);
    if !passes {
        let picked = list.pick(headers);
        *headers = picked.map_err(|error| Failure::bad_header(error.header(), &error))?;
    }
    if let Some(timeout) = deadline {
        // The body has taken its part of it.
        let left = timeout.saturating_sub(record.elapsed());
        headers.insert(GRPC_TIMEOUT, deadline::to_grpc(left));
    }
    Ok(passes.then(|| list.clone()))
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
