//! CORS, derived from the routes, and only where a request has an `Origin`: other traffic pays one header.
//!
//! A preflight is answered here, for it carries no credential and no content type by which a door could be told: with
//! the methods that its path really has. An OPTIONS that is no preflight goes on like any other request.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use millrace_transcode::RouteError;

use crate::answer::Shape;
use crate::body::{HttpRequest, HttpResponse, ResponseBody};
use crate::call::CallRecord;
use crate::edge::Builtin;
use crate::edge::host::is_loopback_authority;
use crate::edge::names::Names;
use crate::error::Failure;
use crate::gateway::Gateway;

/// How long a browser may keep the answer to a preflight, in seconds.
const PREFLIGHT_AGE: HeaderValue = HeaderValue::from_static("600");

/// Headers that a page may read besides the safelisted ones.
const EXPOSED: HeaderValue =
    HeaderValue::from_static("grpc-status,grpc-message,grpc-status-details-bin,x-request-id,location,retry-after");

/// What a path that the embedder answers can be asked for.
pub(crate) const BUILTIN_METHODS: &str = "GET, HEAD";

/// Whose pages may read answers. Credentials (cookies) are never allowed: a key is sent in a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorsPolicy {
    /// Nobody's but those of the server's own origin.
    Off,
    /// Pages of `http://localhost`, `http://127.0.0.1` and `http://[::1]` with any port, and the same by https.
    Loopback,
    /// Pages of these origins, compared exactly, as in `https://shop.example`.
    List(Vec<String>),
    /// Pages of both kinds.
    LoopbackAnd(Vec<String>),
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
            Self::LoopbackAnd(origins) => {
                Self::Loopback.allows(origin) || origins.iter().any(|allowed| allowed.as_bytes() == origin)
            }
        }
    }
}

/// Checks the form of an origin: it is compared as a whole with what a browser sends, so it must have that very form.
///
/// # Errors
/// What it must be, as the end of a sentence that begins with the origin.
pub fn check_origin(origin: &str) -> Result<(), String> {
    let example = "as in `https://shop.example` or `http://localhost:3000`";
    if origin.contains('*') {
        return Err(format!(
            "must be one origin, {example}; list each, a `*` stands for nothing"
        ));
    }
    let (scheme, authority) = match origin.split_once("://") {
        Some((scheme @ ("http" | "https"), authority)) => (scheme, authority),
        _ => return Err(format!("must begin with `https://` or `http://`, {example}")),
    };
    if authority.contains(['/', '?', '#', '@']) {
        return Err(format!(
            "must be scheme, host and port alone, without a path or user, {example}"
        ));
    }
    let parsed: http::uri::Authority = authority
        .parse()
        .map_err(|_| format!("must name a host, {example}; names that are not ASCII in their `xn--` form"))?;
    if authority.bytes().any(|letter| letter.is_ascii_uppercase()) {
        return Err(format!("must be in small letters, as a browser sends it, {example}"));
    }
    if parsed.host().is_empty() || (authority != parsed.host() && parsed.port_u16().is_none()) {
        return Err(format!(
            "must be a host, and a port from 1 to 65535 if one is needed, {example}"
        ));
    }
    match (scheme, parsed.port_u16()) {
        (_, Some(0)) => Err(format!("must have a port from 1 to 65535, {example}")),
        ("http", Some(80)) | ("https", Some(443)) => Err(format!(
            "must be `{scheme}://{}`: a browser leaves the default port out",
            parsed.host()
        )),
        _ => Ok(()),
    }
}

/// A [`CorsPolicy`] that allows something, applied.
pub(super) struct Rules {
    policy: CorsPolicy,
    gateway: Gateway,
    builtin: Arc<dyn Builtin>,
}

impl Rules {
    /// `None` where nothing is allowed: the headers are simply not there.
    pub(super) fn new(policy: &CorsPolicy, gateway: &Gateway, builtin: &Arc<dyn Builtin>) -> Option<Self> {
        (*policy != CorsPolicy::Off).then(|| Self {
            policy: policy.clone(),
            gateway: gateway.clone(),
            builtin: builtin.clone(),
        })
    }

    /// The answer to a preflight.
    pub(super) fn preflight(&self, request: &mut HttpRequest, names: Names, record: &Arc<CallRecord>) -> HttpResponse {
        let shape = Shape::of_rest(request, names);
        let (mut parts, _) = std::mem::take(request).into_parts();
        record.say(&mut parts.headers, &mut parts.extensions);
        let refuse = |failure: &Failure| self.gateway.answers().answer(&shape, failure, record);
        let origin = parts.headers.get(header::ORIGIN);
        let Some(origin) = origin.filter(|origin| self.policy.allows(origin.as_bytes())) else {
            let mut refusal = refuse(&Failure::origin_not_allowed());
            vary_by_preflight(refusal.headers_mut());
            return refusal;
        };
        let mut response = match self.methods_at(&parts) {
            Some(methods) => {
                record.set_code(tonic::Code::Ok);
                permission(&methods, &parts.headers)
            }
            None => {
                let error = RouteError::NotFound { did_you_mean: None };
                refuse(&Failure::no_route(&parts.method, parts.uri.path(), error))
            }
        };
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        vary_by_preflight(headers);
        response
    }

    /// The methods of a path: of its routes, of an RPC, or of the embedder's own.
    fn methods_at(&self, parts: &http::request::Parts) -> Option<String> {
        let path = parts.uri.path();
        let of_rpc = || self.gateway.knows_rpc(path).then(|| "POST".to_owned());
        let of_builtin = || self.builtin.get(parts).map(|_| BUILTIN_METHODS.to_owned());
        self.gateway
            .schema()
            .methods_at(path)
            .or_else(of_rpc)
            .or_else(of_builtin)
    }
}

/// Says yes to a preflight.
fn permission(methods: &str, asked: &HeaderMap) -> HttpResponse {
    let mut response = http::Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    if let Ok(methods) = HeaderValue::from_str(methods) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    }
    // Metadata is open by nature in gRPC; what reaches a service is decided by the doors, not by a browser.
    if let Some(names) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE);
    response
}

fn vary_by_preflight(headers: &mut HeaderMap) {
    let vary = "origin, access-control-request-method, access-control-request-headers";
    headers.append(header::VARY, HeaderValue::from_static(vary));
}

/// Whether a request asks what another would be allowed: a page's browser does, before it sends that.
pub(super) fn is_preflight(request: &HttpRequest) -> bool {
    let headers = request.headers();
    request.method() == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Makes an answer readable by the page that asked, if it may read it. A cache must not give it to another.
pub(super) fn open_to(rules: Option<&Rules>, origin: Option<HeaderValue>, headers: &mut HeaderMap) {
    let Some(rules) = rules else { return };
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin.filter(|origin| rules.policy.allows(origin.as_bytes())) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_allows_exactly_its_origins() {
        let list = CorsPolicy::List(vec!["https://shop.example".to_owned()]);
        let both = CorsPolicy::LoopbackAnd(vec!["https://shop.example".to_owned()]);
        let table = [
            (&CorsPolicy::Off, "http://localhost:3000", false),
            (&both, "http://localhost:3000", true),
            (&both, "https://shop.example", true),
            (&both, "https://other.example", false),
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
