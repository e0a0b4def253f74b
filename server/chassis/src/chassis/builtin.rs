//! Paths that no route binds: `/health`, `/readiness`, `/openapi.json`, and the site with `/`.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Response};
use millrace_gateway::edge::Builtin;
use millrace_gateway::probes::Probes;

use crate::chassis::Pages;

/// Answers these paths.
pub(super) struct Paths {
    pub(super) probes: Probes,
    pub(super) openapi: Bytes,
    /// Shown at `/` where there is no site.
    pub(super) index: Bytes,
    pub(super) pages: Option<Pages>,
}

impl Builtin for Paths {
    fn get(&self, request: &Parts) -> Option<Response<Bytes>> {
        let path = request.uri.path();
        if let Some(answer) = self.probes.answer(path) {
            return Some(answer);
        }
        if path == "/openapi.json" {
            return Some(page("application/json", self.openapi.clone()));
        }
        match &self.pages {
            Some(pages) => pages(request),
            None => (path == "/").then(|| page("text/plain; charset=utf-8", self.index.clone())),
        }
    }
}

fn page(content_type: &'static str, bytes: Bytes) -> Response<Bytes> {
    let mut response = Response::new(bytes);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    // The next start may bring another version under the same path.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
