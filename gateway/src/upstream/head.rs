//! The head of a call as the server sees it: made in one look at the caller's, and kept for a second attempt, since h2
//! takes what it sends.

use base64::Engine;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, header};
use smallvec::SmallVec;

use crate::deadline::GRPC_TIMEOUT;
use crate::edge::is_reserved_by_grpc;
use crate::metadata::{LENIENT, is_binary_name};
use crate::upstream::address::Address;
use crate::upstream::fault::Fault;
use crate::upstream::hop::{is_of_the_hop, strip, strip_hop};

/// Headers that are kept without memory of their own.
const INLINE_HEADERS: usize = 8;

/// All of a head but what is left of the deadline.
pub(super) struct Head {
    uri: Uri,
    /// For the first attempt.
    headers: Option<HeaderMap>,
    /// The same for those after it, in parts that share their bytes: nearly every one is thrown away, and a second map
    /// costs more.
    kept: SmallVec<[(HeaderName, HeaderValue); INLINE_HEADERS]>,
    /// Whether somebody else had marked a header that is new in each call: such a mark is never taken off.
    is_marked: bool,
}

impl Head {
    pub(super) fn of(mut head: Parts, address: &Address) -> Result<Self, Fault> {
        // Without a query, of which gRPC knows nothing: whoever decided that this call may pass has looked at the path, and a
        // server that takes the method from behind the last `/` would find another one in `?/Other`.
        let mut uri = head.uri.into_parts();
        uri.scheme = Some(address.scheme.clone());
        uri.authority = Some(address.authority.clone());
        uri.path_and_query = match uri.path_and_query {
            Some(path) if path.query().is_none() => Some(path),
            Some(path) => Some(PathAndQuery::try_from(path.path()).map_err(|error| Fault::Unsendable(error.into()))?),
            None => Some(PathAndQuery::from_static("/")),
        };
        let uri = Uri::from_parts(uri).map_err(|error| Fault::Unsendable(error.into()))?;
        let is_marked = to_server(&mut head.headers)?;
        let kept = head.headers.iter();
        Ok(Self {
            uri,
            kept: kept.map(|(name, value)| (name.clone(), value.clone())).collect(),
            headers: Some(head.headers),
            is_marked,
        })
    }

    /// The request, with what is left of the deadline.
    ///
    /// In the first on a connection everything goes into HTTP/2's table: of what later ones must not put there, the name
    /// then is there to refer to.
    pub(super) fn request(&mut self, left: HeaderValue, is_first: bool) -> Request<()> {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.take().unwrap_or_else(|| self.again());
        if is_first && !self.is_marked {
            unmark(request.headers_mut());
        }
        request.headers_mut().insert(GRPC_TIMEOUT, left);
        request
    }

    fn again(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(self.kept.len() + 1);
        for (name, value) in &self.kept {
            headers.append(name, value.clone());
        }
        headers
    }
}

/// Makes a caller's headers those that the server gets. Whether one of those that are new in each call was marked
/// sensitive before.
///
/// What is no base64 where it must be is refused: servers on gRPC's C core remember of a name in the connection's table
/// that its value was malformed, and refuse each later call that says the name, whoever makes it.
fn to_server(headers: &mut HeaderMap) -> Result<bool, Fault> {
    let (mut is_clean, mut has_te, mut has_joined, mut is_marked) = (true, false, false, false);
    for (name, value) in headers.iter_mut() {
        if *name == header::TE && *value == "trailers" && !has_te {
            has_te = true;
        } else if is_of_the_hop(name) || is_reserved(name) {
            is_clean = false;
        } else if is_new_each_time(name) {
            is_marked |= value.is_sensitive();
            value.set_sensitive(true);
        } else if is_binary_name(name) {
            let mut parts = parts_of(value);
            if !parts.all(|part| LENIENT.decode(part).is_ok()) {
                return Err(Fault::MalformedBinary(name.clone()));
            }
            has_joined |= value.as_bytes().contains(&b',');
        }
    }
    if has_joined {
        split_joined(headers);
    }
    if !is_clean {
        strip_hop(headers);
        strip(headers, is_reserved);
        has_te = false;
    }
    if !has_te {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    Ok(is_marked)
}

/// The values of one binary header, which may be joined (gRPC over HTTP/2, `Custom-Metadata`).
fn parts_of(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// Makes headers of their own of joined binary values, since not all servers take them apart.
fn split_joined(headers: &mut HeaderMap) {
    let names: Vec<_> = headers.keys().filter(|name| is_binary_name(name)).cloned().collect();
    for name in names {
        let values: Vec<_> = headers
            .get_all(&name)
            .iter()
            .flat_map(parts_of)
            .filter_map(|part| HeaderValue::from_bytes(part).ok())
            .collect();
        headers.remove(&name);
        for value in values {
            headers.append(&name, value);
        }
    }
}

/// Lets headers that are new in each call into HTTP/2's table.
fn unmark(headers: &mut HeaderMap) {
    for (_, value) in headers.iter_mut().filter(|(name, _)| is_new_each_time(name)) {
        value.set_sensitive(false);
    }
}

/// What gRPC keeps for itself and a caller has no say in.
fn is_reserved(name: &HeaderName) -> bool {
    is_reserved_by_grpc(name.as_str())
}

/// Whether a header has another value in each call, or with each caller. HTTP/2 is told to keep these out of its table
/// (RFC 7541, 6.2.3): there they would only be in the way of those that come again, and each call would be compared with
/// the values of many before it. The table is the connection's, and so all callers' in common.
fn is_new_each_time(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "baggage" | "idempotency-key" | "traceparent" | "tracestate" | "x-forwarded-for" | "x-request-id"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(headers: HeaderMap) -> Head {
        let address = Address::parse("http://server:1").unwrap();
        let (mut parts, ()) = Request::get("/a.A/Get?/Other").body(()).unwrap().into_parts();
        parts.headers = headers;
        Head::of(parts, &address.called(None).unwrap()).unwrap()
    }

    #[test]
    fn each_attempt_has_the_same_headers() {
        let mut headers = HeaderMap::new();
        for index in 0..30 {
            let name = HeaderName::try_from(format!("x-{}", index % 20)).unwrap();
            let mut value = HeaderValue::from_bytes(&vec![b'a' + index; usize::from(index) * 3]).unwrap();
            value.set_sensitive(index % 7 == 0);
            headers.append(name, value);
        }
        headers.append("authorization", HeaderValue::from_bytes(b"caf\xc3\xa9").unwrap());
        let mut head = head(headers.clone());
        headers.insert("te", HeaderValue::from_static("trailers"));
        headers.insert("grpc-timeout", HeaderValue::from_static("1S"));
        let sensitive = |headers: &HeaderMap| headers.values().filter(|value| value.is_sensitive()).count();
        for _ in 0..3 {
            let request = head.request(HeaderValue::from_static("1S"), false);
            assert_eq!(request.uri(), "http://server:1/a.A/Get");
            assert_eq!(request.headers(), &headers);
            assert_eq!(sensitive(request.headers()), sensitive(&headers));
        }
    }

    #[test]
    fn the_first_call_on_a_connection_makes_the_names_known() {
        let name = HeaderName::from_static("x-request-id");
        let mut head = head(HeaderMap::from_iter([(name.clone(), HeaderValue::from_static("r"))]));
        for is_first in [true, false, true] {
            let request = head.request(HeaderValue::from_static("1S"), is_first);
            assert_eq!(request.headers()[&name].is_sensitive(), !is_first);
        }
        let mut secret = HeaderValue::from_static("r");
        secret.set_sensitive(true);
        let mut head = self::head(HeaderMap::from_iter([(name.clone(), secret)]));
        let request = head.request(HeaderValue::from_static("1S"), true);
        assert!(request.headers()[&name].is_sensitive(), "it was somebody's wish");
    }

    #[test]
    fn what_is_not_for_the_server_goes_and_what_is_new_in_each_call_stays_out_of_the_table() {
        let te = ("te", "trailers");
        let many = [
            ("connection", "x-b"),
            ("grpc-status", "0"),
            te,
            ("traceparent", "t"),
            te,
            ("x-b", "1"),
            ("x-request-id", "r"),
        ];
        let cases = [
            (&[te, ("x-a", "1")][..], &[("te", false), ("x-a", false)][..]),
            (&[("x-a", "1")], &[("te", false), ("x-a", false)]),
            (&[("te", "gzip"), te, ("content-length", "3")], &[("te", false)]),
            (&many, &[("te", false), ("traceparent", true), ("x-request-id", true)]),
        ];
        for (sent, expected) in cases {
            let mut headers = HeaderMap::new();
            for (name, value) in sent {
                headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
            }
            to_server(&mut headers).unwrap();
            assert_eq!(headers["te"], "trailers");
            let found = headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.is_sensitive()));
            let mut found: Vec<_> = found.collect();
            found.sort_unstable();
            assert_eq!(found, expected, "{sent:?}");
        }
    }

    #[test]
    fn binary_headers_are_base64_and_each_for_itself() {
        let table: [(&[&str], Option<&[&str]>); 7] = [
            (&["AQI", "AQI=", ""], Some(&["AQI", "AQI=", ""])),
            (&["AQI, AQ==,"], Some(&["AQI", "AQ==", ""])),
            (&["AQI", "Ag,Aw"], Some(&["AQI", "Ag", "Aw"])),
            (&["1"], None),
            (&["AQI", "A Q"], None),
            (&["AQI,1"], None),
            (&["A_-B"], None),
        ];
        for (sent, expected) in table {
            let mut headers = HeaderMap::new();
            for value in sent {
                headers.append("x-b-bin", value.parse().unwrap());
            }
            let made = to_server(&mut headers);
            let found: Vec<_> = headers
                .get_all("x-b-bin")
                .iter()
                .map(|value| value.to_str().unwrap())
                .collect();
            match expected {
                Some(expected) => assert!(made.is_ok() && found == expected, "{sent:?}: {found:?}"),
                None => assert!(
                    matches!(made, Err(Fault::MalformedBinary(name)) if name == "x-b-bin"),
                    "{sent:?}"
                ),
            }
        }
    }
}
