//! The body of a REST request: JSON in UTF-8, whole, of bounded size, within a bounded time.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::body::RequestBody;
use crate::error::Failure;

/// How long a body may take to arrive.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);
/// How much of a refused body is read on, and for how long.
const DISCARD_BYTES_MAX: usize = 8 << 20;
const DISCARD_TIME_MAX: Duration = Duration::from_secs(2);

/// Reads the body, which must be JSON if it is there at all.
pub(super) async fn read(headers: &HeaderMap, mut body: RequestBody, bytes_max: usize) -> Result<Bytes, Failure> {
    let reading = read_json(headers, &mut body, bytes_max);
    let Ok(read) = tokio::time::timeout(BODY_TIME_MAX, reading).await else {
        return Err(Failure::body_too_slow(BODY_TIME_MAX));
    };
    // A client that asked first, by `Expect`, has sent nothing yet.
    if read.is_err() && !headers.contains_key(header::EXPECT) {
        discard(body).await;
    }
    read
}

/// Reads on without keeping anything, within bounds: a client that is still sending sees the answer only if the
/// connection is not closed under it (RFC 9112, 9.6).
async fn discard(mut body: RequestBody) {
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

async fn read_json(headers: &HeaderMap, body: &mut RequestBody, bytes_max: usize) -> Result<Bytes, Failure> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(Failure::unsupported_media("the body is compressed; send it as it is"));
    }
    let is_json = headers.get(header::CONTENT_TYPE).map(is_json);
    let not_json = || Failure::unsupported_media("the body must be `Content-Type: application/json`, in UTF-8");
    if is_json == Some(false) {
        return Err(not_json());
    }
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(Failure::too_large(bytes_max));
    }
    let bytes = match Limited::new(body, bytes_max).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(Failure::too_large(bytes_max)),
        Err(_) => return Err(Failure::broken_body()),
    };
    if bytes.is_empty() || is_json.is_some() {
        Ok(bytes)
    } else {
        Err(not_json())
    }
}

/// `application/json` or the same as a patch, in UTF-8.
fn is_json(content_type: &HeaderValue) -> bool {
    let Ok(text) = content_type.to_str() else { return false };
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or("");
    let is_utf8 = |part: &str| match part.split_once('=') {
        Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
            value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    };
    ["application/json", "application/merge-patch+json"]
        .iter()
        .any(|json| json.eq_ignore_ascii_case(essence))
        && parts.all(is_utf8)
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
                is_json(&HeaderValue::from_static(content_type)),
                expected,
                "{content_type}"
            );
        }
    }
}
