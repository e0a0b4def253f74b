//! B: which route, and the values of its variables.

use crate::fixture::routes;
use crate::schema::RouteError;

/// `R0 x=1 y=2`, or the refusal, for one request.
fn found(paths: &[&str], request: &str) -> String {
    let schema = routes(paths).unwrap();
    let (method, path) = request.split_once(' ').unwrap();
    match schema.find(method, path) {
        Ok(matched) => {
            let captures = matched.captures().map(|(field, value)| format!(" {field}={value}"));
            matched.method().descriptor().name().to_owned() + &captures.collect::<String>()
        }
        Err(RouteError::NotFound { .. }) => "404".to_owned(),
        Err(RouteError::MethodNotAllowed { allow }) => format!("405 {allow}"),
        Err(RouteError::BadPath) => "400".to_owned(),
    }
}

#[test]
fn paths() {
    let b03: &[&str] = &["GET /c/*/d/**"];
    let person: &[&str] = &["GET /person/{id}:verb", "GET /person/{id}/name"];
    let b26: &[&str] = &["GET /foo/{id}", "GET /foo/{id}:verb"];
    let b30: &[&str] = &[
        "GET /some/*:verb",
        "GET /some/const:verb",
        "GET /other/**:verb",
        "GET /other/**/const:verb",
    ];
    let b36: &[&str] = &["GET /files", "GET /files/{x=**}"];
    let b45: &[&str] = &["* /x/{id}", "GET /x/{a}"];
    for (id, paths, request, expected) in [
        ("B01", &["GET /**"][..], "GET /", "R0"),
        ("B01", &["GET /**"], "GET /a", "R0"),
        ("B01", &["GET /**"], "GET /a/", "R0"),
        ("B03", b03, "GET /b/c/d", "404"),
        ("B03", b03, "GET /c/x/y/d/z", "404"),
        ("B03", b03, "GET /c//v/d/w", "404"),
        (
            "B04",
            &["GET /{x=a/*}/b/{y=*}/c"],
            "GET /a/hello/b/world/c",
            "R0 x=a/hello y=world",
        ),
        (
            "B06",
            &["GET /alpha/{x=*}/beta/{y=**}/gamma"],
            "GET /alpha/dog/beta/eat/bones/gamma",
            "R0 x=dog y=eat/bones",
        ),
        ("B07", &["GET /{x=**}/a/b"], "GET /foo/bar/a/b", "R0 x=foo/bar"),
        ("B09", &["GET /{x}"], "GET /%00", "400"),
        ("B09", &["GET /{x}"], "GET /%7e", "R0 x=~"),
        (
            "B10",
            &["GET /a/{x=p/*/q/*}/c"],
            "GET /a/p/foo%20foo/q/bar%2Fbar/c",
            "R0 x=p/foo foo/q/bar%2Fbar",
        ),
        (
            "B15",
            &["GET /foo/{id}/bar"],
            "GET /foo/ok%2fwith%2Fspace/bar",
            "R0 id=ok/with/space",
        ),
        (
            "B16",
            &["GET /foo/{id=**}"],
            "GET /foo/ok%2fwith%2Fspace",
            "R0 id=ok%2fwith%2Fspace",
        ),
        ("B18", &["GET /foo/{id}"], "GET /foo/%2541", "R0 id=%41"),
        ("B19", &["GET /foo/{id}"], "GET /foo/%zz", "400"),
        ("B19", &["GET /foo/{id}"], "GET /foo/%2", "400"),
        (
            "B21",
            &["GET /pct/{x=*/suffix}"],
            "GET /pct/A%2Fb/suffix",
            "R0 x=A%2Fb/suffix",
        ),
        (
            "B22",
            &["GET /foo/bar/*/{a}/{c=**}"],
            "GET /foo/bar/baz/%2f/%2A/%2f",
            "R0 a=/ c=*/%2f",
        ),
        ("B24", person, "GET /person/jason:verb/name", "R1 id=jason:verb"),
        ("B25", &["GET /foo/{a}"], "GET /foo/other:verb", "R0 a=other:verb"),
        ("B26", b26, "GET /foo/bar:verb", "R1 id=bar"),
        ("B27", b26, "GET /foo/bar%3Averb", "R0 id=bar:verb"),
        (
            "B28",
            &["GET /{a=*}/{b=*}:verb"],
            "GET /some:verb/const:verb",
            "R0 a=some:verb b=const",
        ),
        ("B30", b30, "GET /some/const:verb", "R1"),
        ("B30", b30, "GET /some/other:verb", "R0"),
        ("B30", b30, "GET /other/bar/foo/const:verb", "R3"),
        ("B30", b30, "GET /some/other:verb/", "404"),
        (
            "B31",
            &["POST /foo/{id}:verb:subverb"],
            "POST /foo/bar:verb:subverb",
            "R0 id=bar",
        ),
        ("B33", &["GET /trailing/**:slash"], "GET /trailing/:slash", "R0"),
        ("B33", &["GET /trailing/**:slash"], "GET /trailing:slash", "404"),
        ("B34", &["GET /verb"], "GET /verb:", "404"),
        ("B36", b36, "GET /files", "R0"),
        ("B36", b36, "GET /files/a.txt", "R1 x=a.txt"),
        ("B37", &["POST /v1/foo", "GET /v1/{x}"], "GET /v1/foo", "R1 x=foo"),
        ("B40", &["GET /foo"], "GET /foo/", "404"),
        ("B42", &["GET /foo"], "DELETE /foo", "405 GET, HEAD, OPTIONS"),
        (
            "B43",
            &["POST /foo/{id}:archive"],
            "DELETE /foo/bar:archive",
            "405 POST, OPTIONS",
        ),
        ("B45", &["* /x/{id}"], "PROPFIND /x/1", "R0 id=1"),
        ("B45", &["* /x/{id}"], "GET /x/1", "R0 id=1"),
        ("B45", b45, "GET /x/1", "R1 a=1"),
        ("B46", &["* /x:do"], "GET /x:do", "R0"),
        ("B46", &["* /x:do"], "GET /x", "404"),
        ("B48", &["POST /foo"], "POST foo", "400"),
    ] {
        assert_eq!(found(paths, request), expected, "{id}: {request}");
    }
    // B12 and B13 are with the options (`settings`), B39 with the router (`route`).
}

/// B49: one RPC, each path with fields of its own.
#[test]
fn additional_bindings() {
    use crate::fixture::{load, rule};

    let mut two = rule("Routes.R0", "GET /a/{x}", "");
    two.additional = vec![rule("Routes.R0", "POST /b/{y}", "*")];
    let schema = load(vec![two]).unwrap();
    super::check(
        &schema,
        &[
            ("B49", "GET /a/1", "", r#"{"x":"1"}"#),
            ("B49", "POST /b/1", r#"{"x":"2"}"#, r#"{"x":"2","y":"1"}"#),
        ],
    );
}
