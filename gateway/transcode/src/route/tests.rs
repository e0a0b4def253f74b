//! Look-ups: one table for each rule of precedence.

use crate::fixture::routes;
use crate::load::LoadError;
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

fn check(cases: &[(&[&str], &str, &str)]) {
    for (paths, request, expected) in cases {
        assert_eq!(found(paths, request), *expected, "{paths:?} {request}");
    }
}

#[test]
fn a_path_with_a_double_wildcard_is_suggested_too() {
    let paths = &[
        "GET /v1/files/{name=**}",
        "GET /v1/docs/{name=**}/history",
        "POST /v1/docs/{name=**}:publish",
        "GET /v1/users/{id}",
    ];
    let schema = routes(paths).unwrap();
    for (request, expected) in [
        ("GET /v1/fiels/a/b/c", Some("GET /v1/files/{name=**}")),
        ("GET /v1/file", Some("GET /v1/files/{name=**}")),
        ("GET /v1/docs/a/b/histroy", Some("GET /v1/docs/{name=**}/history")),
        ("GET /v1/dcos/a/b/history", Some("GET /v1/docs/{name=**}/history")),
        ("POST /v1/docs/a/b:publsh", Some("POST /v1/docs/{name=**}:publish")),
        ("GET /v1/user/7", Some("GET /v1/users/{id}")),
        ("GET /v2/nothing/like/it", None),
    ] {
        let (method, path) = request.split_once(' ').unwrap();
        match schema.find(method, path) {
            Err(RouteError::NotFound { did_you_mean }) => assert_eq!(did_you_mean.as_deref(), expected, "{request}"),
            other => panic!("{request}: {other:?}"),
        }
    }
}

#[test]
fn wildcards() {
    check(&[
        (&["GET /**"], "GET /", "R0"),
        (&["GET /**"], "GET /a", "R0"),
        (&["GET /**"], "GET /a/", "R0"),
        (&["GET /"], "GET /", "R0"),
        (&["GET /"], "GET /a", "404"),
        (&["GET /c/*/d/**"], "GET /b/c/d", "404"),
        (&["GET /c/*/d/**"], "GET /c/x/y/d/z", "404"),
        (&["GET /c/*/d/**"], "GET /c//d/w", "404"),
        (&["GET /c/*/d/**"], "GET /c/v/d", "R0"),
        (&["GET /c/*/d/**"], "GET /c/v/d/w/x", "R0"),
        (
            &["GET /{x=a/*}/b/{y=*}/c"],
            "GET /a/hello/b/world/c",
            "R0 x=a/hello y=world",
        ),
        (
            &["GET /alpha/{x=*}/beta/{y=**}/gamma"],
            "GET /alpha/dog/beta/eat/bones/gamma",
            "R0 x=dog y=eat/bones",
        ),
        (
            &["GET /alpha/{x=*}/beta/{y=**}/gamma"],
            "GET /alpha/dog/beta/gamma",
            "R0 x=dog y=",
        ),
        (&["GET /{x=**}/a/b"], "GET /foo/bar/a/b", "R0 x=foo/bar"),
        (&["GET /a/{x=b/**/c}/d"], "GET /a/b/1/2/c/d", "R0 x=b/1/2/c"),
        (&["GET /{sub.sub.x}"], "GET /v", "R0 sub.sub.x=v"),
        (&["GET /foo"], "GET /foo/", "404"),
        (&["GET /foo"], "GET /Foo", "404"),
        (&["GET /foo/{id}"], "GET /foo/", "404"),
    ]);
}

#[test]
fn decoding() {
    check(&[
        (
            &["GET /a/{x=p/*/q/*}/c"],
            "GET /a/p/foo%20foo/q/bar%2Fbar/c",
            "R0 x=p/foo foo/q/bar%2Fbar",
        ),
        (
            &["GET /a/{x=*}/{y=**}/c"],
            "GET /a/%21%23%2F%3A/%21%23%2F%3A%2f/c",
            "R0 x=!#/: y=!#%2F:%2f",
        ),
        (
            &["GET /foo/{id}/bar"],
            "GET /foo/ok%2fwith%2Fspace/bar",
            "R0 id=ok/with/space",
        ),
        (
            &["GET /foo/{id=**}"],
            "GET /foo/ok%2fwith%2Fspace",
            "R0 id=ok%2fwith%2Fspace",
        ),
        (&["GET /foo/{id}"], "GET /foo/%2541", "R0 id=%41"),
        (&["GET /foo/{id}"], "GET /foo/a+b", "R0 id=a+b"),
        (&["GET /foo/{id}"], "GET /foo/%zz", "400"),
        (&["GET /foo/{id}"], "GET /foo/%2", "400"),
        (&["GET /foo/{id}"], "GET /foo/%ff", "400"),
        (&["GET /foo/{id}"], "GET /foo/%00", "400"),
        (&["GET /foo/{id}"], "GET foo", "400"),
        (&["GET /{x=*/suffix}"], "GET /A%2Fb/suffix", "R0 x=A%2Fb/suffix"),
        (
            &["GET /foo/bar/*/{a}/{c=**}"],
            "GET /foo/bar/baz/%2f/%2A/%2f",
            "R0 a=/ c=*/%2f",
        ),
        (&["GET /foo%2Fbar/%2A"], "GET /foo%2fbar/%2a", "R0"),
        (&["GET /~user"], "GET /%7Euser", "R0"),
        (&["GET /foo/{id}"], "GET /foo/..", "R0 id=.."),
    ]);
    for byte in 1..=0x7f_u8 {
        for text in [format!("GET /%{byte:02x}"), format!("GET /%{byte:02X}")] {
            assert_eq!(found(&["GET /{x}"], &text), format!("R0 x={}", char::from(byte)));
        }
    }
}

#[test]
fn verbs() {
    let mixed: &[&str] = &[
        "GET /some/*:verb",
        "GET /some/const:verb",
        "GET /other/**:verb",
        "GET /other/**/const:verb",
    ];
    check(&[
        (
            &["GET /person/{id}:verb", "GET /person/{id}/name"],
            "GET /person/jason:verb",
            "R0 id=jason",
        ),
        (
            &["GET /person/{id}:verb", "GET /person/{id}/name"],
            "GET /person/jason:verb/name",
            "R1 id=jason:verb",
        ),
        (&["GET /foo/{a}"], "GET /foo/other:verb", "R0 a=other:verb"),
        (
            &["GET /foo/{id}", "GET /foo/{id}:verb"],
            "GET /foo/bar:verb",
            "R1 id=bar",
        ),
        (
            &["GET /foo/{id}", "GET /foo/{id}:verb"],
            "GET /foo/bar%3Averb",
            "R0 id=bar:verb",
        ),
        (&["GET /foo/{id}", "GET /foo/{id}:verb"], "GET /foo/a:b", "R0 id=a:b"),
        (
            &["GET /foo/{id}", "GET /foo/{id}:verb"],
            "GET /foo/a:b:verb",
            "R1 id=a:b",
        ),
        (
            &["GET /{a=*}/{b=*}:verb"],
            "GET /some:verb/const:verb",
            "R0 a=some:verb b=const",
        ),
        (mixed, "GET /some/const:verb", "R1"),
        (mixed, "GET /some/other:verb", "R0"),
        (mixed, "GET /other/bar/foo/const:verb", "R3"),
        (mixed, "GET /other/bar/foo:verb", "R2"),
        (mixed, "GET /some/other:verb/", "404"),
        (
            &["POST /foo/{id}:verb:subverb"],
            "POST /foo/bar:verb:subverb",
            "R0 id=bar",
        ),
        (
            &["POST /foo/{id}:b", "POST /foo/{id}:a:b"],
            "POST /foo/x:a:b",
            "R1 id=x",
        ),
        (&["GET /trailing/**:slash"], "GET /trailing/:slash", "R0"),
        (&["GET /trailing/**:slash"], "GET /trailing:slash", "404"),
        (&["GET /{x=t/**}:slash"], "GET /t/a/b:slash", "R0 x=t/a/b"),
        (&["GET /verb"], "GET /verb:", "404"),
        (&["* /x:do"], "GET /x:do", "R0"),
        (&["* /x:do"], "GET /x", "404"),
        (
            &["GET /v1/{name=segment/wi:th}"],
            "GET /v1/segment/wi:th",
            "R0 name=segment/wi:th",
        ),
        (&["GET /v1/{name}:watch"], "GET /v1/:watch", "404"),
    ]);
}

#[test]
fn precedence() {
    check(&[
        (&["GET /files", "GET /files/{x=**}"], "GET /files", "R0"),
        (&["GET /files", "GET /files/{x=**}"], "GET /files/a.txt", "R1 x=a.txt"),
        (&["GET /files/{x=**}"], "GET /files", "R0 x="),
        (&["POST /v1/foo", "GET /v1/{x}"], "GET /v1/foo", "R1 x=foo"),
        (&["GET /{x}/b", "GET /a/{y}"], "GET /a/b", "R1 y=b"),
        (&["GET /a/{x}/c", "GET /{y}/b/d"], "GET /a/b/d", "R1 y=a"),
        (&["GET /**", "GET /{x}"], "GET /a", "R1 x=a"),
        (&["GET /**", "GET /{x}"], "GET /a/b", "R0"),
        (&["GET /a/**/c", "GET /a/**"], "GET /a/b/c", "R0"),
        (&["GET /a/**/c", "GET /a/**/b/c"], "GET /a/x/b/c", "R1"),
        (&["* /x/{id}"], "PROPFIND /x/1", "R0 id=1"),
        (&["* /x/{id}", "GET /x/{a}"], "GET /x/1", "R1 a=1"),
        (&["* /x/{id}", "GET /x/{a}"], "HEAD /x/1", "R1 a=1"),
        (&["HEAD /x/{id}", "GET /x/{a}"], "HEAD /x/1", "R0 id=1"),
    ]);
}

#[test]
fn other_methods() {
    check(&[
        (&["GET /foo"], "DELETE /foo", "405 GET, HEAD, OPTIONS"),
        (&["GET /foo"], "OPTIONS /foo", "405 GET, HEAD, OPTIONS"),
        (
            &["POST /foo/{id}:archive"],
            "DELETE /foo/bar:archive",
            "405 POST, OPTIONS",
        ),
        (
            &["POST /foo", "GET /{x}", "DELETE /**"],
            "PUT /foo",
            "405 GET, HEAD, POST, DELETE, OPTIONS",
        ),
        (&["PROPFIND /foo"], "GET /foo", "405 PROPFIND, OPTIONS"),
    ]);
}

#[test]
fn long_paths_take_linear_time_and_flat_stack() {
    let long = format!("GET /a/{}x", "/".repeat(64_000));
    assert_eq!(found(&["GET /a/**/x"], &long), "R0");
    assert_eq!(found(&["GET /a/**/x"], &long.replace('x', "y")), "404");
    let colons = format!("GET /a{}", ":b".repeat(64_000));
    assert_eq!(
        found(&["GET /{x}:b:b"], &colons),
        format!("R0 x=a{}", ":b".repeat(63_998))
    );
}

#[test]
fn duplicates_name_both_rpcs() {
    for (paths, expected) in [
        (
            ["GET /{x}", "GET /{y=*}"],
            "`GET /{y=*}` is bound twice: by shapes.v1.Routes/R0 and by shapes.v1.Routes/R1",
        ),
        (["GET /a/{x}", "GET /{y=a/*}"], "`GET /{y=a/*}` is bound twice"),
        (["GET /a/**:v", "GET /{y=a/**}:v"], "`GET /{y=a/**}:v` is bound twice"),
    ] {
        let error = routes(&paths).unwrap_err();
        assert!(matches!(error, LoadError::Duplicate { .. }));
        assert!(error.to_string().starts_with(expected), "{error}");
    }
    for paths in [
        ["GET /{x}", "POST /{x}"],
        ["GET /{x}", "GET /{x}:v"],
        ["GET /{x}", "GET /{x=**}"],
    ] {
        assert!(routes(&paths).is_ok(), "{paths:?}");
    }
}

#[test]
fn similar_routes() {
    let schema = routes(&[
        "GET /v1/products",
        "GET /v1/products/{id}",
        "POST /v1/{name=users/*}/orders:watch",
    ])
    .unwrap();
    for (path, expected) in [
        ("/v1/product", Some("GET /v1/products")),
        ("/v1/products/", Some("GET /v1/products")),
        ("/v1/prodcuts/7", Some("GET /v1/products/{id}")),
        ("/v1/users/7/orders:wathc", Some("POST /v1/{name=users/*}/orders:watch")),
        ("/something/else", None),
    ] {
        let expected = RouteError::NotFound {
            did_you_mean: expected.map(str::to_owned),
        };
        assert_eq!(schema.find("GET", path).unwrap_err(), expected, "{path}");
    }
}
