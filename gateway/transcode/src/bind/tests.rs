//! Path, query, headers and body together.

use super::*;
use crate::alias::Alias;
use crate::codec::Position;
use crate::fixture::{bound, bound_with, load, load_with, rule};
use crate::schema::Schema;
use crate::settings::Options;

fn check(schema: &Schema, cases: &[(&str, &str, &str)]) {
    for (request, body, expected) in cases {
        let (method, target) = request.split_once(' ').unwrap();
        match bound(schema, method, target, body) {
            Ok(message) => assert_eq!(message, *expected, "{request} {body}"),
            Err(refusal) if !expected.starts_with('{') => assert!(refusal.contains(expected), "{body}: {refusal}"),
            Err(refusal) => panic!("{request} {body}: {refusal}"),
        }
    }
}

#[test]
fn bodies() {
    let schema = load(vec![
        rule("Library.CreateShelf", "POST /shelves", "shelf"),
        rule("Shapes.Sink", "POST /sink", "*"),
        rule("Shapes.PutBook", "GET /book", ""),
        rule("Routes.R0", "POST /text", "x"),
        rule("Routes.R1", "POST /list:move", "list"),
        rule("Routes.R2", "POST /map", "map"),
    ])
    .unwrap();
    check(
        &schema,
        &[
            (
                "POST /shelves",
                r#"{"theme":"Children"}"#,
                r#"{"shelf":{"theme":"Children"}}"#,
            ),
            ("POST /shelves", "{}", r#"{"shelf":{}}"#),
            ("POST /shelves", "null", "{}"),
            ("POST /shelves", "", "{}"),
            ("POST /sink", "{}", "{}"),
            ("POST /sink", "", "{}"),
            ("POST /sink", "null", "expected an object, found null"),
            ("POST /sink", "[]", "expected an object, found an array"),
            ("POST /text", r#""History""#, r#"{"x":"History"}"#),
            ("POST /list:move", r#"["b1","b2"]"#, r#"{"list":["b1","b2"]}"#),
            ("POST /list:move", "{}", "list: expected an array"),
            ("POST /map", r#"{"k":"v"}"#, r#"{"map":{"k":"v"}}"#),
            ("GET /book", r#"{"x":1}"#, "body: this method takes no body"),
            ("GET /book", "", "{}"),
        ],
    );
    let rules = vec![rule("Shapes.PutBook", "GET /book", "")];
    let lax = load_with(Options {
        rules,
        body_unbound_ignored: true,
        ..Options::default()
    })
    .unwrap();
    check(&lax, &[("GET /book", r#"{"x":1}"#, "{}")]);
}

#[test]
fn a_body_may_repeat_the_path_but_not_contradict_it() {
    let schema = load(vec![
        rule("Shapes.PutBook", "PUT /shelves/{shelf}/books/{book.id}", "book"),
        rule("Routes.R0", "POST /caps/{sub.name}", "*"),
        rule("Shapes.Sink", "POST /sink/{o_s}", "*"),
        rule("Routes.R1", "POST /at/{time}", "*"),
    ])
    .unwrap();
    check(
        &schema,
        &[
            (
                "PUT /shelves/456/books/123",
                r#"{"author":"L","title":"W"}"#,
                r#"{"shelf":"456","book":{"id":"123","author":"L","title":"W"}}"#,
            ),
            (
                "PUT /shelves/456/books/123",
                r#"{"id":"9","title":"W"}"#,
                "book.id: contradicts the value that the path binds",
            ),
            ("PUT /shelves/456/books/123", r#"{"id":0}"#, "book.id: contradicts"),
            (
                "PUT /shelves/1/books/4294967297",
                r#"{"id":"4294967297"}"#,
                r#"{"shelf":"1","book":{"id":"4294967297"}}"#,
            ),
            ("PUT /shelves/1/books/4294967297", r#"{"id":1}"#, "contradicts"),
            (
                "PUT /shelves/1/books/7",
                r#"{"id":null}"#,
                r#"{"shelf":"1","book":{"id":"7"}}"#,
            ),
            (
                "POST /caps/n",
                r#"{"sub":{"name":"n","x":"1"}}"#,
                r#"{"sub":{"x":"1","name":"n"}}"#,
            ),
            ("POST /caps/n", r#"{"sub":{"name":"m"}}"#, "sub.name: contradicts"),
            ("POST /caps/n", r#"{"name":"m"}"#, r#"{"name":"m","sub":{"name":"n"}}"#),
            ("POST /caps/n", r#"{"sub":null}"#, r#"{"sub":{"name":"n"}}"#),
            (
                "POST /sink/x",
                r#"{"o_b":true}"#,
                "excluded by `o_s`, which the path binds",
            ),
            ("POST /sink/x", r#"{"oS":"y"}"#, "o_s: contradicts"),
            (
                "POST /sink/x",
                r#"{"nested":{"oB":true}}"#,
                r#"{"oS":"x","nested":{"oB":true}}"#,
            ),
            (
                "POST /at/2020-01-01T00:00:00Z",
                r#"{"time":"2020-01-01T01:00:00+01:00"}"#,
                r#"{"time":"2020-01-01T00:00:00Z"}"#,
            ),
            (
                "POST /at/2020-01-01T00:00:00Z",
                r#"{"time":"2021-01-01T00:00:00Z"}"#,
                "time: contradicts",
            ),
        ],
    );
}

#[test]
fn a_body_may_say_what_an_alias_in_the_path_stands_for() {
    let schema = load(vec![rule("Routes.R0", "POST /caps/{sub.name=users/**}", "*")]).unwrap();
    let me = Alias {
        name: "users/me".to_owned(),
        stands_for: "users/7".to_owned(),
    };
    let bound = |path: &str, alias: Option<&Alias>, name: &str| {
        let mut matched = schema.find("POST", path).unwrap();
        matched.set_alias(alias.cloned());
        let body = format!(r#"{{"sub":{{"name":"{name}","x":"1"}}}}"#);
        matched.bind(None, body.as_bytes(), &HeaderFields::default())
    };
    for (path, name) in [
        ("/caps/users/me", "users/7"),
        ("/caps/users/me", "users/me"),
        ("/caps/users/me/orders/9", "users/7/orders/9"),
    ] {
        // What goes in is the path's: the body says the same and adds nothing.
        let wire = bound(path, Some(&me), name).unwrap();
        let expected = format!(r#"{{"sub":{{"x":"1","name":"{}"}}}}"#, &path["/caps/".len()..]);
        let shown = crate::fixture::shown(&schema, &crate::fixture::message(&schema, "Captures"), &wire);
        assert_eq!(shown, expected, "{path} {name}");
    }
    for (path, alias, name) in [
        ("/caps/users/me", Some(&me), "users/8"),
        ("/caps/users/me", None, "users/7"),
        ("/caps/users/me/orders/9", Some(&me), "users/7"),
        ("/caps/users/8", Some(&me), "users/7"),
        // The alias is the path's; a body that has it says no more than its text.
        ("/caps/users/7", Some(&me), "users/me"),
    ] {
        let refused = bound(path, alias, name).unwrap_err();
        assert!(
            refused.message.contains("sub.name: contradicts"),
            "{path} {name}: {refused}"
        );
    }
}

#[test]
fn a_body_may_not_be_the_other_of_a_oneof() {
    let schema = load(vec![rule("Shapes.Sink", "POST /sink/{s}", "o_m")]).unwrap();
    check(
        &schema,
        &[
            ("POST /sink/x", r#"{"s":"y"}"#, r#"{"s":"x","oM":{"s":"y"}}"#),
            (
                "POST /sink/x?o_s=z",
                r#"{"s":"y"}"#,
                "o_m: excluded by `o_s`, which the query binds",
            ),
        ],
    );
}

#[test]
fn a_patch_fills_its_mask() {
    let path = "/shelves/{shelf}/books/{book.id}";
    let mut main = rule("Shapes.PatchBook", &format!("PATCH {path}"), "book");
    main.additional = vec![
        rule("Shapes.PatchBook", &format!("PUT {path}"), "book"),
        rule("Shapes.PatchBook", "PATCH /whole", "*"),
    ];
    let schema = load(vec![main]).unwrap();
    let patch = |body: &str| {
        let message = bound(&schema, "PATCH", "/shelves/1/books/7", body)?;
        let value: serde_json::Value = serde_json::from_str(&message).unwrap();
        Ok::<_, String>(value["updateMask"].as_str().map(str::to_owned))
    };
    for (body, expected) in [
        (r#"{"title":"x","author":"y"}"#, "author,title"),
        (
            r#"{"info":{"first_name":"x","bio":{"yearBorn":1}}}"#,
            "info.bio.yearBorn,info.firstName",
        ),
        (r#"{"m_ss":{"a":"x"}}"#, "mSs"),
        (r#"{"r_m":[{"id":1}]}"#, "rM"),
        (
            r#"{"any":{"@type":"type.googleapis.com/shapes.v1.Shelf","id":1}}"#,
            "any",
        ),
        (r#"{"st":{"a":{"b":1}}}"#, "st"),
        (r#"{"ts":"2020-01-01T00:00:00Z"}"#, "ts"),
        (r#"{"title":null,"info":{}}"#, "info,title"),
        (r#"{"id":"7","title":"x"}"#, "title"),
        ("{}", ""),
    ] {
        assert_eq!(patch(body), Ok(Some(expected.to_owned())), "{body}");
    }
    assert!(patch(r#"{"title":{"a":"x"}}"#).is_err());
    assert!(patch(r#"{"nope":1}"#).is_err());
    assert_eq!(patch(""), Ok(None));
    check(
        &schema,
        &[
            (
                "PATCH /shelves/1/books/7?update_mask=author",
                r#"{"title":"x"}"#,
                r#"{"shelf":"1","book":{"id":"7","title":"x"},"updateMask":"author"}"#,
            ),
            (
                "PUT /shelves/1/books/7",
                r#"{"title":"x"}"#,
                r#"{"shelf":"1","book":{"id":"7","title":"x"}}"#,
            ),
            ("PATCH /whole", r#"{"book":{"title":"x"}}"#, r#"{"book":{"title":"x"}}"#),
        ],
    );
}

#[test]
fn the_short_way_leads_where_the_long_one_does() {
    let mut sink = rule("Shapes.Sink", "POST /sink/{s}/{i32}/{u64}/{i64}", "nested");
    sink.additional = vec![
        rule("Shapes.Sink", "POST /oneof/{o_s}", "nested"),
        rule("Shapes.Sink", "POST /whole/{s}", "*"),
        rule("Shapes.Sink", "POST /none/{s=**}", ""),
    ];
    let schema = load(vec![
        rule("Shapes.PutBook", "POST /shelves/{shelf}/books", "book"),
        rule("Library.CreateShelf", "POST /keyed", "shelf"),
        sink,
    ])
    .unwrap();
    let key = HeaderFields {
        idempotency_key: Some("k"),
        last_event_id: None,
    };
    let (mut short, mut bound) = (0, 0);
    for path in [
        "/shelves/7/books",
        "/shelves/x/books",
        "/shelves/0/books",
        "/sink/a%20b/-5/18446744073709551615/0",
        "/sink/a/0/0/-9223372036854775808",
        "/sink/a/2147483648/1/1",
        "/sink/a/1e2/1.0/01",
        "/oneof/a",
        "/whole/a",
        "/none/a/b",
        "/none/",
        "/keyed",
    ] {
        let matched = schema.find("POST", path).unwrap();
        for query in [None, Some(""), Some("i64=4"), Some("nope=1")] {
            for body in [
                "",
                "{}",
                r#"{"i32":7}"#,
                r#"{"title":"T"}"#,
                r#"{"s":"b"}"#,
                "[",
                "null",
            ] {
                for headers in [HeaderFields::default(), key] {
                    let long = Bound::new(&matched).request(&matched, query, body.as_bytes(), &headers);
                    if let Some(result) = plain::bind(&matched, query, body.as_bytes(), &headers) {
                        assert_eq!(result, long, "{path} {query:?} {body}");
                        short += 1;
                        bound += usize::from(long.is_ok());
                    }
                }
            }
        }
    }
    assert!(short > 100 && bound > 30, "{short} {bound}");
}

#[test]
fn headers_fill_their_fields() {
    let mut rules = vec![
        rule("Library.CreateShelf", "POST /shelves", "shelf"),
        rule("Library.WatchShelves", "GET /watch", ""),
    ];
    rules[0].additional = vec![rule("Library.CreateShelf", "POST /whole", "*")];
    let schema = load(rules).unwrap();
    let key = HeaderFields {
        idempotency_key: Some("k1"),
        last_event_id: Some("7"),
    };
    let odd = HeaderFields {
        idempotency_key: None,
        last_event_id: Some("x"),
    };
    for (request, body, headers, expected) in [
        ("POST /shelves", "{}", key, Ok(r#"{"shelf":{},"requestId":"k1"}"#)),
        (
            "POST /shelves?request_id=k1",
            "{}",
            key,
            Ok(r#"{"shelf":{},"requestId":"k1"}"#),
        ),
        (
            "POST /shelves?request_id=k2",
            "{}",
            key,
            Err("request_id: Idempotency-Key contradicts the query"),
        ),
        ("POST /whole", r#"{"requestId":"k1"}"#, key, Ok(r#"{"requestId":"k1"}"#)),
        (
            "POST /whole",
            r#"{"requestId":"k2"}"#,
            key,
            Err("request_id: contradicts"),
        ),
        ("GET /watch", "", key, Ok(r#"{"after":7}"#)),
        ("GET /watch?after=3", "", key, Ok(r#"{"after":7}"#)),
        ("GET /watch?after=3", "", HeaderFields::default(), Ok(r#"{"after":3}"#)),
        (
            "GET /watch",
            "",
            odd,
            Err("after: Last-Event-ID: \"x\" is not an integer"),
        ),
    ] {
        let (method, target) = request.split_once(' ').unwrap();
        match (bound_with(&schema, method, target, body, &headers), expected) {
            (Ok(message), Ok(expected)) => assert_eq!(message, expected, "{request}"),
            (Err(refusal), Err(expected)) => assert!(refusal.starts_with(expected), "{request}: {refusal}"),
            (found, expected) => panic!("{request}: {found:?}, not {expected:?}"),
        }
    }
}

#[test]
fn refusals_say_where() {
    let schema = load(vec![rule("Shapes.Sink", "POST /sink", "*")]).unwrap();
    let body = b"{\n  \"nested\": {\"r_m\": [{}, {\"tehme\": 1}]}\n}";
    let error = schema
        .find("POST", "/sink")
        .unwrap()
        .bind(None, body, &HeaderFields::default())
        .unwrap_err();
    assert_eq!(
        error.position,
        Some(Position {
            line: 2,
            column: 27,
            offset: 28
        })
    );
    assert_eq!(error.violations[0].0, "nested.r_m[1].tehme");
    assert!(error.violations[0].1.contains("did you mean `theme`?"));
    // The question ends the sentence: the place belongs to what is wrong.
    let end = "has no field \"tehme\" at line 2, column 27 (byte 28); did you mean `theme`?";
    assert!(error.message.ends_with(end), "{}", error.message);
    assert_eq!(error.reason, BindReason::Other);
}

#[test]
fn an_unknown_parameter_is_told_by_its_type() {
    let schema = load(vec![rule("Shapes.Sink", "GET /sink", "")]).unwrap();
    let matched = schema.find("GET", "/sink").unwrap();
    let error = matched.bind(Some("ss.x=1"), b"", &HeaderFields::default()).unwrap_err();
    assert_eq!(error.reason, BindReason::UnknownParameter("ss.x".into()));
    assert!(
        !error.message.contains("setting") && error.relaxed_by.is_some(),
        "{}",
        error.message
    );
}

proptest::proptest! {
    /// Whatever path, query and body a stranger sends: a message or a refusal.
    #[test]
    fn strangers_never_panic(
        path in "(/([a-z%/:.*{}]|sink|%2F|%41|:do){0,4}){1,6}",
        query in "(([a-z_]{1,6}|nested|m_ss|st|ts|o_m|r_s)[.=\\[\\]&%+]{0,2}[0-9a-zA-Z\"{}]{0,3}&?){0,6}",
        body in "([\\[\\]{}:,]|\"(s|i32|nested|st|any|@type|ts|r_m|m_ss|o_m|va)\"|1|null|\"x\"){0,16}",
    ) {
        thread_local!(static SCHEMA: Schema = load(vec![
            rule("Shapes.Sink", "POST /sink/{o_s=**}", "nested"),
            rule("Routes.R0", "POST /{x}/{y=a/*}:do", "*"),
            rule("Routes.R1", "POST /**/sink", ""),
        ]).unwrap());
        SCHEMA.with(|schema| {
            for path in [path.as_str(), "/sink/a", "/sink"] {
                if let Ok(matched) = schema.find("POST", path) {
                    for body in ["", body.as_str()] {
                        let _ = matched.bind(Some(&query), body.as_bytes(), &HeaderFields::default());
                    }
                }
            }
        });
    }
}
