//! Removes the headers that only a trusted hop may set, on every door. What says to come from a hop that nobody named
//! was made up; what a named one says is kept, and the address from which it called is added.

use http::header::CONNECTION;
use http::{HeaderMap, HeaderName};

use crate::edge::Forwarding;
use crate::edge::claims::dashed;
use crate::edge::names::Names;
use crate::metadata::AllowList;
use crate::serve::RemoteAddress;

/// Ours, and none of a caller's business: identity and routing inside the platform.
const OWN_PREFIX: &str = "x-millrace-";
/// The one header of ours that a caller hands back; it is signed.
const CONSISTENCY: &str = "x-millrace-consistency";
/// Of the names that gRPC keeps for itself, those that a caller may say. The others are a server's, such as
/// `grpc-status`, or only a library's inside one's own house: a claim about retries, and contexts in binary.
const GRPC_OF_CALLERS: [&str; 3] = ["grpc-accept-encoding", "grpc-encoding", "grpc-timeout"];
/// What grpc-gateway's callers put before metadata over REST. It is that door's to read.
const GRPC_GATEWAY_PREFIX: &str = "grpc-metadata-";

/// What stays although `Connection` names it: what the edge has set by now, and what is said to this hop and read by the
/// doors.
const KEPT: [&str; 6] = [
    "content-type",
    "te",
    "traceparent",
    "tracestate",
    "upgrade",
    "x-request-id",
];

/// Takes out what no door may see, and says where the call came from if it is to be said.
pub(super) fn apply(
    headers: &mut HeaderMap,
    names: Names,
    forwarding: &Forwarding,
    listed: &AllowList,
    remote: Option<&RemoteAddress>,
) {
    if names.have(Names::CONNECTION) {
        leave_connection(headers);
    }
    if names.have(Names::OF_TRUSTED_HOPS) {
        strip(headers);
    }
    forwarding.apply(headers, names, listed, remote);
}

/// Takes out `Connection` and what it names, before anything is added: a caller who could name what a proxy adds, as
/// `X-Forwarded-For`, would take it away from whoever reads it further inside.
fn leave_connection(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .filter(|name| !KEPT.contains(&name.as_str()))
        .collect();
    for name in named {
        headers.remove(name);
    }
    headers.remove(CONNECTION);
}

fn strip(headers: &mut HeaderMap) {
    remove_all(headers, is_untrusted);
}

/// Removes the headers of these names.
pub(super) fn remove_all(headers: &mut HeaderMap, is_meant: impl Fn(&str) -> bool) {
    let names: Vec<HeaderName> = headers.keys().filter(|name| is_meant(name.as_str())).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// Whether a header (its name in lower case) must not pass. Of ours and of gRPC no name has `_`: one that a server behind
/// may read as such has it from a caller.
pub(super) fn is_untrusted(name: &str) -> bool {
    let said = dashed(name);
    (said.starts_with(OWN_PREFIX) && name != CONSISTENCY)
        || ((is_reserved_by_grpc(name) || (name != said && said.starts_with("grpc-")))
            && !name.starts_with(GRPC_GATEWAY_PREFIX))
}

/// Whether a header (its name in lower case) is gRPC's own, and not one that a caller may send.
pub(crate) fn is_reserved_by_grpc(name: &str) -> bool {
    name.starts_with("grpc-") && !GRPC_OF_CALLERS.contains(&name)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn nothing_passes_that_only_a_trusted_hop_may_say() {
        let mut headers = HeaderMap::new();
        let removed = [
            "x-millrace-user",
            "x-millrace-consistency-x",
            "x_millrace_caller",
            "x-millrace_consistency",
            "grpc_status",
            "grpc-previous-rpc-attempts",
            "grpc-trace-bin",
            "grpc-tags-bin",
            "grpc-status",
            "grpc-message",
            "grpc-status-details-bin",
            "grpc-retry-pushback-ms",
            "grpc-of-the-future",
        ];
        let kept = [
            "x-millrace-consistency",
            "authorization",
            "x-request-id",
            "grpc-timeout",
            "grpc-encoding",
            "grpc-accept-encoding",
            "grpc-metadata-colour",
            "x-api-key",
            "x-millraces",
        ];
        for name in removed.into_iter().chain(kept) {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("1"));
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("2"));
        }
        strip(&mut headers);
        for name in removed {
            assert!(!headers.contains_key(name), "{name} passed");
        }
        for name in kept {
            assert_eq!(headers.get_all(name).iter().count(), 2, "{name} was touched");
        }
    }

    #[test]
    fn what_a_caller_names_in_connection_goes_and_what_is_set_here_stays() {
        let mut headers = HeaderMap::new();
        let names = [
            "x-private",
            "x-request-id",
            "traceparent",
            "content-type",
            "te",
            "x-kept",
        ];
        for name in names {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("1"));
        }
        for value in ["close, X-Private, x-request-id", "traceparent,content-type, TE, (none)"] {
            headers.append(CONNECTION, HeaderValue::from_static(value));
        }
        leave_connection(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-type", "te", "traceparent", "x-kept", "x-request-id"]);
    }
}
