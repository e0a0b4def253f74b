//! The head of a call as the server sees it, made in one look at the caller's.

use base64::Engine;
use http::header::{CONNECTION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Request};

use crate::answer::GRPC;
use crate::call::CallRecord;
use crate::deadline::GRPC_TIMEOUT;
use crate::edge::is_reserved_by_grpc;
use crate::metadata::{AllowList, LENIENT, is_binary_name};
use crate::upstream::fault::Fault;
use crate::upstream::hop::{is_of_the_hop, strip_hop};
use crate::upstream::http2::Block;

/// How many headers the record of a call adds at most: only room is made for them.
const ADDED_MAX: usize = 3;

/// What the server is to know of a call, and what of its head is for the gateway.
pub(super) struct Head {
    /// All but what is left of the deadline, and what is common to all calls to the server.
    pub(super) block: Block,
    /// The caller's deadline, as `grpc-timeout`.
    pub(super) timeout: Option<HeaderValue>,
}

impl Head {
    /// Reads the head of a request.
    ///
    /// What is no base64 where it must be is refused: servers on gRPC's C core remember of a name in the connection's
    /// table that its value was malformed, and refuse each later call that says the name, whoever makes it.
    pub(super) fn of<B>(
        mut request: Request<B>,
        listed: Option<&AllowList>,
        adds: Option<&CallRecord>,
    ) -> Result<Self, Fault> {
        if request.headers().keys().any(|name| *name == CONNECTION) {
            strip_hop(request.headers_mut());
        }
        // Without a query, of which gRPC knows nothing: whoever decided that this call may pass has looked at the path,
        // and a server that takes the method from behind the last `/` would find another one in `?/Other`.
        let mut block = Block::new(request.uri().path(), request.headers().len() + ADDED_MAX);
        let (mut timeout, mut is_typed) = (None, false);
        for (name, value) in request.headers() {
            let text = name.as_str();
            if text == GRPC_TIMEOUT.as_str() {
                // Of several the first counts.
                timeout.get_or_insert_with(|| value.clone());
                continue;
            }
            if listed.is_some_and(|list| !list.lists(name)) || is_of_the_hop(name) || is_reserved_by_grpc(text) {
                continue;
            }
            is_typed |= *name == CONTENT_TYPE;
            if !is_binary_name(name) {
                block.put(name, value);
                continue;
            }
            // Binary values may be joined (gRPC over HTTP/2, `Custom-Metadata`), and not all servers take them apart.
            for part in value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                if LENIENT.decode(part).is_err() {
                    return Err(Fault::MalformedBinary(HeaderName::clone(name)));
                }
                block.put_bytes(name, part, value.is_sensitive());
            }
        }
        if !is_typed {
            block.put_bytes(&CONTENT_TYPE, GRPC.as_bytes(), false);
        }
        for (name, value) in adds.into_iter().flat_map(CallRecord::added) {
            block.put(&name, value);
        }
        Ok(Self { block, timeout })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::call::Added;

    fn block_of(headers: &[(&'static str, &str)]) -> Result<Block, Fault> {
        let mut request = Request::get("http://caller/a.A/Get?/Other").body(()).unwrap();
        *request.headers_mut() = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        Head::of(request, None, None).map(|head| head.block)
    }

    /// What the server reads, by name; of each name in order.
    fn said(block: &Block) -> Vec<(String, String)> {
        let headers: HeaderMap = block.headers();
        let mut said: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        said.sort_by(|(one, _), (other, _)| one.cmp(other));
        said
    }

    #[test]
    fn what_is_not_for_the_server_goes() {
        let te = ("te", "trailers");
        let table = [
            (&[te, ("x-a", "1")][..], &[("x-a", "1")][..]),
            (&[("x-a", "1"), ("x-a", "2")], &[("x-a", "1"), ("x-a", "2")]),
            (&[("te", "gzip"), te, ("content-length", "3"), ("host", "caller")], &[]),
            (&[("content-type", "application/grpc")], &[]),
            (
                &[("content-type", "application/grpc+proto")],
                &[("content-type", "application/grpc+proto")],
            ),
            (
                &[
                    ("connection", "x-b, Keep-Alive"),
                    ("grpc-status", "0"),
                    te,
                    ("grpc-timeout", "1H"),
                    ("x-b", "1"),
                    ("x-request-id", "r"),
                ],
                &[("x-request-id", "r")],
            ),
        ];
        for (sent, expected) in table {
            let block = block_of(sent).unwrap();
            let expected: Vec<_> = expected
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            assert_eq!((said(&block), block.path()), (expected, "/a.A/Get"), "{sent:?}");
        }
    }

    #[test]
    fn what_is_listed_goes_in_and_what_the_call_adds_once() {
        let value = HeaderValue::from_static;
        let added = Added {
            request_id: true,
            traceparent: true,
            forwarded_for: Some(value("::1")),
            ..Added::default()
        };
        let record = CallRecord::opened(
            value("r"),
            value("t"),
            Default::default(),
            Default::default(),
            None,
            added,
        );
        let mut request = Request::get("/").body(()).unwrap();
        for name in ["accept", "x-listed", "x-other", "grpc-timeout"] {
            request.headers_mut().insert(name, value("1S"));
        }
        let list = AllowList::with(&["x-listed".to_owned()]);
        let head = Head::of(request, Some(&list), Some(&record)).unwrap();
        let expected = [
            ("traceparent", "t"),
            ("x-forwarded-for", "::1"),
            ("x-listed", "1S"),
            ("x-request-id", "r"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(
            (said(&head.block), head.timeout),
            (expected.to_vec(), Some(value("1S")))
        );
    }

    #[test]
    fn a_mark_that_a_value_is_sensitive_stays() {
        let mut request = Request::get("/").body(()).unwrap();
        let mut secret = HeaderValue::from_bytes(b"caf\xc3\xa9").unwrap();
        secret.set_sensitive(true);
        request.headers_mut().insert("authorization", secret.clone());
        request.headers_mut().insert("x-a", HeaderValue::from_static("1"));
        let head = Head::of(request, None, None).unwrap();
        let headers = head.block.headers();
        assert_eq!(headers["authorization"], secret);
        assert!(headers["authorization"].is_sensitive() && !headers["x-a"].is_sensitive());
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
            let sent: Vec<_> = sent.iter().map(|value| ("x-b-bin", *value)).collect();
            match (block_of(&sent), expected) {
                (Ok(block), Some(expected)) => {
                    let found: Vec<_> = said(&block).into_iter().map(|(_, value)| value).collect();
                    assert_eq!(found, expected, "{sent:?}");
                }
                (Err(Fault::MalformedBinary(name)), None) => assert_eq!(name, "x-b-bin"),
                (found, _) => panic!("{sent:?}: {found:?}"),
            }
        }
    }
}
