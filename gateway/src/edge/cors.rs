//! CORS, by tower-http, and only where a request has an `Origin`: other traffic pays one header.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::Either;
use http::{HeaderName, HeaderValue, Method, header};
use tower::{Layer, Service};
use tower_http::cors::{AllowHeaders, AllowOrigin, Cors};

use crate::body::{HttpRequest, HttpResponse};
use crate::call::CallRecord;
use crate::edge::host::is_loopback_authority;

/// How long a browser may keep the answer to a preflight.
const PREFLIGHT_AGE: Duration = Duration::from_secs(600);

/// Headers that a page may read besides the safelisted ones.
const EXPOSED: [HeaderName; 6] = [
    HeaderName::from_static("grpc-status"),
    HeaderName::from_static("grpc-message"),
    HeaderName::from_static("grpc-status-details-bin"),
    HeaderName::from_static("x-request-id"),
    header::LOCATION,
    header::RETRY_AFTER,
];

/// Whose pages may read answers. Credentials (cookies) are never allowed: a key is sent in a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorsPolicy {
    /// Nobody's but those of the server's own origin.
    Off,
    /// Pages of `http://localhost`, `http://127.0.0.1` and `http://[::1]` with any port, and the same by https.
    Loopback,
    /// Pages of these origins, compared exactly, as in `https://shop.example`.
    List(Vec<String>),
}

impl CorsPolicy {
    fn allows(&self, origin: &[u8]) -> bool {
        match self {
            Self::Off => false,
            Self::Loopback => std::str::from_utf8(origin).is_ok_and(|origin| {
                let authority = origin
                    .strip_prefix("http://")
                    .or_else(|| origin.strip_prefix("https://"));
                authority.is_some_and(is_loopback_authority)
            }),
            Self::List(origins) => origins.iter().any(|allowed| allowed.as_bytes() == origin),
        }
    }
}

/// Applies a [`CorsPolicy`].
#[derive(Clone)]
pub(crate) struct CorsLayer {
    /// `None` where nothing is allowed: the headers are simply not there.
    rules: Option<Arc<tower_http::cors::CorsLayer>>,
}

impl CorsLayer {
    pub(crate) fn new(policy: &CorsPolicy) -> Self {
        if *policy == CorsPolicy::Off {
            return Self { rules: None };
        }
        let policy = Arc::new(policy.clone());
        let origins = AllowOrigin::predicate(move |origin, _| policy.allows(origin.as_bytes()));
        let methods = [
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ];
        let rules = tower_http::cors::CorsLayer::new()
            .allow_origin(origins)
            .allow_methods(methods)
            // Metadata is open by nature in gRPC; what reaches a service is decided by the doors, not by a browser.
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers(EXPOSED)
            .max_age(PREFLIGHT_AGE);
        Self {
            rules: Some(Arc::new(rules)),
        }
    }
}

impl<S> Layer<S> for CorsLayer {
    type Service = CorsChecked<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CorsChecked {
            inner,
            rules: self.rules.clone(),
        }
    }
}

/// The service of [`CorsLayer`].
#[derive(Clone)]
pub(crate) struct CorsChecked<S> {
    inner: S,
    rules: Option<Arc<tower_http::cors::CorsLayer>>,
}

impl<S> Service<HttpRequest> for CorsChecked<S>
where
    S: Service<HttpRequest, Response = HttpResponse, Error = Infallible> + Clone,
{
    type Response = HttpResponse;
    type Error = Infallible;
    type Future = Either<<Cors<S> as Service<HttpRequest>>::Future, WithVary<S::Future>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: HttpRequest) -> Self::Future {
        match &self.rules {
            Some(rules) if request.headers().contains_key(header::ORIGIN) => {
                if request.method() == Method::OPTIONS {
                    CallRecord::of(request.extensions()).set_code(tonic::Code::Ok);
                }
                // A clone, which tower-http wants to own; the doors below are always ready, so it need not be asked.
                Either::Left(rules.layer(self.inner.clone()).call(request))
            }
            rules => Either::Right(WithVary {
                varies: rules.is_some(),
                future: self.inner.call(request),
            }),
        }
    }
}

pin_project_lite::pin_project! {
    /// An answer to a request without `Origin`: a cache must not give it to a page that sends one.
    pub(crate) struct WithVary<F> {
        #[pin]
        future: F,
        varies: bool,
    }
}

impl<F: Future<Output = Result<HttpResponse, Infallible>>> Future for WithVary<F> {
    type Output = F::Output;

    fn poll(self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = std::task::ready!(this.future.poll(cx))?;
        if *this.varies {
            response
                .headers_mut()
                .append(header::VARY, HeaderValue::from_static("origin"));
        }
        Poll::Ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_allows_exactly_its_origins() {
        let list = CorsPolicy::List(vec!["https://shop.example".to_owned()]);
        let table = [
            (&CorsPolicy::Off, "http://localhost:3000", false),
            (&CorsPolicy::Loopback, "http://localhost:3000", true),
            (&CorsPolicy::Loopback, "https://[::1]", true),
            (&CorsPolicy::Loopback, "http://localhost.evil.example", false),
            (&CorsPolicy::Loopback, "http://evil.example", false),
            (&CorsPolicy::Loopback, "file://localhost", false),
            (&CorsPolicy::Loopback, "null", false),
            (&list, "https://shop.example", true),
            (&list, "https://shop.example.evil", false),
            (&list, "http://shop.example", false),
        ];
        for (policy, origin, expected) in table {
            assert_eq!(policy.allows(origin.as_bytes()), expected, "{policy:?} {origin}");
        }
    }
}
