//! Opens the record and the span of a call, takes or makes its W3C trace context, and writes the call's one log line
//! when the body has ended: for a stream that is its end, for a caller who went away the moment of going.

use std::convert::Infallible;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{HeaderMap, HeaderName, HeaderValue};
use pin_project_lite::pin_project;
use tower::{Layer, Service};
use tracing::Span;

use crate::body::{HttpRequest, HttpResponse};
use crate::call::{CallRecord, code_name};
use crate::edge::{NewId, RequestId};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Bytes of a path in a log line.
const LOGGED_PATH_BYTES_MAX: usize = 256;

/// Adds the [`CallRecord`], the span and the log line.
#[derive(Clone)]
pub(crate) struct TraceLayer {
    new_id: NewId,
    error_domain: Arc<str>,
}

impl TraceLayer {
    /// `new_id` is the seed of trace ids; the records say `error_domain` to whoever fails the call.
    pub(crate) fn new(new_id: NewId, error_domain: Arc<str>) -> Self {
        Self { new_id, error_domain }
    }
}

impl<S> Layer<S> for TraceLayer {
    type Service = Traced<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Traced {
            inner,
            new_id: self.new_id.clone(),
            error_domain: self.error_domain.clone(),
        }
    }
}

/// The service of [`TraceLayer`].
#[derive(Clone)]
pub(crate) struct Traced<S> {
    inner: S,
    new_id: NewId,
    error_domain: Arc<str>,
}

impl<S> Service<HttpRequest> for Traced<S>
where
    S: Service<HttpRequest, Response = HttpResponse, Error = Infallible>,
{
    type Response = HttpResponse;
    type Error = Infallible;
    type Future = InSpan<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: HttpRequest) -> Self::Future {
        let traceparent = trace_context(request.headers_mut(), &self.new_id);
        let request_id = request
            .extensions()
            .get::<RequestId>()
            .map_or_else(|| Arc::from(""), |id| id.0.clone());
        let record = CallRecord::new(request_id, traceparent);
        record.set_error_domain(self.error_domain.clone());
        request.extensions_mut().insert(record.clone());
        let span = tracing::info_span!(
            target: "millrace::call",
            "call",
            request_id = record.request_id(),
            trace_id = trace_id(record.traceparent()),
        );
        let line = LogLine {
            http_method: request.method().clone(),
            uri: request.uri().clone(),
            record,
        };
        let future = span.in_scope(|| self.inner.call(request));
        InSpan {
            future,
            span,
            line: Some(line),
        }
    }
}

pin_project! {
    /// The call inside its span. Dropping it before the answer writes the log line too: the caller went away.
    pub(crate) struct InSpan<F> {
        #[pin]
        future: F,
        span: Span,
        line: Option<LogLine>,
    }
}

impl<F: Future<Output = Result<HttpResponse, Infallible>>> Future for InSpan<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = {
            let _entered = this.span.enter();
            ready!(this.future.poll(cx))?
        };
        if let Some(line) = this.line.take() {
            line.record.set_http_status(response.status().as_u16());
            response.body_mut().within(this.span.clone());
            response.body_mut().hold(Box::new(line));
        }
        Poll::Ready(Ok(response))
    }
}

/// The log line of a call, written when this is dropped.
struct LogLine {
    record: Arc<CallRecord>,
    http_method: http::Method,
    uri: http::Uri,
}

impl Drop for LogLine {
    fn drop(&mut self) {
        let record = &self.record;
        let ms = record.elapsed().as_micros() as f64 / 1_000.0;
        let code = code_name(record.code());
        // Without a parent: the line reads alone, and its fields are not said twice.
        tracing::info!(
            target: "millrace::call",
            parent: None,
            door = record.door().name(),
            rpc.method = record.rpc_method(),
            rpc.code = code,
            http.status = record.http_status(),
            http.method = self.http_method.as_str(),
            http.path = shortened(self.uri.path()),
            ms,
            request_id = record.request_id(),
            trace_id = trace_id(record.traceparent()),
            shard = record.shard(),
            user = record.user(),
            relaxed_by = record.relaxed_by(),
            "{} {} {code} in {ms} ms",
            record.door().name(),
            record.rpc_method(),
        );
    }
}

/// The caller's `traceparent` if it is well formed, else a new one; the request's headers say the same afterwards.
///
/// One that is taken over goes inwards unchanged: the gateway exports no span of its own that could stand between.
fn trace_context(headers: &mut HeaderMap, new_id: &NewId) -> Arc<str> {
    let sent = headers
        .get(TRACEPARENT)
        .and_then(|value| value.to_str().ok())
        .filter(|text| is_traceparent(text));
    if let Some(sent) = sent {
        return sent.into();
    }
    let made = make_traceparent(&new_id());
    // The state belongs to the trace that was refused.
    headers.remove(TRACESTATE);
    if let Ok(value) = HeaderValue::from_str(&made) {
        headers.insert(TRACEPARENT, value);
    }
    made.into()
}

/// A trace context from a random seed: unsampled is for the caller to say, so the flag is "sampled".
fn make_traceparent(seed: &str) -> String {
    let word = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, seed).hash(&mut hasher);
        // All zeros would be an invalid id.
        hasher.finish().max(1)
    };
    format!("00-{:016x}{:016x}-{:016x}-01", word(0), word(1), word(2))
}

/// `version-trace_id-parent_id-flags` of W3C Trace Context; later versions may have more after it.
fn is_traceparent(text: &str) -> bool {
    let hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let id = |part: &str, length: usize| hex(part, length) && part.bytes().any(|b| b != b'0');
    let mut parts = text.splitn(5, '-');
    let (Some(version), Some(trace), Some(parent), Some(flags)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let more = parts.next().is_some();
    hex(version, 2)
        && version != "ff"
        && id(trace, 32)
        && id(parent, 16)
        && hex(flags, 2)
        && (!more || version != "00")
        && text.len() <= 128
}

/// The trace id within a `traceparent`.
fn trace_id(traceparent: &str) -> &str {
    traceparent.get(3..35).unwrap_or("")
}

/// The first bytes of a path, cut at a character.
fn shortened(path: &str) -> &str {
    &path[..path.floor_char_boundary(LOGGED_PATH_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_malformed_trace_context_is_replaced() {
        let good = [
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        ];
        let new_id: NewId = Arc::new(|| "seed".to_owned());
        for text in good {
            let mut headers = HeaderMap::new();
            headers.insert(TRACEPARENT, HeaderValue::from_static(text));
            headers.insert(TRACESTATE, HeaderValue::from_static("a=b"));
            assert_eq!(&*trace_context(&mut headers, &new_id), text);
            assert!(headers.contains_key(TRACESTATE));
        }
        let bad = [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
        ];
        for text in bad {
            let mut headers = HeaderMap::new();
            headers.insert(TRACEPARENT, HeaderValue::from_static(text));
            headers.insert(TRACESTATE, HeaderValue::from_static("a=b"));
            let made = trace_context(&mut headers, &new_id);
            assert!(is_traceparent(&made) && &*made != text, "{text}");
            assert_eq!(headers[TRACEPARENT].to_str().unwrap(), &*made);
            assert!(!headers.contains_key(TRACESTATE), "{text}");
        }
    }

    #[test]
    fn a_long_path_is_cut_at_a_character() {
        let path = format!("{}é", "a".repeat(LOGGED_PATH_BYTES_MAX - 1));
        assert_eq!(shortened(&path).len(), LOGGED_PATH_BYTES_MAX - 1);
        assert_eq!(shortened("/v1"), "/v1");
    }

    proptest! {
        #[test]
        fn any_text_is_a_trace_context_or_not(text in ".{0,80}") {
            if is_traceparent(&text) {
                prop_assert_eq!(trace_id(&text).len(), 32);
            }
        }

        #[test]
        fn what_is_made_is_well_formed(seed: String) {
            prop_assert!(is_traceparent(&make_traceparent(&seed)));
        }
    }
}
