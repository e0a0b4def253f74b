//! B: matching, precedence, percent-decoding.

use millrace_gateway::transcode::{HttpRule, PathDecoding};

use crate::case::{Call, Case, ask, case, get, post, routes, rule, rules};

#[tokio::test]
async fn matching() {
    crate::run::section(cases()).await;
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = captures();
    cases.extend(decoding());
    cases.extend(verbs());
    cases.extend(precedence());
    cases.extend(methods());
    cases
}

fn not_found(target: &str) -> Call {
    get(target).refused(404, "no route")
}

fn captures() -> Vec<Case> {
    vec![
        case(
            "B01",
            routes(&["GET /**"]),
            ["/", "/a", "/a/"].map(|path| get(path).rpc("R0")),
        ),
        case(
            "B03",
            routes(&["GET /a/{x}/c", "GET /b/**/d/z"]),
            ["/b/c/d", "/c/x/y/d/z", "/c//v/d/w"].map(not_found),
        ),
        case(
            "B04",
            routes(&["GET /{x=a/*}/b/{y=*}/c"]),
            [get("/a/hello/b/world/c").sends("x: 'a/hello' y: 'world'")],
        ),
        case(
            "B06",
            routes(&["GET /alpha/{x=*}/beta/{y=**}/gamma"]),
            [get("/alpha/dog/beta/eat/bones/gamma").sends("x: 'dog' y: 'eat/bones'")],
        ),
        case(
            "B07",
            routes(&["GET /{x=**}/a/b"]),
            [get("/foo/bar/a/b").sends("x: 'foo/bar'")],
        ),
        case(
            "B49",
            two_bindings(),
            [
                get("/v1/7").rpc("R0").sends("id: '7'"),
                get("/v2/8/9").rpc("R0").sends("a: '8' b: '9'"),
            ],
        ),
    ]
}

fn two_bindings() -> HttpRule {
    HttpRule {
        additional: vec![rule("R0", "GET /v2/{a}/{b}", "")],
        ..rule("R0", "GET /v1/{id}", "")
    }
}

/// The reserved characters of RFC 6570, encoded.
const RESERVED: &str = "%21%23%24%26%27%28%29%2A%2B%2C%2F%3A%3B%3D%3F%40%5B%5D";

fn decoding() -> Vec<Case> {
    let all_reserved = format!("/a/{RESERVED}/{RESERVED}/c");
    vec![
        case("B09", routes(&["GET /{x}"]), every_byte()),
        case(
            "B10",
            routes(&["GET /a/{x=p/*/q/*}/c"]),
            [get("/a/p/foo%20foo/q/bar%2Fbar/c").sends("x: 'p/foo foo/q/bar%2Fbar'")],
        ),
        case(
            "B12",
            routes(&["GET /a/{x=*}/{y=**}/c"]),
            [get(all_reserved.as_str()).sends(r#"x: "!#$&'()*+,/:;=?@[]" y: "!#$&'()*+,%2F:;=?@[]""#)],
        ),
        case(
            "B13",
            routes(&["GET /a/{x=*}/{y=**}/c"]).with(|options| options.path_decoding = PathDecoding::Reserved),
            [get(all_reserved).sends(format!(r#"x: "!#$&'()*+,/:;=?@[]" y: "{RESERVED}""#))],
        ),
        case(
            "B15",
            routes(&["GET /foo/{id}/bar"]),
            [get("/foo/ok%2fwith%2Fspace/bar").sends("id: 'ok/with/space'")],
        ),
        case(
            "B16",
            routes(&["GET /foo/{id=**}"]),
            [get("/foo/ok%2fwith%2Fspace").sends("id: 'ok%2fwith%2Fspace'")],
        ),
        case(
            "B18",
            routes(&["GET /foo/{id}"]),
            [get("/foo/%2541").sends("id: '%41'")],
        ),
        case(
            "B19",
            routes(&["GET /foo/{id}"]),
            [
                get("/foo/%zz").refused(400, "malformed"),
                get("/foo/%2").refused(400, "malformed"),
            ],
        ),
        case(
            "B21",
            routes(&["GET /pct/{outer=*/suffix}"]),
            [get("/pct/A%2Fb/suffix").sends("outer: 'A%2Fb/suffix'")],
        ),
        case(
            "B22",
            routes(&["GET /foo/bar/*/{a}/{c=**}"]),
            [get("/foo/bar/baz/%2f/%2A/%2f").sends("a: '/' c: '*/%2f'")],
        ),
    ]
}

/// `/%00` to `/%7e`, in upper and lower hexadecimal.
fn every_byte() -> Vec<Call> {
    let both = (0..=0x7e_u8).flat_map(|byte| [(byte, format!("/%{byte:02X}")), (byte, format!("/%{byte:02x}"))]);
    both.map(|(byte, path)| match byte {
        0 => get(path).refused(400, "malformed"),
        _ => get(path).sends(format!(r#"x: "\x{byte:02x}""#)),
    })
    .collect()
}

fn verbs() -> Vec<Case> {
    let several = routes(&[
        "GET /some/*:verb",
        "GET /some/const:verb",
        "GET /other/**:verb",
        "GET /other/**/const:verb",
    ]);
    vec![
        case(
            "B24",
            routes(&["GET /person/{id}", "GET /person/{id}:verb", "GET /person/{id}/name"]),
            [get("/person/jason:verb/name").rpc("R2").sends("id: 'jason:verb'")],
        ),
        case(
            "B25",
            routes(&["GET /foo/{a}"]),
            [get("/foo/other:verb").sends("a: 'other:verb'")],
        ),
        case(
            "B27",
            routes(&["GET /foo/{id}", "GET /foo/{id}:verb"]),
            [
                get("/foo/bar%3Averb").rpc("R0").sends("id: 'bar:verb'"),
                get("/foo/bar:verb").rpc("R1").sends("id: 'bar'"),
            ],
        ),
        case(
            "B28",
            routes(&["GET /{a=*}/{b=*}:verb"]),
            [get("/some:verb/const:verb").sends("a: 'some:verb' b: 'const'")],
        ),
        case(
            "B30",
            several,
            [
                get("/some/const:verb").rpc("R1"),
                get("/some/other:verb").rpc("R0"),
                get("/other/bar/foo/const:verb").rpc("R3"),
                not_found("/some/other:verb/"),
            ],
        ),
        case(
            "B31",
            routes(&["POST /foo/{id}:verb:subverb"]),
            [ask("POST", "/foo/bar:verb:subverb").sends("id: 'bar'")],
        ),
        case(
            "B33",
            routes(&["GET /trailing/**:slash"]),
            [get("/trailing/:slash").rpc("R0"), not_found("/trailing:slash")],
        ),
        case("B34", routes(&["GET /verb"]), [not_found("/verb:")]),
    ]
}

fn precedence() -> Vec<Case> {
    let slashes = format!("/a/{}", "/".repeat(64_000));
    vec![
        case(
            "B36",
            routes(&["GET /files", "GET /files/{p=**}"]),
            [
                get("/files").rpc("R0"),
                get("/files/a.txt").rpc("R1").sends("p: 'a.txt'"),
            ],
        ),
        case(
            "B37",
            routes(&["POST /v1/foo", "GET /v1/{x}"]),
            [
                get("/v1/foo").rpc("R1").sends("x: 'foo'"),
                ask("POST", "/v1/foo").rpc("R0"),
            ],
        ),
        case(
            "B39",
            routes(&["GET /a/**/x"]).long_uris(),
            [
                get(format!("{slashes}/x")).rpc("R0"),
                not_found(&format!("{slashes}/y")),
            ],
        ),
        case("B40", routes(&["GET /foo"]), [not_found("/foo/")]),
        case(
            "B40",
            routes(&["GET /foo"]).with(|options| options.trailing_slash_stripped = true),
            [get("/foo/").rpc("R0")],
        ),
    ]
}

fn methods() -> Vec<Case> {
    vec![
        case(
            "B42",
            routes(&["GET /foo"]),
            [ask("DELETE", "/foo")
                .refused(405, "not allowed")
                .header("allow", "GET, HEAD, OPTIONS")],
        ),
        case(
            "B43",
            routes(&["POST /foo/{id}:archive"]),
            [ask("DELETE", "/foo/bar:archive")
                .refused(405, "not allowed")
                .header("allow", "POST, OPTIONS")],
        ),
        case(
            "B45",
            routes(&["* /x/{id}"]),
            [
                ask("PROPFIND", "/x/1").rpc("R0").sends("id: '1'"),
                get("/x/1").rpc("R0").sends("id: '1'"),
            ],
        ),
        case(
            "B45",
            routes(&["* /x/{id}", "GET /x/{id}"]),
            [ask("PROPFIND", "/x/1").rpc("R0"), get("/x/1").rpc("R1")],
        ),
        case("B46", routes(&["* /x:do"]), [get("/x:do").rpc("R0"), not_found("/x")]),
        case(
            "B48",
            rules([rule("R0", "POST /foo", "*")]),
            [post("foo", "{}").refused(400, "malformed")],
        ),
    ]
}
