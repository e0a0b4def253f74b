//! Gives each call its id: a sane `x-request-id` of the caller's, else a new one; echoed in every answer.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{HeaderName, HeaderValue};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::body::{HttpRequest, HttpResponse};
use crate::edge::NewId;

/// The header, on the way in and out.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Bytes of an id that is taken from outside.
const ID_BYTES_MAX: usize = 128;

/// The id of a call, in the extensions of its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub Arc<str>);

/// Adds [`RequestId`].
#[derive(Clone)]
pub(crate) struct RequestIdLayer {
    new_id: NewId,
}

impl RequestIdLayer {
    pub(crate) fn new(new_id: NewId) -> Self {
        Self { new_id }
    }
}

impl<S> Layer<S> for RequestIdLayer {
    type Service = WithRequestId<S>;

    fn layer(&self, inner: S) -> Self::Service {
        WithRequestId {
            inner,
            new_id: self.new_id.clone(),
        }
    }
}

/// The service of [`RequestIdLayer`].
#[derive(Clone)]
pub(crate) struct WithRequestId<S> {
    inner: S,
    new_id: NewId,
}

impl<S> Service<HttpRequest> for WithRequestId<S>
where
    S: Service<HttpRequest, Response = HttpResponse, Error = Infallible>,
{
    type Response = HttpResponse;
    type Error = Infallible;
    type Future = Echo<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: HttpRequest) -> Self::Future {
        let sent = request
            .headers()
            .get(X_REQUEST_ID)
            .and_then(|value| value.to_str().ok())
            .filter(|id| is_sane(id));
        let id: Arc<str> = sent.map_or_else(|| (self.new_id)().into(), Into::into);
        // An id of the generator's that is no header value is the embedder's mistake; the call goes on without an echo.
        let header = HeaderValue::from_str(&id).ok();
        match &header {
            Some(value) => request.headers_mut().insert(X_REQUEST_ID, value.clone()),
            None => request.headers_mut().remove(X_REQUEST_ID),
        };
        request.extensions_mut().insert(RequestId(id));
        Echo {
            future: self.inner.call(request),
            header,
        }
    }
}

pin_project! {
    /// The answer with the id.
    pub(crate) struct Echo<F> {
        #[pin]
        future: F,
        header: Option<HeaderValue>,
    }
}

impl<F: Future<Output = Result<HttpResponse, Infallible>>> Future for Echo<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.future.poll(cx))?;
        if let Some(header) = this.header.take() {
            response.headers_mut().insert(X_REQUEST_ID, header);
        }
        Poll::Ready(Ok(response))
    }
}

/// An id is echoed, logged and searched for: letters, digits and the punctuation of common id formats, nothing else.
fn is_sane(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@~".contains(&byte);
    (1..=ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sane_ids_are_taken_over() {
        let longest = "x".repeat(ID_BYTES_MAX);
        for id in [
            "1",
            "0193b5c2-7d2e-7f00-8000-abcdef012345",
            "a.b:c/d+e=f@g~h_i",
            &longest,
        ] {
            assert!(is_sane(id), "{id}");
        }
        let too_long = "x".repeat(ID_BYTES_MAX + 1);
        for id in ["", "a b", "a\"b", "a\\b", "<b>", "a,b", "é", "a\tb", &too_long] {
            assert!(!is_sane(id), "{id}");
        }
    }
}
