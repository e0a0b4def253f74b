//! The body of a REST request: JSON in UTF-8, whole, of bounded size, within a bounded time, from a bounded memory.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Version, header};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::{Instant, sleep};

use crate::body::RequestBody;
use crate::edge::Names;
use crate::error::Failure;
use crate::rest::memory::{Held, Memory};

/// JSON, or the same as a patch.
pub(super) const JSON: [&str; 2] = ["application/json", "application/merge-patch+json"];

/// How much of a refused body is read on, and for how long.
const DISCARD_BYTES_MAX: usize = 8 << 20;
pub(crate) const DISCARD_TIME_MAX: Duration = Duration::from_secs(2);

/// What a body may take.
pub(super) struct Bounds<'m> {
    pub(super) bytes_max: usize,
    /// The head of the request came then.
    pub(super) started: Instant,
    /// The body must be there so long after.
    pub(super) time_max: Duration,
    pub(super) memory: &'m Memory,
}

/// A whole body, and what it holds of the memory for bodies.
#[derive(Debug, Default)]
pub(super) struct Payload {
    pub(super) bytes: Bytes,
    pub(super) held: Held,
}

/// Reads the body, which must be JSON if it is there at all.
pub(super) async fn read(
    headers: &HeaderMap,
    names: Names,
    mut body: RequestBody,
    bounds: &Bounds<'_>,
) -> Result<Payload, Failure> {
    if body.is_end_stream() {
        return Ok(Payload::default());
    }
    let in_time = within(bounds, read_json(headers, names, &mut body, bounds)).await;
    let Some(read) = in_time else {
        return Err(Failure::body_too_slow(bounds.time_max));
    };
    // A client that asked first, by `Expect`, has sent nothing yet.
    if read.is_err() && !names.have(Names::EXPECT) {
        discard(body).await;
    }
    read
}

/// Waits for a body, as long as it may take. Mostly all of it came with the head: then there is no timer.
async fn within<F: Future>(bounds: &Bounds<'_>, reading: F) -> Option<F::Output> {
    let mut reading = pin!(reading);
    let mut late = None;
    poll_fn(|cx| {
        if let Poll::Ready(read) = reading.as_mut().poll(cx) {
            return Poll::Ready(Some(read));
        }
        let left = || bounds.time_max.saturating_sub(bounds.started.elapsed());
        let late = late.get_or_insert_with(|| Box::pin(sleep(left())));
        late.as_mut().poll(cx).map(|()| None)
    })
    .await
}

/// A refusal that was decided before the body was read: the body is read on first, unless the caller waits to be asked
/// or was too slow already.
pub(super) async fn refuse(failure: Failure, names: Names, version: Version, body: RequestBody) -> Failure {
    if !names.have(Names::EXPECT) && !failure.is_too_slow() {
        discard(body).await;
    }
    failure.closing(version)
}

/// Reads on without keeping anything, within bounds: a client that is still sending sees the answer only if the
/// connection is not closed under it (RFC 9112, 9.6).
pub(crate) async fn discard(mut body: RequestBody) {
    let all = async {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > DISCARD_BYTES_MAX {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(DISCARD_TIME_MAX, all).await;
}

async fn read_json(
    headers: &HeaderMap,
    names: Names,
    body: &mut RequestBody,
    bounds: &Bounds<'_>,
) -> Result<Payload, Failure> {
    refuse_compressed(headers, names)?;
    // Of two types a proxy may have believed either, so both must be fine.
    let types = headers
        .get_all(header::CONTENT_TYPE)
        .iter()
        .map(|sent| is_utf8_of(&JSON, sent));
    let is_json = types.reduce(|one, other| one && other);
    let not_json = || Failure::unsupported_media("the body must be `Content-Type: application/json`, in UTF-8");
    if is_json == Some(false) {
        return Err(not_json());
    }
    if body.size_hint().lower() > bounds.bytes_max as u64 {
        return Err(Failure::too_large(bounds.bytes_max));
    }
    let payload = collect(body, bounds).await?;
    if payload.bytes.is_empty() || is_json.is_some() {
        Ok(payload)
    } else {
        Err(not_json())
    }
}

/// Reads to the end. A body of one frame is that frame; the frames of others are copied into one piece as they come,
/// for a small frame may keep a large buffer of the connection's.
async fn collect(body: &mut RequestBody, bounds: &Bounds<'_>) -> Result<Payload, Failure> {
    let mut payload = Payload::default();
    let mut joined = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame.map_err(|_| Failure::broken_body())?.into_data() else {
            continue;
        };
        let so_far = joined.len() + payload.bytes.len();
        if so_far + chunk.len() > bounds.bytes_max {
            return Err(Failure::too_large(bounds.bytes_max));
        }
        let taken = bounds.memory.take(chunk.len(), &mut payload.held);
        taken.map_err(|_| Failure::no_memory_for_body())?;
        if so_far == 0 {
            payload.bytes = chunk;
        } else {
            joined.extend_from_slice(&std::mem::take(&mut payload.bytes));
            joined.extend_from_slice(&chunk);
        }
    }
    if !joined.is_empty() {
        payload.bytes = joined.freeze();
    }
    Ok(payload)
}

/// Refuses a body that is not as it is meant.
pub(super) fn refuse_compressed(headers: &HeaderMap, names: Names) -> Result<(), Failure> {
    if !names.have(Names::CONTENT_ENCODING) {
        return Ok(());
    }
    let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
    if codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Failure::unsupported_media("the body is compressed; send it as it is"));
    }
    Ok(())
}

/// Whether a content type is one of the known ones, in UTF-8.
pub(super) fn is_utf8_of(known: &[&str], content_type: &HeaderValue) -> bool {
    if known.iter().any(|known| content_type.as_bytes() == known.as_bytes()) {
        return true;
    }
    let Ok(text) = content_type.to_str() else { return false };
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or("");
    let is_utf8 = |part: &str| match part.split_once('=') {
        Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
            value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    };
    known.iter().any(|known| known.eq_ignore_ascii_case(essence)) && parts.all(is_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_json_in_utf8() {
        let table = [
            ("application/json", true),
            ("Application/JSON; charset=UTF-8", true),
            ("application/json;charset=\"utf-8\"", true),
            ("application/merge-patch+json", true),
            ("application/json; charset=utf-16", false),
            ("text/csv", false),
            ("application/x-www-form-urlencoded", false),
            ("", false),
        ];
        for (content_type, expected) in table {
            assert_eq!(
                is_utf8_of(&JSON, &HeaderValue::from_static(content_type)),
                expected,
                "{content_type}"
            );
        }
    }
}
