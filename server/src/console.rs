//! The page at `/` and its files, embedded from `server/console/dist/`.
//!
//! The bundle is committed, so that building the server needs no Node; a test builds it again and compares. The page
//! speaks gRPC-Web to the origin that served it and to no other, and the headers here hold it to that.

use std::fmt::Write as _;
use std::sync::LazyLock;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use sha2::{Digest, Sha256};

/// What the page may do: load and call its own origin only, run no inline script, be framed by nobody.
const POLICY: &str = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Headers of every file.
const HEADERS: [(HeaderName, &str); 5] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (CACHE_CONTROL, "no-cache"),
];

/// Names in an address, content types, contents.
const FILES: [(&str, &str, &[u8]); 5] = [
    (
        "/",
        "text/html; charset=utf-8",
        include_bytes!("../console/dist/index.html"),
    ),
    (
        "/app.js",
        "text/javascript; charset=utf-8",
        include_bytes!("../console/dist/app.js"),
    ),
    (
        "/app.css",
        "text/css; charset=utf-8",
        include_bytes!("../console/dist/app.css"),
    ),
    (
        "/icon.svg",
        "image/svg+xml; charset=utf-8",
        include_bytes!("../console/dist/icon.svg"),
    ),
    (
        "/licenses.txt",
        "text/plain; charset=utf-8",
        include_bytes!("../console/dist/licenses.txt"),
    ),
];

/// A strong entity tag for each of [`FILES`]: its SHA-256, shortened.
static ETAGS: LazyLock<[HeaderValue; FILES.len()]> = LazyLock::new(|| FILES.map(|(.., body)| etag(body)));

/// Answers a GET or HEAD of a file of the page; `None` if the path is none of them.
///
/// The names do not change with the content, so a browser asks each time, and gets 304 while its copy is right.
pub fn respond(request: &Parts) -> Option<Response<Bytes>> {
    if !matches!(request.method, Method::GET | Method::HEAD) {
        return None;
    }
    let index = FILES.iter().position(|(path, ..)| *path == request.uri.path())?;
    let (_, content_type, body) = FILES[index];
    let etag = &ETAGS[index];

    let mut response = Response::new(Bytes::from_static(body));
    if holds(request, etag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Bytes::new();
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(ETAG, etag.clone());
    Some(response)
}

/// Whether the browser says that it has the file with this tag (RFC 9110, 13.1.2: a weak mark does not matter).
fn holds(request: &Parts, etag: &HeaderValue) -> bool {
    let lists = request.headers.get_all(IF_NONE_MATCH).iter();
    lists
        .flat_map(|list| list.as_bytes().split(|byte| *byte == b','))
        .map(|tag| tag.trim_ascii())
        .any(|tag| tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == etag.as_bytes())
}

fn etag(body: &[u8]) -> HeaderValue {
    let mut tag = String::from("\"");
    for byte in &Sha256::digest(body)[..12] {
        // Writing to a string cannot fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    HeaderValue::from_str(&tag).expect("hexadecimal digits and quotes are valid in a header")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str, if_none_match: Option<&str>) -> Option<Response<Bytes>> {
        let mut request = http::Request::get(path);
        if let Some(tags) = if_none_match {
            request = request.header(IF_NONE_MATCH, tags);
        }
        respond(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn only_the_files_of_the_page_are_found() {
        for (path, content_type) in [
            ("/", Some("text/html; charset=utf-8")),
            ("/?api=http://127.0.0.1:9000", Some("text/html; charset=utf-8")),
            ("/app.js", Some("text/javascript; charset=utf-8")),
            ("/index.html", None),
            ("/app.js/", None),
            ("//app.js", None),
            ("/../Cargo.toml", None),
        ] {
            let response = get(path, None);
            let found = response
                .as_ref()
                .map(|response| response.headers()[CONTENT_TYPE].to_str().unwrap());
            assert_eq!(found, content_type, "{path}");
        }
    }

    #[test]
    fn the_page_is_only_read() {
        for (method, found) in [("GET", true), ("HEAD", true), ("POST", false), ("OPTIONS", false)] {
            let request = http::Request::builder().method(method).uri("/").body(()).unwrap();
            assert_eq!(respond(&request.into_parts().0).is_some(), found, "{method}");
        }
    }

    #[test]
    fn every_file_is_held_to_its_origin() {
        for (path, ..) in FILES {
            let response = get(path, None).unwrap();
            let headers = response.headers();
            assert_eq!(headers[CONTENT_SECURITY_POLICY].to_str().unwrap(), POLICY, "{path}");
            assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
            assert_eq!(headers[CACHE_CONTROL], "no-cache", "{path}");
            assert!(!response.body().is_empty(), "{path}");
        }
    }

    #[test]
    fn a_copy_that_is_right_is_not_sent_again() {
        let etag = get("/app.js", None).unwrap().headers()[ETAG]
            .to_str()
            .unwrap()
            .to_owned();
        let other = get("/app.css", None).unwrap().headers()[ETAG]
            .to_str()
            .unwrap()
            .to_owned();
        for (tags, status) in [
            (etag.clone(), 304),
            (format!("W/{etag}"), 304),
            (format!("{other}, {etag}"), 304),
            ("*".to_owned(), 304),
            (other, 200),
            (etag.trim_matches('"').to_owned(), 200),
            (String::new(), 200),
        ] {
            let response = get("/app.js", Some(&tags)).unwrap();
            assert_eq!(response.status().as_u16(), status, "{tags}");
            assert_eq!(response.body().is_empty(), status == 304, "{tags}");
            assert_eq!(response.headers()[ETAG], etag.as_str(), "{tags}");
        }
    }

    /// What the content security policy would refuse is not there in the first place.
    #[test]
    fn the_html_is_inert_and_names_only_embedded_files() {
        let body = get("/", None).unwrap().into_body();
        let html = std::str::from_utf8(&body).unwrap();
        for forbidden in [
            "<style",
            " style=",
            " onload=",
            "javascript:",
            "http://",
            "https://",
            "<base",
            "<form",
        ] {
            assert!(!html.contains(forbidden), "{forbidden}");
        }
        assert_eq!(html.matches("<script").count(), 1);
        let pieces: Vec<_> = html.split('"').collect();
        let named = pieces
            .windows(2)
            .filter(|pair| pair[0].ends_with(" href=") || pair[0].ends_with(" src="));
        let named: Vec<_> = named.map(|pair| pair[1]).collect();
        assert_eq!(named, ["icon.svg", "app.css", "app.js"]);
        for name in named {
            assert!(get(&format!("/{name}"), None).is_some(), "{name}");
        }
    }
}
