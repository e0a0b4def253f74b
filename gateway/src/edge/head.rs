//! What HTTP asks of the head of a request, whatever the request asks for (RFC 9112): one `Host`, and a body in no coding
//! that nobody here can undo. A head on which two readers may not agree is refused, and not interpreted: a proxy in front may
//! have read it otherwise.

use http::{Request, Version, header};

use crate::error::Failure;

/// Whether HTTP allows the head of a request, and its body can be read.
pub(crate) fn check<B>(request: &Request<B>) -> Result<(), Failure> {
    one_host(request)?;
    // Any list that ends in `chunked` tells where the body ends, and only that is undone: a body in gzip would be read as if
    // it were plain. (`TE`, of which the same is said at times, is about the answer, where all but `trailers` may be ignored.)
    let mut codings = request.headers().get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(only), None) if only.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Failure::unknown_transfer_coding()),
    }
}

fn one_host<B>(request: &Request<B>) -> Result<(), Failure> {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    match (request.version(), hosts) {
        // Equal ones too: whoever joins or picks them sees another host than the next one does.
        (_, 2..) => Err(Failure::bad_host("is given more than once")),
        // Also where the target names a host (RFC 9112, 3.2). Without one HTTP/1.0 is whole, and the layer that knows
        // the names of this server decides: where it has some, nameless is none of them.
        (Version::HTTP_11, 0) => Err(Failure::bad_host("is missing")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_has_one_host() {
        // HTTP/2 has its own place for it.
        for (version, hosts, expected) in [
            (Version::HTTP_11, &["a"][..], None),
            (Version::HTTP_11, &[], Some("header `host` is missing")),
            (
                Version::HTTP_11,
                &["a", "a"],
                Some("header `host` is given more than once"),
            ),
            (
                Version::HTTP_11,
                &["a", "b"],
                Some("header `host` is given more than once"),
            ),
            (Version::HTTP_10, &[], None),
            (
                Version::HTTP_10,
                &["a", "a"],
                Some("header `host` is given more than once"),
            ),
            (Version::HTTP_2, &[], None),
            (
                Version::HTTP_2,
                &["a", "a"],
                Some("header `host` is given more than once"),
            ),
        ] {
            let mut request = Request::builder().version(version).uri("http://a/");
            for host in hosts {
                request = request.header(header::HOST, *host);
            }
            let refused = check(&request.body(()).unwrap()).err();
            let message = refused.as_ref().map(|failure| failure.said.message.as_str());
            assert_eq!(message, expected, "{version:?} {hosts:?}");
        }
    }
}
