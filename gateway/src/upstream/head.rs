//! The head of a call as the server sees it, made in one look at the caller's.

use base64::Engine;
use http::HeaderName;
use http::header::CONNECTION;
use http::request::Parts;

use crate::deadline::GRPC_TIMEOUT;
use crate::edge::is_reserved_by_grpc;
use crate::metadata::{LENIENT, is_binary_name};
use crate::upstream::fault::Fault;
use crate::upstream::hop::{is_of_the_hop, strip_hop};
use crate::upstream::http2::Block;

/// All of a head but what is left of the deadline, and what is common to all calls to the server.
///
/// What is no base64 where it must be is refused: servers on gRPC's C core remember of a name in the connection's table
/// that its value was malformed, and refuse each later call that says the name, whoever makes it.
pub(super) fn block(mut head: Parts) -> Result<Block, Fault> {
    if head.headers.contains_key(CONNECTION) {
        strip_hop(&mut head.headers);
    }
    // Without a query, of which gRPC knows nothing: whoever decided that this call may pass has looked at the path, and a
    // server that takes the method from behind the last `/` would find another one in `?/Other`.
    let mut block = Block::new(head.uri.path(), head.headers.len());
    for (name, value) in &head.headers {
        if is_of_the_hop(name) || is_reserved_by_grpc(name.as_str()) || *name == GRPC_TIMEOUT {
            continue;
        }
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
    Ok(block)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    fn block_of(headers: &[(&'static str, &str)]) -> Result<Block, Fault> {
        let (mut parts, ()) = http::Request::get("http://caller/a.A/Get?/Other")
            .body(())
            .unwrap()
            .into_parts();
        parts.headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        block(parts)
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
    fn a_mark_that_a_value_is_sensitive_stays() {
        let (mut parts, ()) = http::Request::get("/").body(()).unwrap().into_parts();
        let mut secret = HeaderValue::from_bytes(b"caf\xc3\xa9").unwrap();
        secret.set_sensitive(true);
        parts.headers.insert("authorization", secret.clone());
        parts.headers.insert("x-a", HeaderValue::from_static("1"));
        let headers = block(parts).unwrap().headers();
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
