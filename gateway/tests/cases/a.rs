//! A: the grammar of path templates, at load.

use millrace_gateway::transcode::HttpRule;

use crate::case::{Case, case, get, post, refused, routes, rule, rules};

#[tokio::test]
async fn templates() {
    crate::run::section(cases()).await;
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = accepted();
    cases.extend(malformed());
    cases.extend(against_the_messages());
    cases.extend(beside_the_schema());
    cases
}

/// A rule of `R0` that is refused; whatever is wrong, the RPC is named.
fn bad(id: &'static str, path: &str) -> Case {
    let setup = routes(&[&format!("GET {path}")]);
    refused(id, setup, "cases.v1.Routes/R0: path `")
}

fn accepted() -> Vec<Case> {
    vec![
        case(
            "A01",
            routes(&["GET /shelves/{shelf}/books/{book}"]),
            [
                get("/shelves/1/books/2").sends("shelf: '1' book: '2'"),
                get("/shelves/1/books").refused(404, "no route"),
                get("/shelves/1/books/2/3").refused(404, "no route"),
            ],
        ),
        case(
            "A03",
            routes(&["GET /**", "GET /shelves/**", "GET /*/a/**"]),
            [
                get("/x/y").rpc("R0"),
                get("/shelves/x").rpc("R1"),
                get("/x/a/y/z").rpc("R2"),
            ],
        ),
        case(
            "A04",
            routes(&["GET /a/{sub.sub.id}"]),
            [get("/a/7").sends("sub { sub { id: '7' } }")],
        ),
        case(
            "A04",
            routes(&["GET /a/{sub.sub.id=*}"]),
            [get("/a/7").sends("sub { sub { id: '7' } }")],
        ),
        refused(
            "A04",
            routes(&["GET /a/{sub.sub.id}", "GET /a/{sub.sub.id=*}"]),
            "is bound twice",
        ),
        case(
            "A06",
            routes(&["GET /a/{b=c/**}/d/e"]),
            [
                get("/a/c/x/y/d/e").sends("b: 'c/x/y'"),
                get("/a/c/d/e").sends("b: 'c'"),
                get("/a/c/x/d/f").refused(404, "no route"),
            ],
        ),
        case(
            "A07",
            routes(&["GET /a/{b=c/**/d}/e:verb"]),
            [
                get("/a/c/x/d/e:verb").sends("b: 'c/x/d'"),
                get("/a/c/x/d/e").refused(404, "no route"),
            ],
        ),
        case(
            "A09",
            routes(&["GET /v1/{name}:b:c"]),
            [
                get("/v1/x:b:c").sends("name: 'x'"),
                get("/v1/x:b").refused(404, "no route"),
            ],
        ),
        case(
            "A10",
            routes(&["GET /v1/{name=segment/wi:th}"]),
            [get("/v1/segment/wi:th").sends("name: 'segment/wi:th'")],
        ),
        case(
            "A25",
            routes(&["GET /foo%2Fbar/%2A"]),
            [
                get("/foo%2fbar/%2a").rpc("R0"),
                get("/foo%2Fbar/*").rpc("R0"),
                get("/foo/bar/%2A").refused(404, "no route"),
            ],
        ),
    ]
}

fn malformed() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut all_bad = |id: &'static str, paths: &[&str]| cases.extend(paths.iter().map(|path| bad(id, path)));
    all_bad("A12", &[":verb", "/:verb", "/a/:verb", "/{var}:", "/*:"]);
    all_bad("A13", &["/{}", "/a/{", "/a/{var", "/a/{var."]);
    all_bad("A15", &["/a/{var=/b}"]);
    all_bad("A16", &["/{var=a/{field=b}}"]);
    all_bad("A18", &["/a/**/*", "/a/**/foo/*", "/a/**/**"]);
    all_bad("A19", &["/{1}", "/{field.1}", "/{-}", "/{field-}"]);
    all_bad("A21", &["/foo/bar/baz?abc=def", "/foo/bar/baz buzz"]);
    all_bad("A22", &["/{a}/{a}"]);
    all_bad("A24", &["/foo/bar:baz/buzz"]);
    cases
}

fn against_the_messages() -> Vec<Case> {
    let cut_unknown = HttpRule {
        response_body: "nope".to_owned(),
        ..rule("R0", "GET /a", "")
    };
    let nested = HttpRule {
        additional: vec![HttpRule {
            additional: vec![rule("R0", "GET /c", "")],
            ..rule("R0", "GET /b", "")
        }],
        ..rule("R0", "GET /a", "")
    };
    vec![
        refused(
            "A27",
            routes(&["GET /{list}"]),
            "cases.v1.Routes/R0: path variable `list`",
        ),
        refused(
            "A27",
            routes(&["GET /{map}"]),
            "cases.v1.Routes/R0: path variable `map`",
        ),
        refused(
            "A27",
            routes(&["GET /{sub}"]),
            "cases.v1.Routes/R0: path variable `sub`",
        ),
        refused(
            "A28",
            routes(&["GET /{nope}"]),
            "R0: path variable names the unknown field `nope`",
        ),
        refused(
            "A28",
            rule("R0", "POST /a", "nope"),
            "R0: body names the unknown field `nope`",
        ),
        refused("A28", cut_unknown, "R0: response_body names the unknown field `nope`"),
        refused(
            "A30",
            nested,
            "cases.v1.Routes/R0: additional_bindings cannot be nested",
        ),
        refused(
            "A31",
            routes(&["GET /a/{x}:go", "GET /a/{y=*}:go"]),
            "is bound twice: by cases.v1.Routes/R0 and by cases.v1.Routes/R1",
        ),
    ]
}

fn beside_the_schema() -> Vec<Case> {
    let all = HttpRule {
        selector: "cases.v1.Sinks.*".to_owned(),
        ..rule("Sink", "POST /all", "*")
    };
    let nothing = HttpRule {
        selector: "cases.v1.Nothing.*".to_owned(),
        ..all.clone()
    };
    let overridden = [
        all.clone(),
        rule("PatchSink", "POST /patch", "*"),
        rule("TakeStruct", "POST /struct", "*"),
    ];
    vec![
        refused(
            "A33",
            nothing,
            "the rule with selector `cases.v1.Nothing.*` selects no RPC",
        ),
        case(
            "A34",
            rules(overridden),
            [
                post("/all", r#"{"s":"x"}"#).rpc("Sink").sends("s: 'x'"),
                post("/patch", r#"{"sink":{"s":"x"}}"#)
                    .rpc("PatchSink")
                    .sends("sink { s: 'x' }"),
                post("/struct", "{}").rpc("TakeStruct"),
            ],
        ),
        // Each method gets the rule, and then no request can tell them apart.
        refused("A34", all, "`POST /all` is bound twice: by cases.v1.Sinks/"),
    ]
}
