//! Explanations, part by part, and once as people read them.

use super::*;
use crate::fixture::{load, load_with, rule};
use crate::settings::{Options, RouteOptions};

fn explained(schema: &Schema, request: &str, body: &str) -> Explanation {
    let (method, target) = request.split_once(' ').unwrap();
    schema.explain(method, target, &HeaderFields::default(), body.as_bytes())
}

fn shelves() -> Schema {
    load(vec![
        rule("Library.GetShelf", "GET /v1/shelves/{shelf}", ""),
        rule("Library.WatchShelves", "GET /v1/shelves/archive", ""),
        rule("Shapes.PatchBook", "PATCH /v1/shelves/{shelf}/books/{book.id}", "book"),
        rule("Shapes.PutBook", "PUT /v1/shelves/{shelf}/books", "book"),
        rule("Routes.R0", "POST /v1/shelves/{x}:close", "*"),
        rule("Routes.R1", "GET /v1/{x=**}", ""),
        rule("Routes.R2", "GET /v2/{x}", ""),
    ])
    .unwrap()
}

#[test]
fn as_people_read_it() {
    let schema = shelves();
    let explanation = explained(&schema, "GET /v1/shelves/100?view=it's", "");
    insta::assert_snapshot!(explanation.to_string(), @r#"
    GET /v1/shelves/100
    route: GET /v1/shelves/{shelf} (shapes.v1.Library/GetShelf)
      its template fits the path; it is more specific than 1 other(s) that fit
    not: GET /v1/{x=**} (shapes.v1.Routes/R1)
      fits, but segment 2 is `**` where the route taken has the literal `shelves`
    not: PUT /v1/shelves/{shelf}/books (shapes.v1.Shapes/PutBook)
      length: the path has 3 segment(s), the template 4
    not: PATCH /v1/shelves/{shelf}/books/{book.id} (shapes.v1.Shapes/PatchBook)
      length: the path has 3 segment(s), the template 5
    not: GET /v1/shelves/archive (shapes.v1.Library/WatchShelves)
      literal: segment 3 is `100`, not `archive`
    not: POST /v1/shelves/{x}:close (shapes.v1.Routes/R0)
      verb: the path does not end in `:close`
    not: POST /v1/namedShelves (shapes.v1.Library/CreateShelf)
      literal: segment 2 is `shelves`, not `namedShelves`
    not: GET /v1/{name=namedShelves/*} (shapes.v1.Library/GetNamedShelf)
      literal: segment 2 is `shelves`, not `namedShelves`
    field: shelf = "100" (from the path)
    field: view = "it's" (from the query)
    message: shapes.v1.GetShelfReq, 8 bytes
      shelf: 100
      view: "it\'s"
    hex: 0864120469742773
    "#);
    let call = r#"grpcurl -plaintext -d '{"shelf":"100","view":"it'\''s"}' HOST:PORT shapes.v1.Library/GetShelf"#;
    assert_eq!(explanation.grpcurl("HOST:PORT").as_deref(), Some(call));
}

#[test]
fn each_field_has_its_source() {
    let schema = shelves();
    let fields = |request: &str, body: &str| {
        let explanation = explained(&schema, request, body);
        assert_eq!(explanation.refusal, None);
        let fields = explanation.fields.into_iter();
        fields
            .map(|field| format!("{} {} {}", field.path, field.source, field.value))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        fields(
            "PATCH /v1/shelves/1/books/7",
            r#"{"id":7,"title":"x","info":{"bio":{"yearBorn":1}},"quotes":["a"]}"#
        ),
        [
            r#"shelf path "1""#,
            r#"book.id path "7""#,
            r#"book.title body "x""#,
            r#"book.quotes body ["a"]"#,
            "book.info.bio.year_born body 1",
            r#"update_mask names in the body "info.bio.yearBorn,quotes,title""#,
        ]
    );
    assert_eq!(
        fields("PUT /v1/shelves/1/books?request_id=r", "{}"),
        [r#"shelf path "1""#, r#"request_id query "r""#, "book body {}"]
    );
    let key = HeaderFields {
        idempotency_key: Some("k"),
        last_event_id: None,
    };
    let schema = load(vec![rule("Library.CreateShelf", "POST /shelves", "shelf")]).unwrap();
    let explanation = schema.explain("POST", "/shelves", &key, b"");
    assert_eq!(explanation.fields[0].source, "header Idempotency-Key");
}

#[test]
fn refusals_and_what_allows_them() {
    let schema = shelves();
    for (request, body, http_status, code, message, setting) in [
        ("GET /v3/x", "", 404, 5, "no route for this path", None),
        (
            "GET /v2/7/",
            "",
            404,
            5,
            "did you mean `GET /v2/{x}`?",
            Some("path.trailing_slash = \"strip\""),
        ),
        ("GET /v2/", "", 404, 5, "no route", Some("path.empty_segments")),
        ("POST /shapes.v1.Shapes/Sink", "", 404, 5, "no route", Some("rpc_paths")),
        ("DELETE /v2/7", "", 405, 12, "allowed: GET, HEAD, OPTIONS", None),
        ("GET /v2/%zz", "", 400, 3, "malformed", None),
        ("GET /v1/shelves/x", "", 400, 3, "shelf: \"x\" is not an integer", None),
        (
            "GET /v2/7?nope=1",
            "",
            400,
            3,
            "unknown query parameter",
            Some("query.ignore or query.unknown = \"ignore\""),
        ),
        (
            "GET /v2/7",
            "{}",
            400,
            3,
            "takes no body",
            Some("body.unbound = \"ignore\""),
        ),
        (
            "PUT /v1/shelves/1/books",
            r#"{"nope":1}"#,
            400,
            3,
            "has no field",
            Some("json.unknown = \"ignore\""),
        ),
    ] {
        let explanation = explained(&schema, request, body);
        let refusal = explanation.refusal.unwrap();
        let found = (refusal.http_status, refusal.code, refusal.relaxed_by.as_deref());
        assert_eq!(found, (http_status, code, setting), "{request}");
        assert!(refusal.message.contains(message), "{request}: {}", refusal.message);
        assert!(explanation.message.is_none());
        let (method, target) = request.split_once(' ').unwrap();
        let alone = schema.refusal(method, target, &HeaderFields::default(), body.as_bytes());
        assert_eq!(alone, Some(refusal), "{request}");
    }
    assert_eq!(schema.refusal("GET", "/v2/7", &HeaderFields::default(), b""), None);
    // What was bound before the refusal is there.
    let explanation = explained(&schema, "PUT /v1/shelves/1/books", "{");
    assert_eq!(explanation.fields[0].path, "shelf");
    assert!(
        explanation
            .to_string()
            .contains("refused: 400, INVALID_ARGUMENT (3): body: ")
    );
}

#[test]
fn routes_that_are_not_taken() {
    let schema = shelves();
    let rejected = |request: &str| {
        let explanation = explained(&schema, request, "");
        let rejected = explanation.rejected.into_iter();
        rejected
            .map(|rejected| {
                format!(
                    "{} {}: {}",
                    rejected.route.http_method, rejected.route.path, rejected.why
                )
            })
            .collect::<Vec<_>>()
    };
    let lines = rejected("GET /v1/shelves/archive");
    for line in [
        "GET /v1/shelves/{shelf}: fits, but segment 3 is `*` where the route taken has the literal `archive`",
        "GET /v1/{x=**}: fits, but segment 2 is `**` where the route taken has the literal `shelves`",
        "POST /v1/shelves/{x}:close: verb: the path does not end in `:close`",
        "PUT /v1/shelves/{shelf}/books: length: the path has 3 segment(s), the template 4",
    ] {
        assert!(lines.iter().any(|found| found == line), "{line} is not in {lines:#?}");
    }
    assert!(lines[0].contains(": fits") && lines[1].contains(": fits"));
    let lines = rejected("PUT /v1/shelves/1/book");
    assert!(
        lines.contains(&"PUT /v1/shelves/{shelf}/books: literal: segment 4 is `book`, not `books`".to_owned()),
        "{lines:#?}"
    );
    let lines = rejected("GET /v2/%ff");
    assert_eq!(lines[0], "GET /v2/{x}: fits, but the path is malformed");
    let lines = rejected("DELETE /v1/shelves/1/books");
    assert!(lines[0].contains("method: it is bound for"), "{lines:#?}");
}

#[test]
fn why_the_route_is_taken() {
    let strip = RouteOptions {
        trailing_slash_stripped: Some(true),
        ..RouteOptions::default()
    };
    let schema = load_with(Options {
        rules: vec![
            rule("Routes.R0", "GET /a/{x}:do", ""),
            rule("Routes.R1", "* /b", ""),
            rule("Routes.R2", "GET /c", ""),
        ],
        overrides: vec![("shapes.v1.Routes.R2".to_owned(), strip)],
        ..Options::default()
    })
    .unwrap();
    for (request, expected) in [
        ("GET /a/7:do", "its template fits the path; `:do` is its verb"),
        (
            "HEAD /a/7:do",
            "its template fits the path; HEAD is answered as GET; `:do` is its verb",
        ),
        ("PROPFIND /b", "its template fits the path; it takes any method"),
        ("GET /c/", "its template fits the path; the last `/` is stripped"),
    ] {
        assert_eq!(
            explained(&schema, request, "").why.as_deref(),
            Some(expected),
            "{request}"
        );
    }
}

#[test]
fn the_same_call_by_grpcurl() {
    let explanation = explained(&shelves(), "GET /v1/shelves/100?view=it's", "");
    let message = explanation.message.as_ref().unwrap();
    assert_eq!(message.hex(), "0864120469742773");
    assert_eq!(
        explanation.grpcurl("localhost:50051").as_deref(),
        Some(r#"grpcurl -plaintext -d '{"shelf":"100","view":"it'\''s"}' localhost:50051 shapes.v1.Library/GetShelf"#)
    );
    let secure = explanation.grpcurl("https://api.example:443").unwrap();
    assert!(secure.ends_with("' api.example:443 shapes.v1.Library/GetShelf") && !secure.contains("plaintext"));
    assert_eq!(explained(&shelves(), "GET /nope", "").grpcurl("x:1"), None);
}

proptest::proptest! {
    /// Whatever a stranger asks about: an explanation, of the same route and the same message as a call has.
    #[test]
    fn it_says_what_a_call_does(
        path in "(/([a-z%:.]|v1|shelves|books|archive|%2F|7|:close){0,3}){1,5}",
        query in "((view|x|book.title|request_id)=[0-9a-z]{0,2}&?){0,3}",
        body in "([\\[\\]{}:,]|\"(title|id|nope)\"|1|null){0,8}",
    ) {
        thread_local!(static SCHEMA: Schema = shelves());
        SCHEMA.with(|schema| {
            for method in ["GET", "PUT", "PATCH", "POST"] {
                let explanation = explained(schema, &format!("{method} {path}?{query}"), &body);
                let _ = explanation.to_string();
                let found = schema.find(method, &path);
                let taken = found.as_ref().ok().map(|matched| matched.route().path());
                assert_eq!(explanation.route.as_ref().map(|route| route.path.as_str()), taken);
                let bound = found.ok().and_then(|matched| {
                    matched.bind(Some(&query), body.as_bytes(), &HeaderFields::default()).ok()
                });
                assert_eq!(explanation.message.map(|message| message.wire), bound);
            }
        });
    }
}
